package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

// With childVariable this process is a server: it keeps its data in a folder, or in
// memory, and listens at an address.
const (
	childVariable = "MUSTERTEST_CHILD"
	childFolder   = "MUSTERTEST_CHILD_FOLDER"
	childAddress  = "MUSTERTEST_CHILD_ADDRESS"
)

// serveUntilKilled is what such a process does.
func serveUntilKilled(folder, address string) error {
	s, err := broker.New(broker.Options{Data: folder, Open: true, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Queues: []broker.Queue{
		{Name: "plain", MaxDeliveryCount: 1000}, {Name: "sessions", RequiresSession: true, MaxDeliveryCount: 1000},
	}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return s.Serve(l)
}

// ledger is what the clients of a server that is killed again and again know for
// certain.
type ledger struct {
	t  *testing.T
	mu sync.Mutex
	// next numbers the messages of a line; a line is the plain queue, what is
	// scheduled there, or a session.
	next       map[string]int
	sent       map[string]bool // acknowledged
	completing map[string]bool // maybe completed
	completed  map[string]bool // acknowledged
	received   int
}

func (l *ledger) number(line string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[line]++
	return line + "/" + strconv.Itoa(l.next[line])
}

func (l *ledger) note(set map[string]bool, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set[id] = true
}

// arrived checks that a message that arrives was not completed for certain.
func (l *ledger) arrived(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received++
	if l.completed[id] {
		l.t.Errorf("message %s was completed, and came again", id)
	}
}

// inOrder checks that nothing that must come before the n-th message of a session
// was left out.
func (l *ledger) inOrder(line string, after, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n <= after {
		l.t.Errorf("message %d of %s came after message %d", n, line, after)
	}
	for i := after + 1; i < n; i++ {
		id := line + "/" + strconv.Itoa(i)
		if l.sent[id] && !l.completed[id] && !l.completing[id] {
			l.t.Errorf("message %d of %s came before message %d", n, line, i)
		}
	}
}

// TestNothingIsLostToSIGKILL kills the server at random moments while messages
// are sent, scheduled, received in sessions and out of them, and completed. What was
// acknowledged must have happened, and what was completed must be gone.
func TestNothingIsLostToSIGKILL(t *testing.T) {
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("MUSTERTEST_KILLS")); err == nil {
		kills = n
	}
	l := &ledger{t: t, next: map[string]int{}, sent: map[string]bool{}, completing: map[string]bool{}, completed: map[string]bool{}}
	folder := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(kills), 7))
	for range kills {
		address, end := startVictim(t, folder)
		var clients sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for _, work := range []func(context.Context, *amqp.Session) error{
			l.sendPlain, l.sendScheduled, l.sendSessions, l.receivePlain, l.receivePlain, l.receiveSessions,
		} {
			clients.Go(func() { connected(ctx, address, work) })
		}
		<-time.After(time.Duration(20+rng.IntN(200)) * time.Millisecond)
		end()
		stop()
		clients.Wait()
		if t.Failed() {
			return
		}
	}
	l.settleUp(folder)
	t.Logf("%d sent, %d received, %d completed", len(l.sent), l.received, len(l.completed))
}

// startVictim starts the process; end kills it.
func startVictim(t *testing.T, folder string) (address string, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1", childFolder+"="+folder, childAddress+"=127.0.0.1:0", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
		})
	}
	t.Cleanup(end)
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return string(line), end
}

// connected works with a server until it is gone.
func connected(ctx context.Context, address string, work func(context.Context, *amqp.Session) error) {
	conn, err := amqp.Dial(ctx, "amqp://"+address, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return
	}
	_ = work(ctx, session) // it always ends with an error
}

func (l *ledger) send(ctx context.Context, session *amqp.Session, queue string, message func() (string, *amqp.Message)) error {
	sender, err := session.NewSender(ctx, queue, nil)
	if err != nil {
		return err
	}
	for {
		id, m := message()
		m.Properties.MessageID = id
		if err := sender.Send(ctx, m, nil); err != nil {
			return err
		}
		l.note(l.sent, id)
	}
}

func (l *ledger) sendPlain(ctx context.Context, session *amqp.Session) error {
	return l.send(ctx, session, "plain", func() (string, *amqp.Message) {
		return l.number("plain"), &amqp.Message{Properties: &amqp.MessageProperties{}, Data: [][]byte{make([]byte, 300)}}
	})
}

func (l *ledger) sendScheduled(ctx context.Context, session *amqp.Session) error {
	return l.send(ctx, session, "plain", func() (string, *amqp.Message) {
		return l.number("later"), &amqp.Message{
			Properties:  &amqp.MessageProperties{},
			Annotations: amqp.Annotations{"x-opt-scheduled-enqueue-time": time.Now().Add(50 * time.Millisecond)},
		}
	})
}

func (l *ledger) sendSessions(ctx context.Context, session *amqp.Session) error {
	n := 0
	return l.send(ctx, session, "sessions", func() (string, *amqp.Message) {
		n++
		line := "session" + strconv.Itoa(n%5)
		return l.number(line), &amqp.Message{Properties: &amqp.MessageProperties{GroupID: &line}}
	})
}

// complete receives messages and completes two of three.
func (l *ledger) complete(ctx context.Context, r *amqp.Receiver, n int, arrived func(id string)) error {
	for i := range n {
		m, err := r.Receive(ctx, nil)
		if err != nil {
			return err
		}
		id := m.Properties.MessageID.(string)
		l.arrived(id)
		arrived(id)
		if i%3 == 2 {
			if err := r.ReleaseMessage(ctx, m); err != nil {
				return err
			}
			continue
		}
		l.note(l.completing, id)
		if err := r.AcceptMessage(ctx, m); err != nil {
			return err
		}
		l.note(l.completed, id)
	}
	return nil
}

var second = amqp.ReceiverSettleModeSecond

func (l *ledger) receivePlain(ctx context.Context, session *amqp.Session) error {
	r, err := session.NewReceiver(ctx, "plain", &amqp.ReceiverOptions{Credit: 20, SettlementMode: &second})
	if err != nil {
		return err
	}
	return l.complete(ctx, r, 1<<30, func(string) {})
}

// receiveSessions takes one session after the other, and a few messages of each.
func (l *ledger) receiveSessions(ctx context.Context, session *amqp.Session) error {
	for {
		r, err := session.NewReceiver(ctx, "sessions", &amqp.ReceiverOptions{
			Credit: 1, SettlementMode: &second, Filters: []amqp.LinkFilter{amqp.NewLinkFilter("com.microsoft:session-filter", 0x137000000C, nil)},
		})
		if err != nil {
			return err
		}
		line, _ := r.LinkSourceFilterValue("com.microsoft:session-filter").(string)
		after := 0
		err = l.complete(ctx, r, 2, func(id string) {
			var n int
			if _, err := fmt.Sscanf(id, line+"/%d", &n); err != nil {
				l.t.Errorf("message %s came in %s", id, line)
			}
			l.inOrder(line, after, n)
			after = n
		})
		if err != nil {
			return err
		}
		if err := r.Close(ctx); err != nil {
			return err
		}
	}
}

// settleUp drains what is left and compares.
func (l *ledger) settleUp(folder string) {
	s, err := broker.New(broker.Options{Data: folder, Open: true})
	if err != nil {
		l.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	defer func() {
		if err := s.Close(); err != nil {
			l.t.Error(err)
		}
		<-served
	}()
	left := make(map[string]bool)
	drain := func(ctx context.Context, session *amqp.Session) error {
		for _, queue := range []string{"plain", "sessions"} {
			for {
				c, err := s.Counts(queue)
				if err != nil {
					return err
				}
				if c.Active+c.Scheduled+c.Locked == 0 {
					break
				}
				options := &amqp.ReceiverOptions{Credit: 1, SettlementMode: &second}
				if queue == "sessions" {
					options.Filters = []amqp.LinkFilter{amqp.NewLinkFilter("com.microsoft:session-filter", 0x137000000C, nil)}
				}
				r, err := session.NewReceiver(ctx, queue, options)
				if err != nil {
					return err
				}
				if err := l.drainLink(ctx, r, left, func() bool {
					c, _ := s.Counts(queue)
					return c.Active+c.Scheduled+c.Locked == 0
				}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	connected(deadline(l.t), listener.Addr().String(), func(ctx context.Context, session *amqp.Session) error {
		if err := drain(ctx, session); err != nil {
			l.t.Error(err)
		}
		return nil
	})
	lost := 0
	for id := range l.sent {
		if !l.completed[id] && !l.completing[id] && !left[id] {
			lost++
		}
	}
	if lost > 0 {
		l.t.Errorf("%d of %d messages that were acknowledged are lost", lost, len(l.sent))
	}
}

// drainLink takes what one link gives, until there is nothing left or, as a session
// may have ended, nothing has come for a while. Outside of a session it waits: what
// is on its way to a link that closes would stay locked.
func (l *ledger) drainLink(ctx context.Context, r *amqp.Receiver, left map[string]bool, drained func() bool) error {
	for !drained() {
		brief, cancel := ctx, context.CancelFunc(func() {})
		if r.LinkSourceFilterValue("com.microsoft:session-filter") != nil {
			brief, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
		}
		m, err := r.Receive(brief, nil)
		cancel()
		if err != nil {
			break
		}
		id := m.Properties.MessageID.(string)
		l.arrived(id)
		left[id] = true
		if err := r.AcceptMessage(ctx, m); err != nil {
			return err
		}
	}
	return r.Close(ctx)
}
