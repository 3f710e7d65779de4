package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("broker: server closed")

// Server is a broker. Make one with New, and stop it with Shutdown or Close:
// it is of no use afterwards. All methods may be called from any goroutine.
type Server struct {
	options Options
	catalog catalog
	faults  faults
	memory  memory
	crossed crossings
	// transfers is the transfer dead-letter queue of every entity: for what was sent
	// by way of one in a transaction and did not arrive. There are no transactions, so
	// it is always empty; what a queue can't forward is in its dead-letter queue
	// (service-bus-dead-letter-queues, auto forward and send via).
	transfers *queue.Queue
	making    sync.Mutex   // held while an entity is made or ended
	store     *store.Store // nil without Options.Data
	stored    sync.Once    // closes it
	started   time.Time
	// configuring tells that New carries the options out.
	configuring bool

	start   sync.Once
	serving chan struct{}   // closed by the first Serve, or by a stop before it
	stop    context.Context // ends when the server stops
	cancel  context.CancelFunc
	work    sync.WaitGroup // connections and time keepers

	mu        sync.Mutex
	endpoint  string // host:port of the first listener
	stopping  bool
	timing    bool // entities' time is kept
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	requests  map[*held]bool // of the management API, while they bring a description
}

// New makes a server. The error names every fault of the options, or is that of
// Options.Data: the folder is in use, or what is in it is damaged.
func New(options Options) (*Server, error) {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("broker options: %w", err)
	}
	s := &Server{
		options:   options,
		catalog:   catalog{entities: make(map[string]*entity, len(options.Queues))},
		serving:   make(chan struct{}),
		started:   options.Now(),
		transfers: queue.New(queue.Config{LockDuration: defaultLockDuration}).DeadLetters(),
		listeners: make(map[net.Listener]bool),
		conns:     make(map[*conn]bool),
		requests:  make(map[*held]bool),
	}
	s.memory.most = options.MaxBuffered
	s.stop, s.cancel = context.WithCancel(context.Background())
	if options.Data != "" {
		var err error
		if s.store, err = store.Open(options.Data, store.Options{Logger: options.Logger, Slow: s.slowDisk}); err != nil {
			return nil, err
		}
		if err := s.restore(); err != nil {
			return nil, errors.Join(err, s.store.Close())
		}
	}
	if err := s.configure(); err != nil {
		return nil, errors.Join(fmt.Errorf("broker options: %w", err), s.closeStore())
	}
	if s.store != nil {
		// Where the disk takes nothing, the store tells the log, and all that is
		// there can be received.
		_ = s.store.Wait(s.stop, s.store.Described())
	}
	return s, nil
}

// Serve accepts connections from l, which it closes in the end, until the
// server stops or l fails. It may be called for several listeners. The error is
// never nil; it is ErrServerClosed once the server stops. The transport is plain:
// who may reach l may read along.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.admit(l) {
		return ErrServerClosed
	}
	defer s.forget(l)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.welcome(nc)
		case s.stop.Err() != nil:
			return ErrServerClosed
		case exhausted(err):
			s.options.Logger.Warn("no connection can be accepted for the moment", "error", err)
			select {
			case <-s.stop.Done():
			case <-time.After(acceptPause):
			}
		default:
			return fmt.Errorf("accept connection: %w", err)
		}
	}
}

// acceptPause is the time that is given to connections to end when the
// process has no file descriptor left for another.
const acceptPause = 100 * time.Millisecond

// exhausted tells whether accepting failed for want of resources, or because
// the one peer gave up, so that the next attempt may succeed.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
}

// admit registers a listener; it returns false when the server has stopped.
func (s *Server) admit(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listeners[l] = true
	s.start.Do(func() {
		s.endpoint = dialable(l.Addr())
		close(s.serving)
	})
	s.keepTime()
	return true
}

// keepTime begins to keep the time of the entities. The caller holds the mutex, and has
// seen that the server does not stop.
func (s *Server) keepTime() {
	if s.timing {
		return
	}
	s.timing = true
	for _, e := range s.catalog.all() {
		s.time(e)
	}
}

func (s *Server) forget(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// welcome starts a connection.
func (s *Server) welcome(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		cutOff(nc)
		return
	}
	s.keepTime() // there may be no listener but that of an http.Server
	c := newConn(s, nc)
	if n := len(s.conns); n >= s.options.MaxConnections && !s.cutHalfOpen() {
		if n >= s.options.MaxConnections+surplusConnections {
			cutOff(nc)
			return
		}
		c.surplus = true // it is told so
	}
	s.conns[c] = true
	s.work.Go(func() {
		c.serve(s.stop)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

const (
	// surplusConnections is how many connections beyond the most there may be that
	// are told so.
	surplusConnections = 100
	// halfOpenGrace is how long a connection may take for its handshake when others
	// want its place.
	halfOpenGrace = time.Second
)

// cutHalfOpen cuts off the connection that has taken the longest without coming to
// its open, so that those who only connect keep nobody out. It is false where none
// has had its grace. The caller holds the mutex.
func (s *Server) cutHalfOpen() bool {
	var slowest *conn
	for c := range s.conns {
		if !c.opened.Load() && !c.surplus && (slowest == nil || c.since.Before(slowest.since)) {
			slowest = c
		}
	}
	if slowest == nil || time.Since(slowest.since) < halfOpenGrace {
		return false
	}
	delete(s.conns, slowest) // its place is free at once
	cutOff(slowest.net)
	return true
}

// Shutdown stops accepting, tells every connection amqp:connection:forced once
// the replies to what it sent so far are out, and waits until all of them are
// gone. When ctx ends first, the rest is cut off and the error is that of ctx.
// Otherwise it is that of closing what is kept on disk.
func (s *Server) Shutdown(ctx context.Context) error {
	s.halt()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.work.Wait()
	}()
	select {
	case <-done:
		return s.closeStore()
	case <-ctx.Done():
		s.cut()
		<-done
		return errors.Join(fmt.Errorf("shut down broker: %w", ctx.Err()), s.closeStore())
	}
}

// Close cuts all connections off and waits until the last is gone. The error is
// that of closing what is kept on disk.
func (s *Server) Close() error {
	s.halt()
	s.cut()
	s.work.Wait()
	return s.closeStore()
}

// slowDisk waits where a fault asks for it.
func (s *Server) slowDisk() error {
	if delay, strikes := s.faults.strikes(FaultSlowDisk, ""); strikes {
		select {
		case <-time.After(delay):
		case <-s.stop.Done():
		}
	}
	return nil
}

// closeStore writes what is still to be written.
func (s *Server) closeStore() (err error) {
	s.stored.Do(func() {
		if s.store != nil {
			err = s.store.Close()
		}
	})
	return err
}

// halt closes the listeners and tells everything that runs to come to an end.
func (s *Server) halt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	s.start.Do(func() { close(s.serving) })
	s.cancel() // first, so that Serve knows why its listener fails
	for l := range s.listeners {
		l.Close()
	}
}

func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		cutOff(c.net)
	}
}

// ConnectionString returns what to give to azservicebus, or to any other
// Service Bus client, to reach the listener of the first Serve. It waits for
// that Serve; it returns "" when the server was stopped before. With several
// keys it names RootManageSharedAccessKey, or else the first that is good for all
// entities, or else the first and its entity.
func (s *Server) ConnectionString() string {
	<-s.serving
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endpoint == "" {
		return ""
	}
	key := s.announced()
	path := ""
	if key.Entity != "" {
		path = ";EntityPath=" + key.Entity
	}
	return fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true%s",
		s.endpoint, key.Name, key.Value, path)
}

// announced is the key of the connection string.
func (s *Server) announced() Key {
	if k := s.key(defaultKeyName); k != nil {
		return *k
	}
	for _, k := range s.options.Keys {
		if k.Entity == "" {
			return k
		}
	}
	if len(s.options.Keys) > 0 {
		return s.options.Keys[0]
	}
	return Key{Name: defaultKeyName, Value: defaultKey}
}

// dialable turns the address of a listener into one that can be dialled from
// the same machine.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Counts is how many messages a queue holds.
type Counts struct {
	Active       int // ready to be received
	Deferred     int // to be received by their sequence numbers
	Scheduled    int // sent, to be received from a later time on
	Locked       int // held by a receiver that has not settled them yet
	DeadLettered int // in the dead-letter queue, those that are held included
}

// Counts returns how many messages there are in the queue with that name, or the
// subscription with the path <topic>/Subscriptions/<name>; a topic itself holds what is
// scheduled. The error is ErrUnknownEntity.
func (s *Server) Counts(name string) (Counts, error) {
	e, ok := s.catalog.find(strings.ToLower(name))
	if !ok {
		return Counts{}, fmt.Errorf("count messages of %q: %w", name, ErrUnknownEntity)
	}
	return Counts(e.queue.Counts(s.options.Now())), nil
}
