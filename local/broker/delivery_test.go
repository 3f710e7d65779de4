package broker_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// fill puts n messages into q.
func fill(p *peer, n int) {
	p.t.Helper()
	p.sender(100)
	for i := range n {
		tr := delivery(100, uint32(i))
		p.transfer(tr, text(fmt.Sprint("m", i)))
		if d := expect[*wire.Disposition](p); d.First != uint32(i) || !d.Settled || d.State != (wire.Accepted{}) {
			p.t.Fatalf("disposition = %+v", d)
		}
	}
}

func TestPresettledTransfers(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	for i := range 3 {
		tr := delivery(0, uint32(i))
		tr.Settled = true
		p.transfer(tr, text("x"))
	}
	p.transfer(delivery(0, 3), text("x"))
	// The answer to the last is the first: settled ones get none.
	if d := expect[*wire.Disposition](p); d.First != 3 {
		t.Errorf("disposition for %d, want 3", d.First)
	}
	wantCounts(t, s, broker.Counts{Active: 4})
}

func TestSplitAndAbortedTransfers(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	whole := text("one two three")
	first := delivery(0, 0)
	first.More = true
	p.transfer(first, whole[:3])
	p.transfer(&wire.Transfer{More: true}, nil)
	p.transfer(&wire.Transfer{}, whole[3:])
	expect[*wire.Disposition](p)
	aborted := delivery(0, 1)
	aborted.More = true
	p.transfer(aborted, whole[:3])
	p.transfer(&wire.Transfer{Aborted: true}, nil)
	p.transfer(delivery(0, 2), whole)
	if d := expect[*wire.Disposition](p); d.First != 2 {
		t.Errorf("disposition for %d, want 2", d.First)
	}
	wantCounts(t, s, broker.Counts{Active: 2})
}

// What comes with the end of an aborted delivery is no part of a message, and can't be
// too much of one.
func TestPayloadOfAnAbortIsIgnored(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, MaxMessageSize: 100})
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	first := delivery(0, 0)
	first.More = true
	p.transfer(first, make([]byte, 90))
	p.transfer(&wire.Transfer{Aborted: true}, make([]byte, 90))
	p.transfer(delivery(0, 1), text("x"))
	if d := expect[*wire.Disposition](p); d.First != 1 || d.State != (wire.Accepted{}) {
		t.Errorf("disposition %+v, want delivery 1 accepted", d)
	}
	wantCounts(t, s, broker.Counts{Active: 1})
}

func TestSenderCreditIsToppedUp(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	flows := 0
	for i := range uint32(2000) {
		tr := delivery(0, i)
		tr.Settled = i%100 != 99 // few answers, for each may wait for a disk
		p.transfer(tr, text("x"))
		for answered := tr.Settled; !answered; {
			switch body := p.next().Body.(type) {
			case *wire.Flow:
				flows++
				if body.DeliveryCount.Or(0) > i+1 || body.LinkCredit.Or(0) < 500 {
					t.Fatalf("after transfer %d: flow %+v", i, body)
				}
			case *wire.Disposition:
				answered = true
			}
		}
	}
	if flows == 0 {
		t.Error("no credit in 2000 messages")
	}
}

// TestEcho asks for the server's view of the session and of a link.
func TestEcho(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	p.sender(0)
	p.send(0, &wire.Flow{IncomingWindow: 10, OutgoingWindow: 10, Echo: true})
	if f := expect[*wire.Flow](p); f.Handle.Set || f.IncomingWindow == 0 || !f.NextIncomingID.Set {
		t.Errorf("flow = %+v, want the session's", f)
	}
	p.send(0, &wire.Flow{IncomingWindow: 10, OutgoingWindow: 10, Echo: true, Handle: wire.Some[uint32](0)})
	if f := expect[*wire.Flow](p); f.Handle.Or(9) != 0 || f.LinkCredit.Or(0) == 0 || !f.DeliveryCount.Set {
		t.Errorf("flow = %+v, want the link's", f)
	}
}

func TestCreditIsAbsolute(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	fill(p, 10)
	p.receiver(1)
	p.credit(1, 0, 2, false)
	p.credit(1, 0, 3, false) // not two more, but one
	var got []uint32
	for range 3 {
		got = append(got, expect[*wire.Transfer](p).DeliveryID.Value)
	}
	p.credit(1, 3, 0, false)
	p.send(0, &wire.Flow{NextIncomingID: wire.Some[uint32](3), IncomingWindow: 1000, Handle: wire.Some[uint32](1),
		DeliveryCount: wire.Some[uint32](3), LinkCredit: wire.Some[uint32](0), Echo: true})
	f := expect[*wire.Flow](p) // and not a fourth transfer
	if diff := cmp.Diff([]uint32{0, 1, 2}, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if f.DeliveryCount.Or(0) != 3 || f.LinkCredit.Or(9) != 0 {
		t.Errorf("flow = %+v, want delivery-count 3 and no credit", f)
	}
	wantCounts(t, s, broker.Counts{Active: 7, Locked: 3})
}

func TestDrain(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	fill(p, 2)
	p.receiver(1)
	p.credit(1, 0, 10, true)
	for range 2 {
		expect[*wire.Transfer](p)
	}
	f := expect[*wire.Flow](p)
	if !f.Drain || f.LinkCredit.Or(9) != 0 || f.DeliveryCount.Or(0) != 10 {
		t.Errorf("flow = %+v, want the credit used up", f)
	}
	// A message that comes now stays where it is.
	p.transfer(delivery(100, 50), text("x"))
	expect[*wire.Disposition](p)
	wantCounts(t, s, broker.Counts{Active: 1, Locked: 2})
}

// A drain ends when the credit is used up, though the session's window is, too.
func TestDrainBehindAShutWindow(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	fill(p, 3)
	p.receiver(1)
	f := &wire.Flow{
		NextIncomingID: wire.Some[uint32](0), IncomingWindow: 2, OutgoingWindow: 10,
		Handle: wire.Some[uint32](1), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](2),
	}
	p.send(0, f)
	for range 2 {
		expect[*wire.Transfer](p)
	}
	f.Drain = true
	p.send(0, f)
	p.send(0, &wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 2, OutgoingWindow: 10, Echo: true})
	if f := expect[*wire.Flow](p); !f.Drain || f.DeliveryCount.Or(0) != 2 || f.LinkCredit.Or(9) != 0 {
		t.Errorf("flow = %+v, want the end of the drain", f)
	}
}

func TestSessionWindow(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	fill(p, 5)
	p.receiver(1)
	window := func(next, size uint32) {
		p.send(0, &wire.Flow{NextIncomingID: wire.Some(next), IncomingWindow: size, OutgoingWindow: 1000,
			Handle: wire.Some[uint32](1), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](100), Echo: true})
	}
	window(0, 2)
	expect[*wire.Flow](p)
	expect[*wire.Transfer](p)
	expect[*wire.Transfer](p)
	window(2, 0)
	expect[*wire.Flow](p) // and no transfer
	wantCounts(t, s, broker.Counts{Active: 3, Locked: 2})
	window(2, 1<<32-1)
	expect[*wire.Flow](p)
	for range 3 {
		expect[*wire.Transfer](p)
	}
}

// TestWindowStopsInsideAMessage splits a message over a window that is smaller.
func TestWindowStopsInsideAMessage(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(100)
	payload := text(string(make([]byte, 200_000)))
	first := delivery(100, 0)
	for rest := payload; len(rest) > 0; {
		n := min(len(rest), 60_000)
		first.More = n < len(rest)
		p.transfer(first, rest[:n])
		rest = rest[n:]
		first = &wire.Transfer{Handle: 100}
	}
	expect[*wire.Disposition](p)
	p.receiver(1)
	size := 0
	for frame := uint32(0); ; frame++ {
		p.send(0, &wire.Flow{NextIncomingID: wire.Some(frame), IncomingWindow: 1, OutgoingWindow: 1000,
			Handle: wire.Some[uint32](1), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](1)})
		f := p.next()
		tr, ok := f.Body.(*wire.Transfer)
		if !ok {
			t.Fatalf("frame %T", f.Body)
		}
		size += len(f.Payload)
		if !tr.More {
			break
		}
	}
	if size < len(payload) {
		t.Errorf("%d bytes came, want %d and annotations", size, len(payload))
	}
}

func TestDispositionRanges(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	fill(p, 6)
	p.receiver(1)
	p.credit(1, 0, 6, false)
	for range 6 {
		expect[*wire.Transfer](p)
	}
	settle := func(first, last uint32, settled bool, state wire.DeliveryState) {
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: first, Last: wire.Some(last), Settled: settled, State: state})
	}
	answered := func(state wire.DeliveryState, want ...uint32) {
		t.Helper()
		for _, id := range want {
			if d := expect[*wire.Disposition](p); d.First != id || !d.Settled || !cmp.Equal(d.State, state) {
				t.Errorf("disposition = %+v, want %T for %d", d, state, id)
			}
		}
	}
	settle(0, 1, false, wire.Accepted{})
	answered(wire.Accepted{}, 0, 1)
	settle(2, 2, true, wire.Accepted{}) // settled by the peer: no answer
	settle(3, 3, false, &wire.Received{})
	settle(3, 3, false, &wire.Modified{})
	answered(&wire.Modified{}, 3)
	settle(1<<31, 1<<31-1, false, wire.Released{}) // all ids that there are
	answered(wire.Released{}, 4, 5)
	settle(0, 5, false, wire.Accepted{}) // all settled by now
	p.credit(1, 6, 3, false)
	var counts []uint32
	for range 3 {
		f := p.next()
		m, err := wire.Split(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		h, err := m.ParseHeader()
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, h.DeliveryCount)
	}
	if diff := cmp.Diff([]uint32{1, 0, 0}, counts); diff != "" {
		t.Errorf("delivery counts (-want +got):\n%s", diff)
	}
}

// The client for Java takes an outcome for reached only if the answer has its type,
// and those for .NET, Go and JavaScript take an error in it for a failure.
func TestAnswersAreOfTheOutcomeThatWasAskedFor(t *testing.T) {
	deadLetter := &wire.Rejected{Error: &wire.Error{
		Condition: "com.microsoft:dead-letter", Info: wire.Map{{Key: wire.Symbol("DeadLetterReason"), Value: "why"}},
	}}
	changes := wire.Map{{Key: wire.Symbol("a"), Value: int32(1)}}
	tests := []struct{ asked, want wire.DeliveryState }{
		{wire.Accepted{}, wire.Accepted{}},
		{wire.Released{}, wire.Released{}},
		{&wire.Modified{}, &wire.Modified{}},
		{&wire.Modified{DeliveryFailed: true, MessageAnnotations: changes}, &wire.Modified{DeliveryFailed: true}},
		{&wire.Modified{UndeliverableHere: true}, &wire.Modified{UndeliverableHere: true}},
		{deadLetter, &wire.Rejected{}},
		{&wire.Rejected{}, &wire.Rejected{}},
	}
	s := start(t, oneQueue)
	for _, tt := range tests {
		p := openPeer(t, s)
		p.begin()
		fill(p, 1)
		p.receiver(1)
		p.credit(1, 0, 1, false)
		expect[*wire.Transfer](p)
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: 0, State: tt.asked})
		d := expect[*wire.Disposition](p)
		if diff := cmp.Diff(tt.want, d.State); diff != "" || !d.Settled {
			t.Errorf("answer to %T (-want +got):\n%s", tt.asked, diff)
		}
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: 0, State: tt.asked}) // gone by now: no answer
		p.conn.Close()
	}
}

// TestSlowReaderHoldsNothingBack has one peer ask for everything and read
// nothing. Another receiver gets the messages that the first has no room for.
func TestSlowReaderHoldsNothingBack(t *testing.T) {
	s := start(t, oneQueue)
	slow := openPeer(t, s)
	slow.begin()
	slow.receiver(1)
	slow.credit(1, 0, 900, false)
	client := connect(t, s)
	const n, size = 300, 100_000
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = string(make([]byte, size))
	}
	send(t, client, "q", bodies...)
	r := receiver(t, client, nil)
	received := 0
	for {
		counts, err := s.Counts("q")
		if err != nil {
			t.Fatal(err)
		}
		if counts.Active == 0 {
			break
		}
		if err := r.CompleteMessage(deadline(t), receiveOne(t, r), nil); err != nil {
			t.Fatal(err)
		}
		received++
	}
	if received < n/2 {
		t.Errorf("%d of %d messages were left for a peer that reads", received, n)
	}
}
