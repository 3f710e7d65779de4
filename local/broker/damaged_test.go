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
	name := filepath.Join(folder, "broker.db")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.ReplaceAll(content, []byte(b), []byte(b[1:]+"c"))
	if bytes.Equal(damaged, content) {
		t.Fatal("the message is not in the file")
	}
	if err := os.WriteFile(name, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
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
