package broker_test

import (
	"fmt"
	"sync"
	"testing"

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
