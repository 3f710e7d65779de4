package broker_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// pipes is a listener whose connections are net.Pipes, which unlike sockets
// count as idle in a synctest bubble: time passes when everybody waits.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// connect makes a client whose connections are pipes.
func (p *pipes) connect(t *testing.T, s *broker.Server) *azservicebus.Client {
	t.Helper()
	return p.connectAs(t, s.ConnectionString())
}

// connectAs makes one for a connection string.
func (p *pipes) connectAs(t *testing.T, connectionString string) *azservicebus.Client {
	t.Helper()
	return connectTo(t, connectionString, &azservicebus.ClientOptions{
		NewWebSocketConn: func(context.Context, azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			return p.dial(), nil
		},
	})
}

// inBubble runs f with a server and a client on pipes, where time is what the
// test makes of it.
func inBubble(t *testing.T, f func(t *testing.T, s *broker.Server, listener *pipes, client *azservicebus.Client)) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, oneQueue)
		f(t, s, listener, listener.connect(t, s))
	})
}

// elapse lets time pass in a bubble.
func elapse(d time.Duration) { <-time.After(d) }

// forever is a context without the deadline that bounds tests in real time.
func forever() context.Context { return context.Background() }

func TestLockExpiryWakesAReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, listener *pipes, client *azservicebus.Client) {
		send(t, client, "q", "a")
		r := receiver(t, client, nil)
		begun := time.Now()
		first := receiveOne(t, r)
		second, err := receiver(t, listener.connect(t, s), nil).ReceiveMessages(forever(), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begun); got < time.Minute || got > time.Minute+time.Second {
			t.Errorf("the message came again after %v, want the lock duration", got)
		}
		if got := second[0].DeliveryCount; got != 2 {
			t.Errorf("delivery count = %d, want 2", got)
		}
		wantCode(t, r.CompleteMessage(forever(), first, nil), azservicebus.CodeLockLost)
		byToken := &azservicebus.ReceivedMessage{LockToken: first.LockToken}
		wantCode(t, r.AbandonMessage(forever(), byToken, nil), azservicebus.CodeLockLost)
		wantCode(t, r.RenewMessageLock(forever(), first, nil), azservicebus.CodeLockLost)
	})
}

func TestRenewalKeepsTheLock(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, _ *pipes, client *azservicebus.Client) {
		send(t, client, "q", "a")
		r := receiver(t, client, nil)
		m := receiveOne(t, r)
		for range 5 {
			elapse(40 * time.Second)
			if err := r.RenewMessageLock(forever(), m, nil); err != nil {
				t.Fatal(err)
			}
			if got, want := time.Until(*m.LockedUntil), time.Minute; got != want {
				t.Errorf("renewed for %v, want %v", got, want)
			}
		}
		if err := r.CompleteMessage(forever(), m, nil); err != nil {
			t.Error(err)
		}
		wantCounts(t, s, broker.Counts{})
	})
}

// TestIdleConnectionStays checks the empty frames in both directions: without
// them the client gives up after a minute, and the server after two.
func TestIdleConnectionStays(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *broker.Server, listener *pipes, client *azservicebus.Client) {
		send(t, client, "q", "a")
		r := receiver(t, client, nil)
		m := receiveOne(t, r)
		for spell := range 20 {
			elapse(55 * time.Second)
			if err := r.RenewMessageLock(forever(), m, nil); err != nil {
				t.Fatalf("after %d idle spells: %v", spell, err)
			}
		}
		// Settling over the link proves that it is the same link.
		if err := r.CompleteMessage(forever(), m, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestTimeToLive checks that a message which nobody takes is gone in time.
func TestTimeToLive(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, _ *pipes, client *azservicebus.Client) {
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		ttl := 10 * time.Second
		if err := sender.SendMessage(forever(), &azservicebus.Message{TimeToLive: &ttl}, nil); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, broker.Counts{Active: 1})
		elapse(ttl)
		wantCounts(t, s, broker.Counts{})
	})
}

// TestScheduledMessages checks that a message joins the queue at its time, behind
// what was sent until then, and wakes a receiver who waits; and that peek shows
// it before.
func TestScheduledMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, _ *pipes, client *azservicebus.Client) {
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		at := begun.Add(time.Hour)
		batch, err := sender.NewMessageBatch(forever(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ttl := time.Minute
		for _, m := range []*azservicebus.Message{
			{Body: []byte("later"), ScheduledEnqueueTime: &at, TimeToLive: &ttl},
			{Body: []byte("at once"), ScheduledEnqueueTime: &begun},
		} {
			if err := batch.AddMessage(m, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := sender.SendMessageBatch(forever(), batch, nil); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, broker.Counts{Active: 1, Scheduled: 1})
		r := receiver(t, client, nil)
		peeked, err := r.PeekMessages(forever(), 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateScheduled || peeked[1].State != azservicebus.MessageStateActive ||
			peeked[0].ScheduledEnqueueTime == nil || !peeked[0].ScheduledEnqueueTime.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("peek shows %d messages, want one that is scheduled and one that is active", len(peeked))
		}
		for _, want := range []struct {
			text  string
			after time.Duration
		}{{"at once", 0}, {"meanwhile", time.Minute}, {"later", time.Hour}} {
			if want.text == "meanwhile" {
				elapse(time.Minute)
				send(t, client, "q", "meanwhile")
			}
			got, err := r.ReceiveMessages(forever(), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); string(got[0].Body) != want.text || took < want.after || took > want.after+time.Second {
				t.Errorf("received %q after %v, want %q after %v", got[0].Body, took, want.text, want.after)
			}
			if want.text == "later" && (*got[0].SequenceNumber != 4 || got[0].EnqueuedTime.Sub(begun) < time.Hour) {
				t.Errorf("it has number %d and was enqueued at %v, want those of the moment when it joined", *got[0].SequenceNumber, got[0].EnqueuedTime)
			}
			if err := r.CompleteMessage(forever(), got[0], nil); err != nil {
				t.Fatal(err)
			}
		}
		wantCounts(t, s, broker.Counts{})
	})
}

// TestConnectionLoss checks that a message whose receiver vanished comes back
// when its lock expires, and that one that was not sent is free at once.
func TestConnectionLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, listener *pipes, client *azservicebus.Client) {
		var raw net.Conn
		lost := connectTo(t, s.ConnectionString(), &azservicebus.ClientOptions{
			NewWebSocketConn: func(context.Context, azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
				raw = listener.dial()
				return raw, nil
			},
		})
		send(t, client, "q", "taken", "free")
		receiveOne(t, receiver(t, lost, nil))
		raw.Close()
		begun := time.Now()
		r := receiver(t, client, nil)
		for _, want := range []string{"free", "taken"} {
			messages, err := r.ReceiveMessages(forever(), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(messages[0].Body); got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		}
		if got := time.Since(begun); got < 59*time.Second || got > time.Minute+time.Second {
			t.Errorf("the taken message came back after %v, want the lock duration", got)
		}
	})
}

// TestWokenPeerPassesItsTurn has a peer wait at an empty queue first, and then
// stop reading while it is sent another queue's messages. The message that it
// is woken for must go to the receiver that waits behind it.
func TestWokenPeerPassesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "big"}}})
		client := listener.connect(t, s)
		for range 10 {
			send(t, client, "big", string(make([]byte, 100_000)))
		}
		slow := newPeer(t, listener.dial())
		slow.open()
		slow.begin()
		slow.receiver(1)
		slow.receiverOf("big", 2)
		slow.credit(1, 0, 10, false)
		slow.credit(2, 0, 10, false)
		synctest.Wait() // the peer reads nothing from here on
		got := receiveLater(t, receiver(t, client, nil))
		synctest.Wait()
		begun := time.Now()
		send(t, listener.connect(t, s), "q", "x")
		if body := <-got; body != "x" || time.Since(begun) > time.Second {
			t.Errorf("received %q after %v", body, time.Since(begun))
		}
	})
}

// TestWokenPeerPassesItsSession is the same for a peer that waits for a session.
func TestWokenPeerPassesItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: []broker.Queue{{Name: "q", RequiresSession: true}, {Name: "big"}}})
		client := listener.connect(t, s)
		for range 10 {
			send(t, client, "big", string(make([]byte, 100_000)))
		}
		slow := newPeer(t, listener.dial())
		slow.open()
		slow.begin()
		filter := wire.Map{{Key: wire.Symbol("com.microsoft:session-filter")}}
		slow.send(0, &wire.Attach{Name: "q", Handle: 1, Role: wire.RoleReceiver, Source: &wire.Source{Address: "q", Filter: filter}})
		slow.receiverOf("big", 2)
		slow.credit(2, 0, 10, false)
		synctest.Wait() // the peer reads nothing from here on
		accepted := make(chan string)
		go func() {
			r, err := client.AcceptNextSessionForQueue(deadline(t), "q", nil)
			if err != nil {
				t.Error(err)
				close(accepted)
				return
			}
			accepted <- r.SessionID()
		}()
		synctest.Wait()
		begun := time.Now()
		sender, err := listener.connect(t, s).NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		id := "s"
		if err := sender.SendMessage(deadline(t), &azservicebus.Message{SessionID: &id}, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-accepted; got != id || time.Since(begun) > time.Second {
			t.Errorf("accepted %q after %v", got, time.Since(begun))
		}
	})
}

// TestSilentPeerIsDropped has a peer that sends nothing, not even empty frames.
func TestSilentPeerIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *broker.Server, listener *pipes, _ *azservicebus.Client) {
		conn := listener.dial()
		p := newPeer(t, conn)
		p.open()
		p.begin()
		p.receiver(0)
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		empty := 0
		for {
			f, err := p.reader.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := f.Body.(*wire.Close); ok {
				if c.Error == nil || c.Error.Condition != wire.CondResourceLimitExceeded {
					t.Errorf("close = %v, want amqp:resource-limit-exceeded", c.Error)
				}
				break
			}
			empty++
		}
		if got, want := time.Since(begun), 2*time.Minute; got != want {
			t.Errorf("dropped after %v, want %v", got, want)
		}
		if empty < 4 {
			t.Errorf("%d empty frames in two minutes, want one every 25 s", empty)
		}
	})
}

// TestUnreadAnswers has a peer that asks without end and reads nothing. The
// server stops reading from it, and drops it when a write takes too long.
func TestUnreadAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *broker.Server, listener *pipes, _ *azservicebus.Client) {
		conn := listener.dial()
		p := newPeer(t, conn)
		p.open()
		p.begin()
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		question, err := wire.AppendFrame(nil, 0, &wire.Flow{IncomingWindow: 1, Echo: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		begun, asked := time.Now(), 0
		for ; err == nil; asked++ {
			_, err = conn.Write(question)
		}
		if got, want := time.Since(begun), time.Minute; got != want {
			t.Errorf("dropped after %v, want the write time-out of %v", got, want)
		}
		if most := 500_000; asked > most {
			t.Errorf("%d questions were read, want at most %d", asked, most)
		}
	})
}
