package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A peer that opens links without end is refused at some point, and keeps nobody
// else from the queue: not with 100,000 links on 20 connections.
func TestLinksWithoutEnd(t *testing.T) {
	const connections, links = 20, 5000
	s := start(t, oneQueue)
	var hostile sync.WaitGroup
	for range connections {
		p := openPeer(t, s)
		if err := p.conn.SetDeadline(time.Now().Add(10 * patience)); err != nil { // a slow machine takes its time for so many
			t.Fatal(err)
		}
		hostile.Go(func() {
			if err := attachWithoutEnd(p, links+1); err != nil {
				t.Error(err)
			}
		})
	}
	hostile.Wait()
	client := connect(t, s)
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	// The message may go to one of the others first, none of which gives credit.
	if err := r.CompleteMessage(deadline(t), receiveOne(t, r), nil); err != nil {
		t.Fatal(err)
	}
}

// attachWithoutEnd attaches n receivers, over as many sessions as it takes, and
// expects the last one to be refused.
func attachWithoutEnd(p *peer, n int) error {
	const perSession = 4000
	sent := make(chan error, 1)
	go func() {
		var b []byte
		var err error
		for i := range n {
			channel, handle := uint16(i/perSession), uint32(i%perSession)
			if handle == 0 {
				b, err = wire.AppendFrame(b, channel, &wire.Begin{IncomingWindow: 1000, OutgoingWindow: 1000}, nil)
			}
			if err == nil {
				b, err = wire.AppendFrame(b, channel, &wire.Attach{
					Name: fmt.Sprint(i), Handle: handle, Role: wire.RoleReceiver, Source: &wire.Source{Address: "q"}, Target: &wire.Target{},
				}, nil)
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			_, err = p.conn.Write(b)
		}
		sent <- err
	}()
	attached := 0
	for {
		f, err := p.reader.ReadFrame()
		if err != nil {
			return fmt.Errorf("after %d links: %w", attached, err)
		}
		switch body := f.Body.(type) {
		case *wire.Attach:
			attached++
		case *wire.Detach:
			if attached != n || body.Error == nil || body.Error.Condition != wire.CondResourceLimitExceeded {
				return fmt.Errorf("link %d of %d: detach %+v", attached, n, body.Error)
			}
			return <-sent
		}
	}
}

// A receiver that never settles gets only so many messages, and the rest goes to
// others.
func TestAReceiverThatNeverSettles(t *testing.T) {
	const held = 16384
	s := start(t, oneQueue)
	client := connect(t, s)
	sendBatched(t, client, "q", held+100, 1)
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some[uint32](0), IncomingWindow: 1 << 30, OutgoingWindow: 100,
		Handle: wire.Some[uint32](0), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](1 << 30),
	})
	for range held {
		expect[*wire.Transfer](p)
	}
	if got := bodies(receive(t, receiver(t, client, nil), 100)); len(got) != 100 {
		t.Errorf("%d messages were left to others", len(got))
	}
	if got := counts(t, s, "q"); got != (broker.Counts{Locked: held + 100}) {
		t.Errorf("counts %+v", got)
	}
}

// A receiver that has as much as it may have unsettled, and drains, has its answer before
// it settles: it may be that it settles only then.
func TestDrainWithoutSettling(t *testing.T) {
	const held, credit = 16384, 16384 + 10
	s := start(t, oneQueue)
	sendBatched(t, connect(t, s), "q", held+1, 1)
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some[uint32](0), IncomingWindow: 1 << 30, OutgoingWindow: 100,
		Handle: wire.Some[uint32](0), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](credit), Drain: true,
	})
	for range held {
		expect[*wire.Transfer](p)
	}
	p.send(0, &wire.Flow{NextIncomingID: wire.Some[uint32](held), IncomingWindow: 1000, OutgoingWindow: 100, Echo: true})
	if f := expect[*wire.Flow](p); !f.Drain || f.DeliveryCount.Or(0) != credit {
		t.Errorf("flow = %+v, want the end of the drain", f)
	}
	if got := counts(t, s, "q"); got != (broker.Counts{Active: 1, Locked: held}) {
		t.Errorf("counts %+v", got)
	}
}

// When one link of a session holds all that may be unsettled, and settles, others of
// the session get their turn.
func TestASettlementLetsOtherLinksOn(t *testing.T) {
	const held = 16384
	s := start(t, oneQueue)
	sendBatched(t, connect(t, s), "q", held+1, 1)
	p := openPeer(t, s)
	p.begin()
	flow := func(handle, credit uint32) {
		p.send(0, &wire.Flow{
			NextIncomingID: wire.Some[uint32](0), IncomingWindow: 1 << 30, OutgoingWindow: 100,
			Handle: wire.Some(handle), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some(credit),
		})
	}
	p.receiver(0)
	flow(0, held)
	for range held {
		expect[*wire.Transfer](p)
	}
	p.receiverOf("q", 1)
	flow(1, 1)
	p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: 7, Settled: true, State: wire.Accepted{}})
	if tr := expect[*wire.Transfer](p); tr.Handle != 1 {
		t.Errorf("transfer on link %d", tr.Handle)
	}
}

// tight are options with little room for what connections hold.
var tight = broker.Options{Queues: oneQueue.Queues, MaxMessageSize: 64 << 10, MaxBuffered: 2 << 20}

// attack has a peer send frames until the server closes it for want of memory. What
// it says meanwhile is passed over, or not read.
func attack(t *testing.T, p *peer, reads bool, frames func(send func(wire.Performative, []byte) error) error) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		sent <- frames(func(body wire.Performative, payload []byte) error {
			b, err := wire.AppendFrame(nil, 0, body, payload)
			if err == nil {
				_, err = p.conn.Write(b)
			}
			return err
		})
	}()
	if !reads {
		if err := <-sent; err == nil {
			t.Error("the server took all")
		}
	}
	for {
		f, err := p.reader.ReadFrame()
		if err != nil {
			if reads {
				t.Errorf("the end came without a close: %v", err)
			}
			break
		}
		if c, ok := f.Body.(*wire.Close); ok {
			if c.Error == nil || c.Error.Condition != wire.CondResourceLimitExceeded {
				t.Errorf("close %+v", c.Error)
			}
			break
		}
	}
	p.conn.Close()
	if reads {
		<-sent
	}
}

// stillServes sends and receives, as others do that do no harm.
func stillServes(t *testing.T, s *broker.Server) {
	t.Helper()
	client := connect(t, s)
	r := receiver(t, client, nil)
	send(t, client, "q", "a")
	if err := r.CompleteMessage(deadline(t), receiveOne(t, r), nil); err != nil {
		t.Error(err)
	}
}

// A peer that begins messages and ends none is closed. Another that has begun one
// goes on with it.
func TestPartialMessagesWithoutEnd(t *testing.T) {
	s := start(t, tight)
	good := openPeer(t, s)
	good.begin()
	good.sender(0)
	first := delivery(0, 0)
	first.More = true
	payload := text(string(make([]byte, 50<<10)))
	good.transfer(first, payload[:40<<10])
	bad := openPeer(t, s)
	bad.begin()
	attack(t, bad, true, func(send func(wire.Performative, []byte) error) error {
		for handle := range uint32(100) {
			begun := delivery(handle, handle)
			begun.More = true
			if err := errors.Join(
				send(&wire.Attach{Name: fmt.Sprint(handle), Handle: handle, Role: wire.RoleSender, Target: &wire.Target{Address: "q"}}, nil),
				send(begun, make([]byte, 60<<10))); err != nil {
				return err
			}
		}
		return nil
	})
	good.transfer(&wire.Transfer{Handle: 0}, payload[40<<10:])
	if d := expect[*wire.Disposition](good); d.State != (wire.Accepted{}) {
		t.Errorf("disposition %+v", d)
	}
	receive(t, receiver(t, connect(t, s), &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete}), 1)
	stillServes(t, s)
}

// A peer that asks and gives no credit for the answers is closed.
func TestRepliesThatNobodyTakes(t *testing.T) {
	s := start(t, tight)
	sendBatched(t, connect(t, s), "q", 30, 1000)
	bad := openPeer(t, s)
	bad.begin()
	p := wire.Properties{MessageID: "1", ReplyTo: wire.Some("me")}
	request, err := p.AppendBinary(nil)
	if err == nil {
		request, err = wire.AppendApplicationProperties(request, operation("com.microsoft:peek-message"))
	}
	if err == nil {
		request, err = wire.AppendAMQPValue(request, wire.Map{{Key: "from-sequence-number", Value: int64(1)}, {Key: "message-count", Value: int32(30)}})
	}
	if err != nil {
		t.Fatal(err)
	}
	attack(t, bad, true, func(send func(wire.Performative, []byte) error) error {
		err := errors.Join(
			send(&wire.Attach{Name: "r", Handle: 0, Role: wire.RoleReceiver, Source: &wire.Source{Address: "q/$management"}, Target: &wire.Target{Address: "me"}}, nil),
			send(&wire.Attach{Name: "s", Handle: 1, Role: wire.RoleSender, Target: &wire.Target{Address: "q/$management"}}, nil))
		for id := uint32(0); err == nil && id < 500; id++ {
			err = send(delivery(1, id), request)
		}
		return err
	})
	if got := counts(t, s, "q"); got != (broker.Counts{Active: 30}) {
		t.Errorf("counts %+v", got)
	}
}

// Peers that take thousands of messages and read none are closed when there are too
// many of them.
func TestReadersThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers = 8
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "big"}}, MaxMessageSize: 64 << 10, MaxBuffered: 1 << 20})
		client := listener.connect(t, s)
		for range 100 {
			send(t, client, "big", string(make([]byte, 50_000)))
		}
		var lazy []*peer
		for range readers {
			p := newPeer(t, listener.dial())
			p.open()
			p.begin()
			p.receiverOf("big", 0)
			p.credit(0, 0, 5000, false)
			lazy = append(lazy, p)
		}
		elapse(5 * time.Second) // what is closed is told, and cut off when it doesn't listen
		closed := 0
		for _, p := range lazy {
			if _, err := p.conn.Write(wire.AppendEmptyFrame(nil)); err != nil {
				closed++
			}
		}
		// Each holds a quarter of a MiB.
		if closed < readers/2 || closed == readers || s.Held() > 1<<20 {
			t.Errorf("%d of %d are closed, and %d bytes held", closed, readers, s.Held())
		}
		send(t, client, "q", "a")
		receiveOne(t, receiver(t, client, nil))
	})
}

// A peer that goes on attaching after it was refused loses its session.
func TestRefusedLinksWithoutEnd(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	go func() {
		for i := range uint32(10_001) {
			channel := uint16(i / 4000)
			b, err := wire.AppendFrame(nil, channel, &wire.Attach{Name: "x", Handle: i % 4000, Role: wire.RoleSender, Target: &wire.Target{Address: "nothing"}}, nil)
			if begin, fault := wire.AppendFrame(nil, channel, &wire.Begin{}, nil); i%4000 == 0 && fault == nil {
				b = append(begin, b...)
			}
			if _, e := p.conn.Write(b); e != nil || err != nil {
				return
			}
		}
	}()
	for refused := 0; ; {
		switch body := p.next().Body.(type) {
		case *wire.Detach:
			refused++
		case *wire.End:
			if refused != 10_000 || body.Error == nil || body.Error.Condition != wire.CondResourceLimitExceeded {
				t.Errorf("after %d refusals: %v", refused, body.Error)
			}
			return
		}
	}
}

// One connection more than there may be is told so, and has its place when another
// goes.
func TestConnectionsWithoutEnd(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, MaxConnections: 3})
	all := []*peer{openPeer(t, s), openPeer(t, s), openPeer(t, s)}
	extra := openPeer(t, s)
	if c := expect[*wire.Close](extra); c.Error == nil || c.Error.Condition != wire.CondResourceLimitExceeded {
		t.Errorf("close %v", c.Error)
	}
	extra.conn.Close()
	all[1].send(0, &wire.Close{})
	expect[*wire.Close](all[1])
	all[1].ended()
	stillServesAfter(t, s)
	for _, p := range []*peer{all[0], all[2]} {
		p.begin()
	}
}

// stillServesAfter tries until a connection that has ended has given up its place.
func stillServesAfter(t *testing.T, s *broker.Server) {
	t.Helper()
	for ctx := deadline(t); ctx.Err() == nil; {
		p := openPeer(t, s)
		p.send(0, &wire.Begin{IncomingWindow: 1, OutgoingWindow: 1})
		if _, ok := p.next().Body.(*wire.Begin); ok {
			p.conn.Close()
			return
		}
		p.conn.Close()
	}
	t.Error("no place was given up")
}

// Peers that connect and come to nothing keep nobody out.
func TestHalfOpenConnectionsKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: oneQueue.Queues, MaxConnections: 5})
		for range 5 {
			silent := listener.dial()
			defer silent.Close()
			if _, err := io.WriteString(silent, "AMQP"); err != nil {
				t.Fatal(err)
			}
		}
		elapse(2 * time.Second)
		client := listener.connect(t, s)
		send(t, client, "q", "a")
		receiveOne(t, receiver(t, client, nil))
	})
}

// The log tells of what a peer does wrong, but not of the same peer without end.
func TestTheLogIsBounded(t *testing.T) {
	var told atomic.Int64
	options := oneQueue
	options.Logger = slog.New(counter{&told})
	p := openPeer(t, start(t, options))
	p.begin()
	for range 1500 {
		p.send(0, &wire.Attach{Name: "x", Role: wire.RoleSender, Target: &wire.Target{Address: "nothing"}})
		p.send(0, &wire.Detach{})
		expect[*wire.Attach](p)
		expect[*wire.Detach](p)
	}
	if got := told.Load(); got != 1000 {
		t.Errorf("the log has %d lines", got)
	}
}

// counter counts what is logged for somebody to see.
type counter struct{ lines *atomic.Int64 }

func (c counter) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (c counter) Handle(context.Context, slog.Record) error    { c.lines.Add(1); return nil }
func (c counter) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c counter) WithGroup(string) slog.Handler                { return c }

// A connection that was busy once counts with the buffers that it has for it, and keeps
// them only as long as it is busy.
func TestBuffersOfIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers, messages, size = 20, 10, 40_000
		listener := newPipes()
		s := startOn(t, listener, oneQueue)
		client := listener.connect(t, s)
		for range peers * messages {
			send(t, client, "q", string(make([]byte, size)))
		}
		if err := client.Close(forever()); err != nil {
			t.Fatal(err)
		}
		idle := s.Held()
		for range peers {
			p := newPeer(t, listener.dial())
			if err := p.conn.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			p.open()
			p.begin()
			p.receiver(0)
			p.credit(0, 0, messages, false)
			synctest.Wait()
			go func() { _, _ = io.Copy(io.Discard, p.conn) }()
			synctest.Wait()
		}
		if got := s.Held() - idle; got < peers*100<<10 {
			t.Errorf("%d bytes are held, less than the buffers of so many", got)
		}
		elapse(30 * time.Second)
		if got := s.Held() - idle; got > peers*10<<10 {
			t.Errorf("%d bytes are held by idle connections", got)
		}
	})
}
