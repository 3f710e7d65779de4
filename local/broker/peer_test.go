package broker_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// peer is a hand-made AMQP client that says exactly what it is told to.
type peer struct {
	t      *testing.T
	conn   net.Conn
	reader *wire.Reader
}

// dialPeer connects a peer that has said nothing yet.
func dialPeer(t *testing.T, s *broker.Server) *peer {
	t.Helper()
	endpoint, _, _ := strings.Cut(s.ConnectionString(), ";")
	conn, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "Endpoint=sb://"))
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, reader: wire.NewReader(conn, 1<<20)}
}

// openPeer connects a peer that is authenticated by SASL PLAIN and open.
func openPeer(t *testing.T, s *broker.Server) *peer {
	t.Helper()
	p := dialPeer(t, s)
	p.open()
	return p
}

// open runs the handshake with SASL PLAIN.
func (p *peer) open() {
	p.t.Helper()
	p.header(wire.ProtocolSASL)
	expect[*wire.SASLMechanisms](p)
	p.send(0, &wire.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")})
	if out := expect[*wire.SASLOutcome](p); out.Code != wire.SASLOK {
		p.t.Fatalf("SASL outcome %d", out.Code)
	}
	p.header(wire.ProtocolAMQP)
	p.send(0, &wire.Open{ContainerID: "peer"})
	expect[*wire.Open](p)
}

// openAnonymous connects a peer without any credentials.
func openAnonymous(t *testing.T, s *broker.Server) *peer {
	t.Helper()
	p := dialPeer(t, s)
	p.header(wire.ProtocolAMQP)
	p.send(0, &wire.Open{ContainerID: "peer"})
	expect[*wire.Open](p)
	return p
}

// header sends a protocol header and demands the same back.
func (p *peer) header(id wire.ProtocolID) {
	p.t.Helper()
	p.raw(wire.AppendProtocolHeader(nil, id))
	got, err := p.reader.ReadProtocolHeader()
	if err != nil || got != id {
		p.t.Fatalf("protocol header %v, %v; want %v", got, err, id)
	}
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) send(channel uint16, body wire.Performative) {
	p.t.Helper()
	b, err := wire.AppendFrame(nil, channel, body, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(b)
}

// transfer sends one transfer frame.
func (p *peer) transfer(tr *wire.Transfer, payload []byte) {
	p.t.Helper()
	b, err := wire.AppendFrame(nil, 0, tr, payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(b)
}

// next returns the next frame that is not empty.
func (p *peer) next() wire.Frame {
	p.t.Helper()
	for {
		f, err := p.reader.ReadFrame()
		if err != nil {
			p.t.Fatalf("read frame: %v", err)
		}
		if f.Body != nil {
			return f
		}
	}
}

// expect demands that the next frame is of a type.
func expect[T wire.Performative](p *peer) T {
	p.t.Helper()
	f := p.next()
	body, ok := f.Body.(T)
	if !ok {
		p.t.Fatalf("frame %T %+v, want %T", f.Body, f.Body, body)
	}
	return body
}

// ended demands that the server has hung up.
func (p *peer) ended() {
	p.t.Helper()
	for {
		switch _, err := p.reader.ReadFrame(); {
		case err == nil:
		case errors.Is(err, io.EOF):
			return
		default:
			p.t.Fatalf("read = %v, want the end", err)
		}
	}
}

// begin starts a session on channel 0.
func (p *peer) begin() {
	p.t.Helper()
	p.send(0, &wire.Begin{IncomingWindow: 1000, OutgoingWindow: 1000})
	if b := expect[*wire.Begin](p); b.RemoteChannel.Or(99) != 0 {
		p.t.Fatalf("begin = %+v", b)
	}
}

// sender attaches a link on which the peer sends to q.
func (p *peer) sender(handle uint32) {
	p.t.Helper()
	p.send(0, &wire.Attach{Name: "sender", Handle: handle, Role: wire.RoleSender, Source: &wire.Source{}, Target: &wire.Target{Address: "q"}})
	if a := expect[*wire.Attach](p); a.Target == nil || a.Target.Address != "q" || a.Role != wire.RoleReceiver {
		p.t.Fatalf("attach = %+v", a)
	}
	if f := expect[*wire.Flow](p); f.LinkCredit.Or(0) == 0 || f.Handle.Or(99) != handle {
		p.t.Fatalf("flow = %+v", f)
	}
}

// receiver attaches a link on which the peer receives from q.
func (p *peer) receiver(handle uint32) {
	p.t.Helper()
	p.receiverOf("q", handle)
}

func (p *peer) receiverOf(queue string, handle uint32) {
	p.t.Helper()
	p.send(0, &wire.Attach{Name: queue, Handle: handle, Role: wire.RoleReceiver, Source: &wire.Source{Address: queue}, Target: &wire.Target{}})
	if a := expect[*wire.Attach](p); a.Source == nil || a.Source.Address != queue || !a.InitialDeliveryCount.Set {
		p.t.Fatalf("attach = %+v", a)
	}
}

// credit gives the server credit on a link.
func (p *peer) credit(handle, deliveryCount, credit uint32, drain bool) {
	p.t.Helper()
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some(deliveryCount), IncomingWindow: 1000, OutgoingWindow: 1000,
		Handle: wire.Some(handle), DeliveryCount: wire.Some(deliveryCount), LinkCredit: wire.Some(credit), Drain: drain,
	})
}

// delivery is a first transfer with all that it needs.
func delivery(handle, id uint32) *wire.Transfer {
	return &wire.Transfer{
		Handle: handle, DeliveryID: wire.Some(id), DeliveryTag: []byte{byte(id)}, MessageFormat: wire.Some[uint32](0),
	}
}

// text is an encoded message.
func text(s string) []byte { return wire.AppendData(nil, []byte(s)) }
