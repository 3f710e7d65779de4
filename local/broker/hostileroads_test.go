package broker_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// road is a way to a server: over TCP, which is a pipe here, TLS, WebSocket, or both.
type road struct {
	name           string
	tls, webSocket bool
}

var roads = []road{{name: "TCP"}, {name: "TLS", tls: true}, {name: "WebSocket", webSocket: true}, {name: "WebSocket over TLS", tls: true, webSocket: true}}

// serve has the server listen at the end of the road until the test is over, and
// returns what dials it.
func (r road) serve(t *testing.T, s *broker.Server, config *tls.Config) (dial func() net.Conn) {
	t.Helper()
	ways := newPipes()
	var listener net.Listener = ways
	if r.tls {
		listener = tls.NewListener(ways, config)
	}
	done := make(chan struct{})
	site := &http.Server{Handler: s.WebSocketHandler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(done)
		if r.webSocket {
			site.Serve(listener) // until it is closed, as below
		} else {
			s.Serve(listener)
		}
	}()
	t.Cleanup(func() {
		site.Close()
		ways.Close()
		<-done
	})
	return ways.dial
}

// travel is the client's part of TLS and of the upgrade to a WebSocket.
func (r road) travel(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	if r.tls {
		conn = tlsOn(t, conn, nil)
	}
	if !r.webSocket {
		return conn
	}
	if _, err := io.WriteString(conn, upgrade); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(conn)
	resp, err := http.ReadResponse(from, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	return &webSocketPeer{Conn: conn, from: from}
}

// webSocketPeer is the client's end of a WebSocket, of which each write is a message.
type webSocketPeer struct {
	net.Conn
	from *bufio.Reader
	left uint64 // of the frame that is being read
}

// raw writes to what is under the WebSocket.
func (w *webSocketPeer) raw(b []byte) error {
	_, err := w.Conn.Write(b)
	return err
}

func (w *webSocketPeer) Write(b []byte) (int, error) {
	return len(b), w.raw(webSocketFrame(webSocketBinary, b))
}

func (w *webSocketPeer) Read(b []byte) (int, error) {
	for w.left == 0 {
		var head [10]byte
		if _, err := io.ReadFull(w.from, head[:2]); err != nil {
			return 0, err
		}
		more := map[byte]int{126: 2, 127: 8}[head[1]]
		if _, err := io.ReadFull(w.from, head[10-more:]); err != nil {
			return 0, err
		}
		if w.left = uint64(head[1]); more > 0 {
			w.left = binary.BigEndian.Uint64(head[2:]) & (1<<(8*more) - 1)
		}
		if head[0] != webSocketBinary { // a pong, or a close
			if _, err := io.CopyN(io.Discard, w.from, int64(w.left)); err != nil {
				return 0, err
			}
			w.left = 0
		}
	}
	n, err := w.from.Read(b[:min(uint64(len(b)), w.left)])
	w.left -= uint64(n)
	return n, err
}

// mischief is what a hostile peer does, and when it has been got rid of at the latest.
type mischief struct {
	name   string
	within time.Duration
	lazy   bool // it reads nothing
	only   func(road) bool
	do     func(p *peer)
}

// repeat writes something every ten seconds until there is nobody to read it.
func repeat(write func() error) {
	go func() {
		for write() == nil {
			elapse(10 * time.Second)
		}
	}()
}

// drip writes one byte after the other, ten seconds apart.
func drip(p *peer, b []byte) {
	repeat(func() error {
		if len(b) == 0 {
			return io.EOF
		}
		_, err := p.conn.Write(b[:1])
		b = b[1:]
		return err
	})
}

func attached(p *peer) {
	p.open()
	p.begin()
	p.sender(0)
}

func overWebSocketOnly(r road) bool { return r.webSocket }

// under writes to what is under a WebSocket of a peer that has a link.
func under(b []byte) func(p *peer) {
	return func(p *peer) {
		attached(p)
		if err := p.conn.(*webSocketPeer).raw(b); err != nil {
			p.t.Fatal(err)
		}
	}
}

const (
	handshake = 22 * time.Second
	silence   = 125 * time.Second
	atOnce    = 7 * time.Second // the package for WebSockets gives a control frame five
)

var emptyFrame = wire.AppendEmptyFrame(nil)

var mischiefs = []mischief{
	{name: "says nothing", within: handshake, do: func(*peer) {}},
	{name: "begins a header", within: handshake, do: func(p *peer) { p.raw([]byte("AMQP")) }},
	{name: "drips its header", within: handshake, do: func(p *peer) { drip(p, []byte("AMQP\x00\x01\x00\x00")) }},
	{name: "signs in for ever", within: handshake, do: func(p *peer) {
		p.header(wire.ProtocolSASL)
		expect[*wire.SASLMechanisms](p)
		drip(p, []byte{0, 0, 1, 0, 2, 1, 0, 0, 0, 0x53, 0x41, 0xc0})
	}},
	{name: "falls silent", within: silence, do: attached},
	{name: "drips a frame", within: silence, do: func(p *peer) {
		attached(p)
		drip(p, append([]byte{0, 0, 0xff, 0xff, 2, 0, 0, 0}, make([]byte, 1000)...))
	}},
	{name: "claims a frame of 2 GiB", within: atOnce, do: func(p *peer) {
		attached(p)
		p.raw([]byte{0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0})
		if c := expect[*wire.Close](p); c.Error == nil || c.Error.Condition != wire.CondFramingError {
			p.t.Errorf("close %+v", c.Error)
		}
	}},
	{name: "does not read", within: 65 * time.Second, lazy: true, do: func(p *peer) {
		p.open()
		p.begin()
		p.receiverOf("big", 0)
		p.credit(0, 0, 5000, false)
		repeat(func() error { _, err := p.conn.Write(emptyFrame); return err })
	}},
	{name: "pings", within: silence, only: overWebSocketOnly, do: func(p *peer) {
		attached(p)
		repeat(func() error { return p.conn.(*webSocketPeer).raw(webSocketFrame(webSocketPing, []byte("ping"))) })
	}},
	{name: "continues for ever", within: silence, only: overWebSocketOnly, do: func(p *peer) {
		under(append([]byte{0x02}, webSocketFrame(webSocketBinary, nil)[1:]...))(p)
		repeat(func() error { return p.conn.(*webSocketPeer).raw(append([]byte{0x00}, webSocketFrame(0, nil)[1:]...)) })
	}},
	{name: "begins a message of 2^62 bytes", within: silence, only: overWebSocketOnly, do: under([]byte{webSocketBinary, 0x80 | 127, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})},
	{name: "has a negative length", within: atOnce, only: overWebSocketOnly, do: under([]byte{webSocketBinary, 0x80 | 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})},
	{name: "has no mask", within: atOnce, only: overWebSocketOnly, do: under(append([]byte{webSocketBinary, 8}, emptyFrame...))},
	{name: "sends text", within: atOnce, only: overWebSocketOnly, do: under(webSocketFrame(0x81, []byte("text")))},
	{name: "closes by half", within: atOnce, only: overWebSocketOnly, do: under([]byte{webSocketClose, 0x80 | 50, 0, 0, 0, 0, 3})},
}

// everybody makes a peer for each mischief and each road.
type everybody func(with func(r road, m mischief, p *peer, raw net.Conn))

// misbehave runs f with a server and those who harm it.
func misbehave(t *testing.T, f func(t *testing.T, s *broker.Server, each everybody, listener *pipes)) {
	config := certified()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "big"}}})
		client := listener.connect(t, s)
		for range 20 * len(roads) {
			send(t, client, "big", string(make([]byte, 50_000)))
		}
		if err := client.Close(forever()); err != nil {
			t.Fatal(err)
		}
		f(t, s, func(with func(r road, m mischief, p *peer, raw net.Conn)) {
			for _, r := range roads {
				dial := r.serve(t, s, config)
				for _, m := range mischiefs {
					if m.only != nil && !m.only(r) {
						continue
					}
					raw := dial()
					p := newPeer(t, r.travel(t, raw))
					if err := raw.SetDeadline(time.Time{}); err != nil {
						t.Fatal(err)
					}
					m.do(p)
					with(r, m, p, raw)
				}
			}
		}, listener)
		elapse(15 * time.Second) // until everybody has noticed
		if got := s.Held(); got != 0 {
			t.Errorf("%d bytes are held for nobody", got)
		}
	})
}

// Whatever a peer does, and by whatever way it has come: it is got rid of in time, and
// nothing of it is left.
func TestMischief(t *testing.T) {
	misbehave(t, func(t *testing.T, s *broker.Server, each everybody, listener *pipes) {
		var waiting sync.WaitGroup
		each(func(r road, m mischief, p *peer, raw net.Conn) {
			begun := time.Now()
			waiting.Go(func() {
				if m.lazy {
					elapse(m.within)
					// A pipe takes no deadline once its other end is closed.
					if raw.SetDeadline(begun) == nil {
						t.Errorf("%s: who %s is still there", r.name, m.name)
					}
				} else if _, err := io.Copy(io.Discard, p.conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: who %s: %v", r.name, m.name, err)
				}
				if took := time.Since(begun); took > m.within {
					t.Errorf("%s: who %s was there for %v", r.name, m.name, took)
				}
				raw.Close()
			})
		})
		waiting.Wait()
		client := listener.connect(t, s)
		send(t, client, "q", "a")
		receiveOne(t, receiver(t, client, nil))
		if err := client.Close(forever()); err != nil {
			t.Error(err)
		}
	})
}

// Nobody keeps the server from its end, whatever they are at.
func TestMischiefAtTheEnd(t *testing.T) {
	for name, end := range map[string]func(*broker.Server) error{
		"shutdown": func(s *broker.Server) error { return s.Shutdown(forever()) },
		"close":    (*broker.Server).Close,
	} {
		t.Run(name, func(t *testing.T) {
			misbehave(t, func(t *testing.T, s *broker.Server, each everybody, _ *pipes) {
				each(func(_ road, m mischief, p *peer, _ net.Conn) {
					if !m.lazy {
						go func() { _, _ = io.Copy(io.Discard, p.conn) }()
					}
				})
				begun := time.Now()
				if err := end(s); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// Peers whose handshake comes to nothing keep nobody out, by whatever way they come.
func TestHalfOpenConnectionsOfEveryKindKeepNobodyOut(t *testing.T) {
	config := certified()
	for _, r := range roads {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := newPipes()
				s := startOn(t, listener, broker.Options{Queues: oneQueue.Queues, MaxConnections: 5})
				dial := r.serve(t, s, config)
				for range 5 {
					silent := dial()
					t.Cleanup(func() { silent.Close() })
					var err error
					if r.webSocket {
						_, err = r.travel(t, silent).Write([]byte("AMQP"))
					} else {
						_, err = silent.Write([]byte{22, 3, 1, 0}) // as TLS begins
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				elapse(2 * time.Second)
				client := listener.connect(t, s)
				send(t, client, "q", "a")
				receiveOne(t, receiver(t, client, nil))
			})
		})
	}
}
