package broker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func inject(t *testing.T, s *broker.Server, f broker.Fault) {
	t.Helper()
	if err := s.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// patient retries at once, as a test can't wait.
var patient = azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond}}

// The official client gets over a connection that is cut, links that are detached,
// and a server that is busy.
func TestTheClientGetsOverFaults(t *testing.T) {
	for _, f := range []broker.Fault{
		{Kind: broker.FaultDropConnections}, {Kind: broker.FaultDetachLinks, Entity: "Q"}, {Kind: broker.FaultBusy, Count: 2},
		{Kind: broker.FaultDelay, Delay: 20 * time.Millisecond, Count: 3},
	} {
		t.Run(string(f.Kind), func(t *testing.T) {
			s := start(t, oneQueue)
			client := connectAs(t, s, s.ConnectionString(), patient)
			send(t, client, "q", "before")
			r := receiver(t, client, nil)
			if err := r.CompleteMessage(deadline(t), receiveOne(t, r), nil); err != nil {
				t.Fatal(err)
			}
			sender, err := client.NewSender("q", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("between")}, nil); err != nil {
				t.Fatal(err)
			}
			inject(t, s, f)
			if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("after")}, nil); err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for len(seen) < 2 {
				messages, err := r.ReceiveMessages(deadline(t), 2, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range messages {
					seen[string(m.Body)] = true
				}
			}
		})
	}
}

func TestLocksAreLost(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "sessions", RequiresSession: true}}})
	client := connect(t, s)
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	m := receiveOne(t, r)
	inject(t, s, broker.Fault{Kind: broker.FaultLoseLocks})
	wantCode(t, r.CompleteMessage(deadline(t), m, nil), azservicebus.CodeLockLost)
	if again := receiveOne(t, r); again.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", again.DeliveryCount)
	}
	inject(t, s, broker.Fault{Kind: broker.FaultDuplicate})
	send(t, client, "q", "b")
	first, second := receiveOne(t, r), receiveOne(t, r)
	if string(first.Body) != "b" || string(second.Body) != "b" || second.DeliveryCount != 2 {
		t.Errorf("delivered %q and %q", first.Body, second.Body)
	}
}

func TestTheSameSeedMakesTheSameFaults(t *testing.T) {
	history := func() string {
		s := start(t, oneQueue)
		inject(t, s, broker.Fault{Kind: broker.FaultBusy, Count: 1000, Probability: 0.5, Seed: 7})
		p := openPeer(t, s)
		p.begin()
		p.sender(0)
		var outcomes strings.Builder
		for i := range uint32(20) {
			p.transfer(delivery(0, i), text("m"))
			if _, refused := expect[*wire.Disposition](p).State.(*wire.Rejected); refused {
				outcomes.WriteString("busy ")
			} else {
				outcomes.WriteString("accepted ")
			}
		}
		return outcomes.String()
	}
	first := history()
	if again := history(); again != first {
		t.Errorf("%s\nand then\n%s", first, again)
	}
	if !strings.Contains(first, "busy") || !strings.Contains(first, "accepted") {
		t.Errorf("outcomes %s", first)
	}
}

func TestASlowDisk(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, Data: t.TempDir()})
	client := connect(t, s)
	send(t, client, "q", "a")
	const delay = 300 * time.Millisecond
	inject(t, s, broker.Fault{Kind: broker.FaultSlowDisk, Delay: delay})
	begun := time.Now()
	send(t, client, "q", "b")
	if took := time.Since(begun); took < delay {
		t.Errorf("a message was acknowledged after %v, before the disk had it", took)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	s := start(t, broker.Options{Open: true, Queues: oneQueue.Queues})
	web := httptest.NewServer(s.FaultsHandler())
	defer web.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	call := func(method, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, web.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for body, want := range map[string]int{
		`{"kind":"busy","count":3}`: 204, `{"kind":"lose-locks","entity":"q"}`: 204, `{"kind":"busy","entity":"none"}`: 404,
		`{"kind":"flood"}`: 400, `{"kind":"slow-disk","entity":"q"}`: 400, `{"kind":"busy","probability":2}`: 400, `{"kind":"delay","delay":"1h"}`: 400,
		`{"kind":"delay","delay":"soon"}`: 400, `{"kind":"delay","delay":5}`: 400, `{"kind":"delay","delay":"5ms","count":2}`: 204,
		`{"typo":1}`: 400, `{"kind":"delay"}`: 400, `{"kind":"slow-disk"}`: 400,
	} {
		if got := call(http.MethodPost, body); got != want {
			t.Errorf("%s: status %d, want %d", body, got, want)
		}
	}
	for range 1000 - 2 {
		inject(t, s, broker.Fault{Kind: broker.FaultBusy, Count: 1000})
	}
	if got := call(http.MethodPost, `{"kind":"busy"}`); got != 400 {
		t.Errorf("status %d for one fault more than may wait", got)
	}
	if got := call(http.MethodDelete, ""); got != 204 {
		t.Errorf("status %d", got)
	}
	send(t, connect(t, s), "q", "a") // nothing is busy any more
	if got := call(http.MethodGet, ""); got != 405 {
		t.Errorf("status %d", got)
	}
	closed := httptest.NewServer(start(t, oneQueue).FaultsHandler())
	defer closed.Close()
	resp, err := http.Post(closed.URL, "application/json", strings.NewReader(`{"kind":"busy"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d without a signature", resp.StatusCode)
	}
}
