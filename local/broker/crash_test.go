package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

// With childVariable this process is a server: it keeps its data in a folder, or in
// memory, and listens at an address. Its management API is at another, which it prints
// behind the first.
const (
	childVariable = "MUSTERTEST_CHILD"
	childFolder   = "MUSTERTEST_CHILD_FOLDER"
	childAddress  = "MUSTERTEST_CHILD_ADDRESS"
	childSlow     = "MUSTERTEST_CHILD_SLOW"    // every other one has a slow disk
	childProfile  = "MUSTERTEST_CHILD_PROFILE" // the file for its CPU profile
)

// crashOptions are those of the server that is killed, and of those of the benchmarks.
func crashOptions(folder string) broker.Options {
	return broker.Options{
		Data: folder, Open: true,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Queues: []broker.Queue{
			{Name: "plain", MaxDeliveryCount: 1000, LockDuration: 5 * time.Minute}, {Name: "fetched"},
			{Name: "sessions", RequiresSession: true, MaxDeliveryCount: 1000, LockDuration: 5 * time.Minute},
			{Name: "once", RequiresDuplicateDetection: true, LockDuration: 5 * time.Minute},
			{Name: "door", RequiresDuplicateDetection: true, ForwardTo: "room"}, {Name: "room"},
			{Name: "mortal", ForwardDeadLetteredMessagesTo: "graves"}, {Name: "graves"}, {Name: "fan"},
			{Name: "brief", DeadLetteringOnMessageExpiration: true}, {Name: "weak", MaxDeliveryCount: 2},
		},
		Topics: []broker.Topic{{Name: "topic", RequiresDuplicateDetection: true, Subscriptions: []broker.Subscription{
			{Name: "all"}, {Name: "odd", Rules: []broker.Rule{{Name: "odd", SQL: "n = 1"}}}, {Name: "far", ForwardTo: "fan"},
		}}},
	}
}

// serveUntilStopped is what such a process does. It is killed, or stopped by SIGTERM
// so that its profile is whole.
func serveUntilStopped(folder, address string) error {
	stopped, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	endProfile, err := startProfile(os.Getenv(childProfile))
	if err != nil {
		return err
	}
	defer endProfile()
	s, err := broker.New(crashOptions(folder))
	if err != nil {
		return err
	}
	if folder != "" && os.Getpid()%2 == 0 && os.Getenv(childSlow) != "" {
		// More is on its way then when it is killed.
		if err := s.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Count: 1 << 30, Probability: 0.3, Delay: 20 * time.Millisecond}); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr(), web.Addr())
	ended := make(chan error, 2)
	go func() { ended <- http.Serve(web, s.ManagementHandler()) }()
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-stopped.Done():
		return nil
	}
}

// victim is a server in a process of its own, which is killed.
type victim struct {
	address, management string
	cmd                 *exec.Cmd
	http                *http.Client
	killed              sync.Once
}

// startVictim starts the process. Where it is killed before it serves, the address
// is empty.
func startVictim(t *testing.T, folder string, after <-chan time.Time) *victim {
	t.Helper()
	v := &victim{cmd: exec.Command(os.Args[0]), http: &http.Client{Transport: &http.Transport{}}}
	v.cmd.Env = append(os.Environ(), childVariable+"=1", childFolder+"="+folder, childAddress+"=127.0.0.1:0", childSlow+"=1", "GORACE=atexit_sleep_ms=0")
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	said := make(chan string, 1)
	go func() {
		line, _, _ := bufio.NewReader(out).ReadLine()
		said <- string(line)
	}()
	select {
	case line := <-said:
		if v.address, v.management, _ = strings.Cut(line, " "); v.address == "" {
			t.Fatal("the server did not start")
		}
	case <-after:
		v.kill()
		<-said
	}
	return v
}

func (v *victim) kill() {
	v.killed.Do(func() {
		_ = v.cmd.Process.Signal(syscall.SIGKILL)
		_ = v.cmd.Wait()
		v.http.CloseIdleConnections()
	})
}

// connected works with the server. What goes wrong is given to fail, unless that is
// nil: a server that is killed is gone in the middle of anything.
func (v *victim) connected(ctx context.Context, work crashClient, fail func(...any)) {
	err := func() error {
		conn, err := amqp.Dial(ctx, "amqp://"+v.address, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		session, err := conn.NewSession(ctx, nil)
		if err != nil {
			return err
		}
		return work(ctx, session)
	}()
	if err != nil && fail != nil {
		fail(err)
	}
}

// TestNothingIsLostToSIGKILL kills the server at random moments while messages are
// sent, singly and in batches, scheduled and cancelled, sent again, forwarded and
// given to subscriptions, received in sessions and out of them, completed, abandoned,
// dead-lettered, deferred and deleted, while messages outlive their time and use up
// their deliveries, and while entities come, change and go. When it
// has come up again, all that it holds must be what was acknowledged, or what was asked
// for last and not answered, as a whole. It goes on until everything has been answered
// at least once: in few lives that is not so by itself.
func TestNothingIsLostToSIGKILL(t *testing.T) {
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("MUSTERTEST_KILLS")); err == nil {
		kills = n
	}
	a, folder := newAccount(t), t.TempDir()
	early, lives := 0, 0
	for ; lives < kills || len(a.unanswered()) > 0 && lives < 10*kills; lives++ {
		var startOnly <-chan time.Time
		if rand.IntN(5) == 0 {
			startOnly = time.After(time.Duration(rand.IntN(60)) * time.Millisecond)
		}
		v := startVictim(t, folder, startOnly)
		if v.address == "" {
			early++
			continue
		}
		a.live(v)
		if t.Failed() {
			return
		}
	}
	v := startVictim(t, folder, nil)
	a.snapshot(deadline(t), v)
	a.drain(deadline(t), v)
	v.kill()
	answers := 0
	for _, n := range a.answered {
		answers += n
	}
	t.Logf("killed %d times, %d of them at the start; %d answers, %d messages received, %d sent again that had arrived, %d comparisons",
		lives, early, answers, a.received, a.replayed, a.checked)
	for _, kind := range crashKinds {
		t.Logf("%6d %s", a.answered[kind], kind)
	}
	for _, kind := range a.unanswered() {
		t.Errorf("nothing of the kind %q was answered", kind)
	}
}

// crashKinds are the kinds of steps of all clients.
var crashKinds = []string{
	"send", "send a batch", "send later", "schedule", "cancel", "send in a session", "repeat to once", "repeat to door", "repeat to topic",
	"complete", "abandon", "release", "defer", "dead-letter", "deferred completed", "deferred abandoned", "receive and delete",
	"forward a dead letter", "send briefly", "fail", "set a state", "PUT false", "PUT true", "DELETE false", "add-rule", "remove-rule",
}

// unanswered are the kinds of which no step has been answered yet. No client may be
// at work.
func (a *account) unanswered() []string {
	return slices.DeleteFunc(slices.Clone(crashKinds), func(kind string) bool { return a.answered[kind] > 0 })
}

// live compares what a server has when it comes up, and works with it for a while.
func (a *account) live(v *victim) {
	ctx, stop := context.WithCancel(deadline(a.t))
	defer stop()
	a.snapshot(ctx, v)
	a.left, a.enough = 20+rand.IntN(200), make(chan struct{})
	var clients sync.WaitGroup
	for _, work := range a.clients(v) {
		clients.Go(func() { v.connected(ctx, work, nil) })
	}
	select {
	case <-a.enough:
	case <-ctx.Done():
		a.mu.Lock()
		a.t.Errorf("nothing is answered any more: %v", a.answered)
		a.mu.Unlock()
	}
	<-time.After(time.Duration(rand.IntN(10)) * time.Millisecond)
	v.kill()
	stop()
	clients.Wait()
}

// drain receives and completes all that is left in the queue without sessions.
func (a *account) drain(ctx context.Context, v *victim) {
	v.connected(ctx, func(ctx context.Context, session *amqp.Session) error {
		r, err := session.NewReceiver(ctx, "plain", &amqp.ReceiverOptions{Credit: 10, SettlementMode: &second})
		if err != nil {
			return err
		}
		for a.waiting("plain") > 0 {
			m, err := r.Receive(ctx, nil)
			if err != nil {
				return errors.Join(fmt.Errorf("%d messages do not come", a.waiting("plain")), err)
			}
			if err := a.completed(ctx, r, m, a.arrived(fateOf("plain", m))); err != nil {
				return err
			}
		}
		return nil
	}, a.t.Error)
}
