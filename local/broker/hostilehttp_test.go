package broker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"github.com/muster-mfa/muster/local/broker"
)

// Descriptions that never come to their end are held only up to a bound. Others are
// put meanwhile.
func TestDescriptionsWithoutEnd(t *testing.T) {
	const slow, held = 8, 600 << 10
	options := tight
	options.Open = true
	s := start(t, options)
	web := httptest.NewServer(s.ManagementHandler())
	defer web.Close()
	refused := make(chan error, slow)
	var all []net.Conn
	for range slow {
		conn, err := net.Dial("tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
		go func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				err = resp.Body.Close()
				if resp.StatusCode != http.StatusServiceUnavailable {
					err = fmt.Errorf("status %d", resp.StatusCode)
				}
			}
			refused <- err
		}()
		// A write fails where the request has been refused already.
		_, _ = fmt.Fprintf(conn, "PUT /slow HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", 2*held, make([]byte, held))
	}
	// Each takes a MiB, and there is room for two.
	for range slow - 2 {
		if err := <-refused; err != nil {
			t.Error(err)
		}
	}
	if _, err := administer(t, s).CreateQueue(deadline(t), "other", nil); err != nil {
		t.Error(err)
	}
	if got := s.Held(); got > tight.MaxBuffered {
		t.Errorf("%d bytes are held", got)
	}
	stillServes(t, s)
	for _, conn := range all {
		conn.Close()
	}
	web.Close()
	if got := s.Held(); got > tight.MaxBuffered/2 {
		t.Errorf("%d bytes are held for nobody", got)
	}
}

// An error does not say much more than the request, however many faults that has.
func TestErrorsOfManyFaults(t *testing.T) {
	const many = 20_000
	handler := openHandler(t)
	rights := func(rules string) string {
		return "<entry><content><QueueDescription><AuthorizationRules>" + rules + "</AuthorizationRules></QueueDescription></content></entry>"
	}
	for name, body := range map[string]string{
		"rules":  rights(strings.Repeat("<AuthorizationRule/>", many)),
		"rights": rights("<AuthorizationRule><Rights>" + strings.Repeat("<AccessRights/>", many) + "</Rights></AuthorizationRule>"),
		"name":   "<entry><content><QueueDescription><Status>" + strings.Repeat("é", many) + "</Status></QueueDescription></content></entry>",
	} {
		if code, answer := request(t, handler, http.MethodPut, "/a", body); code != http.StatusBadRequest || len(answer) > 20<<10 {
			t.Errorf("%s: status %d, %d bytes: %.200s", name, code, len(answer), answer)
		}
	}
}

// parts keeps the largest part of a response that was written at once.
type parts struct {
	httptest.ResponseRecorder
	largest int
}

func (p *parts) Write(b []byte) (int, error) {
	p.largest = max(p.largest, len(b))
	return p.ResponseRecorder.Write(b)
}

// A long list is never held as a whole for a client that takes its time to read it.
func TestAListIsWrittenInParts(t *testing.T) {
	const many = 200
	options := broker.Options{Open: true}
	for i := range many {
		options.Queues = append(options.Queues, broker.Queue{Name: fmt.Sprintf("q%03d", i)})
	}
	w := &parts{ResponseRecorder: *httptest.NewRecorder()}
	start(t, options).ManagementHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/$Resources/Queues?$top=5000", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || strings.Count(string(text), "<entry>") != many || !strings.HasSuffix(string(text), "</entry></feed>") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if w.largest > 16<<10 {
		t.Errorf("%d bytes were written at once", w.largest)
	}
}

// Many who make, change and end the same entities at once get the answers that there
// are for that, and leave the namespace in order.
func TestManagersAtOnce(t *testing.T) {
	const managers, rounds = 50, 3
	s := start(t, broker.Options{Queues: oneQueue.Queues, Topics: []broker.Topic{{Name: "kept"}}})
	client := administer(t, s)
	expected := func(what string, err error) {
		var answer *azcore.ResponseError
		switch {
		case err == nil:
		case errors.As(err, &answer) && (answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusNotFound):
		default:
			t.Errorf("%s: %v", what, err)
		}
	}
	var busy sync.WaitGroup
	for i := range managers {
		busy.Go(func() {
			for range rounds {
				made, err := client.CreateQueue(deadline(t), "contended", nil)
				expected("create queue", err)
				if err == nil && made.QueueName != "contended" {
					t.Errorf("made %+v", made)
				}
				_, err = client.UpdateQueue(deadline(t), "contended", admin.QueueProperties{UserMetadata: new(fmt.Sprint(i))}, nil)
				expected("update queue", err)
				_, err = client.CreateTopic(deadline(t), "topic", nil)
				expected("create topic", err)
				_, err = client.CreateSubscription(deadline(t), "topic", "s", nil)
				expected("create subscription", err)
				_, err = client.CreateRule(deadline(t), "topic", "s", &admin.CreateRuleOptions{Name: new("r")})
				expected("create rule", err)
				_, err = client.DeleteRule(deadline(t), "topic", "s", "$Default", nil)
				expected("delete rule", err)
				_, err = client.DeleteSubscription(deadline(t), "topic", "s", nil)
				expected("delete subscription", err)
				_, err = client.DeleteQueue(deadline(t), "contended", nil)
				expected("delete queue", err)
				if i%5 == 0 {
					_, err = client.DeleteTopic(deadline(t), "topic", nil)
					expected("delete topic", err)
				}
			}
		})
	}
	busy.Wait()
	ctx := deadline(t)
	if q, err := client.GetQueue(ctx, "contended", nil); err != nil || q != nil {
		t.Errorf("queue %+v, %v", q, err)
	}
	_, err := client.DeleteTopic(ctx, "topic", nil)
	expected("delete topic", err)
	if _, err := client.CreateTopic(ctx, "topic", nil); err != nil {
		t.Error(err)
	}
	if page, err := client.NewListSubscriptionsPager("topic", nil).NextPage(ctx); err != nil || len(page.Subscriptions) > 0 {
		t.Errorf("subscriptions %+v, %v", page.Subscriptions, err)
	}
	stillServes(t, s)
}
