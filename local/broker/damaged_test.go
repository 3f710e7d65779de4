package broker_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
)

// A message that is damaged on the disk is told of, and never delivered as another; those
// behind it are delivered at once.
func TestADamagedMessage(t *testing.T) {
	folder := t.TempDir()
	a, b, c := strings.Repeat("a", 100), strings.Repeat("b", 100), strings.Repeat("c", 100)
	lifetime(t, broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q"}}}, func(_ *broker.Server, client *azservicebus.Client) {
		send(t, client, "q", a, b, c)
	})
	name := damage(t, folder, b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &notedLog{}
	s := startOn(t, l, broker.Options{Data: folder, Logger: slog.New(slog.NewTextHandler(log, nil))})
	client := connect(t, s)
	r := receiverOf(t, client, "q", nil)
	peeked, err := r.PeekMessages(deadline(t), 3, nil)
	if err != nil || len(peeked) != 1 || string(peeked[0].Body) != a {
		t.Errorf("peeked %d messages, %v", len(peeked), err)
	}
	if got := bodies(receive(t, r, 2)); !slices.Equal(got, []string{a, c}) {
		t.Errorf("received %v", got)
	}
	if !log.has(name) {
		t.Error("the log does not name the file")
	}
	wantCounts(t, s, broker.Counts{Locked: 3})
}

// What the disk does not give back is not deleted as though it had been delivered.
func TestADamagedMessageIsNotDeletedUnseen(t *testing.T) {
	folder := t.TempDir()
	body := strings.Repeat("b", 100)
	options := broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q"}}}
	lifetime(t, options, func(_ *broker.Server, client *azservicebus.Client) { send(t, client, "q", body, "c") })
	damage(t, folder, body)
	s := start(t, options)
	r := receiver(t, connect(t, s), &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if got := bodies(receive(t, r, 1)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("received %v", got)
	}
	wantCounts(t, s, broker.Counts{Locked: 1})
}

// What is deferred beside a message that the disk does not give back is received.
func TestADamagedMessageAmongDeferredOnes(t *testing.T) {
	folder := t.TempDir()
	body := strings.Repeat("b", 100)
	options := broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q"}}}
	lifetime(t, options, func(_ *broker.Server, client *azservicebus.Client) {
		send(t, client, "q", body, "c")
		r := receiver(t, client, nil)
		for _, m := range receive(t, r, 2) {
			if err := r.DeferMessage(deadline(t), m, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
	damage(t, folder, body)
	s := start(t, options)
	r := receiver(t, connect(t, s), &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	got, err := r.ReceiveDeferredMessages(deadline(t), []int64{1, 2}, nil)
	if err != nil || !slices.Equal(bodies(got), []string{"c"}) {
		t.Errorf("received %v, %v", bodies(got), err)
	}
	wantCounts(t, s, broker.Counts{Locked: 1})
}

// What the disk does not give back is not passed on as an empty message.
func TestADamagedMessageIsNotForwarded(t *testing.T) {
	folder := t.TempDir()
	body := strings.Repeat("b", 100)
	options := broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q", ForwardTo: "next"}, {Name: "next"}}}
	lifetime(t, options, func(_ *broker.Server, client *azservicebus.Client) {
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		at, messages := time.Now().Add(time.Minute), []*azservicebus.Message{{Body: []byte(body)}, {Body: []byte("c")}}
		if _, err := sender.ScheduleMessages(deadline(t), messages, at, nil); err != nil {
			t.Fatal(err)
		}
	})
	damage(t, folder, body)
	options.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	s := start(t, options)
	if m := receiveOne(t, receiverOf(t, connect(t, s), "next", nil)); string(m.Body) != "c" {
		t.Errorf("received %q", m.Body)
	}
	if got := counts(t, s, "q"); got != (broker.Counts{DeadLettered: 1}) {
		t.Errorf("q has %+v", got)
	}
}

// damage changes the body of a message in the file of a folder, and returns the file's
// name.
func damage(t *testing.T, folder, body string) (name string) {
	t.Helper()
	name = filepath.Join(folder, "broker.db")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.ReplaceAll(content, []byte(body), []byte(body[1:]+"-"))
	if bytes.Equal(damaged, content) {
		t.Fatal("the message is not in the file")
	}
	if err := os.WriteFile(name, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// notedLog is a log that can be looked at.
type notedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *notedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *notedLog) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}
