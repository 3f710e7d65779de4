package broker_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// script collects what a peer says in a whole connection, without waiting for
// answers.
type script []byte

func (s *script) frame(channel uint16, p wire.Performative, payload []byte) {
	b, err := wire.AppendFrame(*s, channel, p, payload)
	if err != nil {
		panic(err)
	}
	*s = b
}

// opened is a script up to a session on channel 0.
func opened() script {
	s := script(wire.AppendProtocolHeader(nil, wire.ProtocolSASL))
	s.frame(0, &wire.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")}, nil)
	s = wire.AppendProtocolHeader(s, wire.ProtocolAMQP)
	s.frame(0, &wire.Open{ContainerID: "fuzz", IdleTimeout: wire.Some[uint32](30000)}, nil)
	s.frame(0, &wire.Begin{IncomingWindow: 5000, OutgoingWindow: 5000}, nil)
	return s
}

// closed ends a script in order.
func (s script) closed() []byte {
	s.frame(0, &wire.End{}, nil)
	s.frame(0, &wire.Close{}, nil)
	return s
}

// queueScript sends, receives and settles in all ways.
func queueScript() []byte {
	s := opened()
	s.frame(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: "q"}}, nil)
	for i := range uint32(6) {
		s.frame(0, delivery(0, i), text("message"))
	}
	batch := delivery(0, 6)
	batch.MessageFormat = wire.Some(wire.MessageFormatBatch)
	s.frame(0, batch, wire.AppendData(wire.AppendData(nil, text("one")), text("two")))
	s.frame(0, &wire.Attach{Name: "r", Handle: 1, Role: wire.RoleReceiver, RcvSettleMode: wire.Some(wire.ReceiverSecond), Source: &wire.Source{Address: "q"}}, nil)
	s.frame(0, &wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 100, OutgoingWindow: 100,
		Handle: wire.Some[uint32](1), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](20), Drain: true}, nil)
	for i, state := range []wire.DeliveryState{
		wire.Accepted{}, wire.Released{}, &wire.Modified{DeliveryFailed: true},
		&wire.Rejected{Error: &wire.Error{Condition: "com.microsoft:dead-letter", Info: wire.Map{{Key: wire.Symbol("DeadLetterReason"), Value: "r"}}}},
		&wire.Received{}, wire.Described{Descriptor: uint64(0x34), Value: wire.List{[]byte("txn")}},
	} {
		s.frame(0, &wire.Disposition{Role: wire.RoleReceiver, First: uint32(i), State: state}, nil)
	}
	s.frame(0, &wire.Detach{Handle: 1, Closed: true}, nil)
	return s.closed()
}

// rpcScript asks a node something.
func rpcScript(node string, application wire.Map, body any) []byte {
	s := opened()
	s.frame(0, &wire.Attach{Name: "r", Handle: 0, Role: wire.RoleReceiver, Source: &wire.Source{Address: node}, Target: &wire.Target{Address: "me"}}, nil)
	s.frame(0, &wire.Attach{Name: "s", Handle: 1, Role: wire.RoleSender, Target: &wire.Target{Address: node}}, nil)
	s.frame(0, &wire.Flow{IncomingWindow: 100, OutgoingWindow: 100, Handle: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](10)}, nil)
	p := wire.Properties{MessageID: "1", ReplyTo: wire.Some("me")}
	request, err := p.AppendBinary(nil)
	if err == nil {
		request, err = wire.AppendApplicationProperties(request, application)
	}
	if err == nil {
		request, err = wire.AppendAMQPValue(request, body)
	}
	if err != nil {
		panic(err)
	}
	s.frame(0, delivery(1, 0), request)
	return s.closed()
}

// sessionScript accepts a session by name and the next one, receives, defers and
// gives back.
func sessionScript() []byte {
	s := opened()
	s.frame(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: "sessions"}}, nil)
	p := wire.Properties{GroupID: wire.Some("a")}
	message, err := p.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	for i := range uint32(3) {
		s.frame(0, delivery(0, i), wire.AppendData(message, []byte("m")))
	}
	for i, filter := range []any{"a", nil} {
		accept := acceptFrame(uint32(i+1), filter)
		accept.Source.Address = "sessions"
		accept.RcvSettleMode = wire.Some(wire.ReceiverSecond)
		s.frame(0, accept, nil)
		s.frame(0, &wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 100, OutgoingWindow: 100,
			Handle: wire.Some(uint32(i + 1)), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](20)}, nil)
	}
	s.frame(0, &wire.Disposition{Role: wire.RoleReceiver, First: 0, State: &wire.Modified{UndeliverableHere: true}}, nil)
	s.frame(0, &wire.Detach{Handle: 1, Closed: true}, nil)
	s.frame(0, &wire.Detach{Handle: 2, Closed: true}, nil)
	return s.closed()
}

// topicScript sends to a topic.
func topicScript() []byte {
	s := opened()
	s.frame(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: "t"}}, nil)
	message, err := wire.AppendApplicationProperties(nil, wire.Map{{Key: "n", Value: int64(1)}})
	if err != nil {
		panic(err)
	}
	s.frame(0, delivery(0, 0), wire.AppendData(message, []byte("m")))
	return s.closed()
}

// fuzzed are options with an entity of every kind.
var fuzzed = broker.Options{
	Queues: []broker.Queue{
		{Name: "q", RequiresDuplicateDetection: true}, {Name: "sessions", RequiresSession: true}, {Name: "on", ForwardTo: "q"},
	},
	Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		{Name: "s", Rules: []broker.Rule{{Name: "r", SQL: "n > 0 AND sys.Label IS NULL", Action: "SET n = n + 1; SET sys.Label = 'x'"}}},
	}}},
}

// timeless knows no deadlines. Those of a pipe outlive it, and its memory with them.
type timeless struct{ net.Conn }

func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }

// FuzzConnection gives a server whatever bytes a peer may send from the first
// to the last.
func FuzzConnection(f *testing.F) {
	for _, script := range scripts() {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, data []byte) { listenTo(t, fuzzed, data) })
}

// FuzzConnectionOnDisk does the same to a server that keeps what it has on disk, and
// has a second one find it there.
func FuzzConnectionOnDisk(f *testing.F) {
	for _, script := range scripts() {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		options := fuzzed
		options.Data = t.TempDir()
		listenTo(t, options, data)
		listenTo(t, options, sessionScript())
	})
}

// scripts are the seeds of whole connections.
func scripts() [][]byte {
	return [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		wire.AppendProtocolHeader(nil, wire.ProtocolAMQP),
		queueScript(),
		rpcScript("$cbs", append(operation("put-token"), wire.Pair{Key: "type", Value: "servicebus.windows.net:sastoken"}), "SharedAccessSignature sr=a&sig=b&se=1&skn=c"),
		rpcScript("q/$management", operation("com.microsoft:renew-lock"), wire.Map{{Key: "lock-tokens", Value: wire.ArrayOf(wire.UUID{1})}}),
		rpcScript("q/$management", operation("com.microsoft:peek-message"),
			wire.Map{{Key: "from-sequence-number", Value: int64(1)}, {Key: "message-count", Value: int32(5)}}),
		rpcScript("q/$management", operation("com.microsoft:receive-by-sequence-number"),
			wire.Map{{Key: "sequence-numbers", Value: wire.ArrayOf(int64(1))}, {Key: "receiver-settle-mode", Value: uint32(1)}}),
		rpcScript("q/$management", operation("com.microsoft:schedule-message"),
			wire.Map{{Key: "messages", Value: wire.List{wire.Map{{Key: "message", Value: text("later")}}}}}),
		rpcScript("sessions/$management", operation("com.microsoft:set-session-state"),
			wire.Map{{Key: "session-id", Value: "a"}, {Key: "session-state", Value: []byte("x")}}),
		sessionScript(),
		topicScript(),
	}
}

// listenTo has a new server hear a connection from the first byte to the last, and
// returns what it says. The server must neither panic nor hang, must let go of the
// connection and of all that it has begun for it, and take memory in proportion.
func listenTo(t *testing.T, options broker.Options, data []byte) []byte {
	t.Helper()
	before, allocated := runtime.NumGoroutine(), allocations()
	listener := newPipes()
	s, err := broker.New(options)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(listener) }()
	conn, theirs := net.Pipe()
	listener.conns <- timeless{theirs}
	var said []byte
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		said, _ = io.ReadAll(conn)
	}()
	_, _ = conn.Write(data) // the server may hang up at any byte
	conn.Close()
	<-answered
	if err := s.Shutdown(deadline(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	<-served
	if n := s.Held(); n != 0 {
		t.Errorf("%d bytes are held for a connection that is gone", n)
	}
	for n := 0; runtime.NumGoroutine() > before; n++ {
		if n == 1_000_000 {
			all := make([]byte, 1<<20)
			t.Fatalf("%d goroutines were %d before:\n%s", runtime.NumGoroutine(), before, all[:runtime.Stack(all, true)])
		}
		runtime.Gosched()
	}
	if took, most := allocations()-allocated, uint64(64<<20+2000*len(data)); took > most {
		t.Errorf("%d bytes were allocated for %d, want at most %d", took, len(data), most)
	}
	return said
}

// allocations returns how many bytes the process has allocated so far.
func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
