package broker_test

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

// brokenDisk stands in for the disk under an open file: the descriptor is made that of
// a device which takes nothing, while what was mapped stays readable.
type brokenDisk struct {
	t         *testing.T
	fd, whole int
}

// breakable finds the file of a folder among those that are open.
func breakable(t *testing.T, folder string) *brokenDisk {
	t.Helper()
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		t.Fatal(err)
	}
	for fd := range 1024 {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd)))
		if err == nil && name == filepath.Join(folder, "broker.db") {
			whole, err := syscall.Dup(fd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Close(whole) })
			return &brokenDisk{t, fd, whole}
		}
	}
	t.Fatal("the file is not open")
	return nil
}

func (d *brokenDisk) becomes(fd int) {
	d.t.Helper()
	if err := syscall.Dup3(fd, d.fd, syscall.O_CLOEXEC); err != nil {
		d.t.Fatal(err)
	}
}

// fail has all writes to the disk go to a device: /dev/full has no room, and /dev/null
// takes everything but can't say that it has kept it.
func (d *brokenDisk) fail(device string) {
	d.t.Helper()
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	d.becomes(int(f.Fd()))
}

func (d *brokenDisk) mend() {
	d.t.Helper()
	d.becomes(d.whole)
}

// A disk that takes nothing is an error to senders and to whoever makes entities, at
// once and on every connection. What is on it is received meanwhile; what was on its
// way waits, however long, and is answered when the disk takes it.
func TestABrokenDisk(t *testing.T) {
	for name, device := range map[string]string{"full": "/dev/full", "failing to sync": "/dev/null"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			synctest.Test(t, func(t *testing.T) { onBrokenDisk(t, folder, device) })
			// The next one has all that was answered.
			s, err := broker.New(broker.Options{Data: folder})
			if err != nil {
				t.Fatal(err)
			}
			wantCounts(t, s, broker.Counts{Active: 4})
			if got := counts(t, s, "t/subscriptions/s"); got.Active != 1 {
				t.Errorf("the subscription has %+v", got)
			}
			if _, err := s.Counts("new"); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func onBrokenDisk(t *testing.T, folder, device string) {
	listener, log := newPipes(), &notedLog{}
	s := startOn(t, listener, broker.Options{
		Data: folder, Open: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Queues: []broker.Queue{{Name: "q"}}, Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s"}}}},
	})
	b := &slowDisk{t, s, listener, listener.connect(t, s)}
	send(b, b.client, "q", "a", "b", "c", "d")
	r := receiver(b, b.client, nil)
	first := receiveOne(b, r)
	sender := b.sender()
	b.must(sender.SendMessage(forever(), &azservicebus.Message{Body: []byte("e")}, nil))
	topic, err := b.client.NewSender("t", nil)
	b.must(err)
	b.must(topic.SendMessage(forever(), &azservicebus.Message{Body: []byte("e")}, nil))

	disk := breakable(t, folder)
	disk.fail(device)
	// Two things are on their way, on one connection, when it breaks: a message that
	// comes later is refused, a settlement is not.
	sent, completed := make(chan error, 1), make(chan error, 1)
	go func() { sent <- sender.SendMessage(forever(), &azservicebus.Message{Body: []byte("f")}, nil) }()
	synctest.Wait()
	go func() { completed <- r.CompleteMessage(forever(), first, nil) }()
	synctest.Wait()
	if !log.has("the disk does not take what must be kept") {
		t.Fatal("the log says nothing of the disk")
	}
	b.refuses(sender, "on the connection of what waits")
	b.refuses(topic, "on the same, for a topic")
	other := b.listener.connect(t, s)
	fresh, err := other.NewSender("q", nil)
	b.must(err)
	b.refuses(fresh, "on another connection")
	if _, err := fresh.ScheduleMessages(forever(), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil); err == nil {
		t.Error("a message was scheduled")
	}
	b.manage(http.MethodGet, "/q", "", http.StatusOK)
	b.manage(http.MethodPut, "/new", queueEntry, http.StatusServiceUnavailable)
	if err := s.CreateQueue(broker.Queue{Name: "new"}); err == nil || !strings.Contains(err.Error(), "the disk takes nothing") {
		t.Errorf("make a queue: %v", err)
	}
	// What is on the disk is received, and nothing else.
	behind := receiver(b, other, nil)
	if got := bodies(receive(b, behind, 4)); strings.Join(got, "") != "bcde" {
		t.Errorf("received %v", got)
	}
	elapse(3 * time.Minute) // longer than a client waits for a sign of life
	select {
	case err := <-sent:
		t.Errorf("the message on its way was answered by %v", err)
	case err := <-completed:
		t.Errorf("the settlement on its way was answered by %v", err)
	default:
	}

	disk.mend()
	b.must(<-sent)
	b.must(<-completed)
	if !log.has("the disk takes again") {
		t.Error("the log does not say that all is well")
	}
	b.manage(http.MethodPut, "/new", queueEntry, http.StatusCreated)
	b.must(topic.Close(forever()))
	for range 2 { // the locks have ended meanwhile; those of the last ones may hold
		m := receiveOne(b, receiver(b, b.client, nil))
		b.must(r.CompleteMessage(forever(), m, nil))
	}
	send(b, other, "q", "g")
}

// refuses demands that a sender is told at once that there is no room.
func (b *slowDisk) refuses(s *azservicebus.Sender, where string) {
	b.Helper()
	begun := time.Now()
	err := s.SendMessage(forever(), &azservicebus.Message{}, nil)
	var told *amqp.Error
	if !errors.As(err, &told) || told.Condition != amqp.ErrCondResourceLimitExceeded || time.Since(begun) > time.Second {
		b.Errorf("%s, a sender is told %v after %v", where, err, time.Since(begun))
	}
}
