package broker_test

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A peer that has more written than the disk takes has to wait for it, by whatever
// way, and others have not.
func TestPeersWaitForTheDisk(t *testing.T) {
	const slowly = time.Minute
	state := make([]byte, 250<<10)
	for name, attach := range map[string]func(p *peer) (payload []byte){
		"settled messages": func(p *peer) []byte {
			p.sender(0)
			return text(string(state))
		},
		"the state of a session, without a link for the answers": func(p *peer) []byte {
			p.send(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: "sessions/$management"}})
			expect[*wire.Attach](p)
			expect[*wire.Flow](p)
			request, err := wire.AppendApplicationProperties(nil, operation("com.microsoft:set-session-state"))
			if err == nil {
				request, err = wire.AppendAMQPValue(request, wire.Map{{Key: "session-id", Value: "a"}, {Key: "session-state", Value: state}})
			}
			if err != nil {
				p.t.Fatal(err)
			}
			return request
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSlowDisk(t, func(b *slowDisk) {
				session, err := b.client.AcceptSessionForQueue(forever(), "sessions", "a", nil)
				b.must(err)
				send(b, b.client, "q", "a")
				locked := receiveOne(b, receiver(b, b.client, nil))
				b.must(b.server.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Delay: slowly, Count: 1000}))
				p := newPeer(b.T, b.listener.dial())
				b.must(p.conn.SetDeadline(time.Time{}))
				p.open()
				p.begin()
				payload := attach(p)
				var sent atomic.Int64
				go func() {
					for flood(p, uint32(sent.Load()), payload, name == "settled messages") == nil && sent.Add(1) < 2000 {
					}
				}()
				go func() { _, _ = io.Copy(io.Discard, p.conn) }()
				synctest.Wait()
				if n := sent.Load() * int64(len(state)); n < 60<<20 || n > 80<<20 {
					t.Errorf("%d bytes wait for the disk", n)
				}
				begun := time.Now()
				b.must(receiver(b, b.client, nil).RenewMessageLock(forever(), locked, nil))
				b.must(session.RenewSessionLock(forever(), nil))
				if took := time.Since(begun); took >= slowly {
					t.Errorf("somebody else waited for %v", took)
				}
				p.conn.Close()
			})
		})
	}
}

// flood sends a delivery on the first link.
func flood(p *peer, id uint32, payload []byte, settled bool) error {
	tr := &wire.Transfer{DeliveryID: wire.Some(id), DeliveryTag: []byte{0}, Settled: settled}
	for len(payload) > 0 {
		n := min(len(payload), 60<<10)
		tr.More = n < len(payload)
		frame, err := wire.AppendFrame(nil, 0, tr, payload[:n])
		if err == nil {
			_, err = p.conn.Write(frame)
		}
		if err != nil {
			return err
		}
		payload, tr = payload[n:], &wire.Transfer{Settled: settled}
	}
	return nil
}
