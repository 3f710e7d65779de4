package worker_test

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/ratelimit"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

const (
	queueName = "commands"
	domain    = "contoso.example"
	// tooLong is when a test that hangs gives up. No test waits for it.
	tooLong = 90 * time.Second
)

// config is what a test wants to be different from a well-behaved day: no
// faults, no quota, no lag.
type config struct {
	users  []tenant.User
	tenant tenant.Options
	worker worker.Options
	graph  graphclient.Options
	budget ratelimit.Options
	// lock is the queue's lock duration; zero means the broker's default.
	lock time.Duration
	// queue wraps what the worker takes its commands from.
	queue func(worker.Queue) worker.Queue
}

// rig is everything that a worker works with, in one process: a broker, a
// tenant, and the recorders of what comes out. When the test ends it looks for
// personal data in all of it.
type rig struct {
	t        *testing.T
	config   config
	broker   *broker.Server
	tenant   *tenant.Tenant
	front    *front
	endpoint string
	client   *graphclient.Client
	address  *servicebus.Namespace
	sender   *servicebus.Sender
	source   *servicebus.Source
	log      *journal
	spans    *tracetest.SpanRecorder
	tracers  *sdktrace.TracerProvider
	metrics  *sdkmetric.ManualReader
	meters   *sdkmetric.MeterProvider

	published []messages.Event
	foreign   []string // secrets in what was sent without publish

	line *line

	mu       sync.Mutex
	outcomes []messages.Outcome // guarded by mu; in the order of settlement
	awaited  int                // guarded by mu; outcomes
}

func newRig(t *testing.T, c config) *rig {
	t.Helper()
	r := &rig{t: t, config: c, log: newJournal(), line: &line{next: 1, counts: make(map[string][]int)}}
	r.spans = tracetest.NewSpanRecorder()
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	r.metrics = sdkmetric.NewManualReader()
	r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics))
	r.startTenant()
	r.startBroker()
	t.Cleanup(r.checkSecrecy)
	return r
}

func (r *rig) startTenant() {
	r.t.Helper()
	o := r.config.tenant
	o.Users = r.config.users
	if o.Quota == "" {
		o.Quota = tenant.QuotaUnlimited
	}
	if o.Faults == "" {
		o.Faults = tenant.FaultsNone
	}
	r.tenant = must(tenant.New(o))(r.t)
	r.front = newFront(r.t, r.tenant)
	server := httptest.NewServer(r.front)
	r.t.Cleanup(server.Close)
	r.endpoint = server.URL
	r.openGraph()
}

// openGraph makes a client of Graph with budgets of its own, as a new process
// would have.
func (r *rig) openGraph() {
	r.t.Helper()
	limits := r.config.budget
	if limits.ReadsPerSecond == 0 {
		limits.ReadsPerSecond = ratelimit.Unlimited
	}
	if limits.WritesPerSecond == 0 {
		limits.WritesPerSecond = ratelimit.Unlimited
	}
	limits.MeterProvider = r.meters
	g := r.config.graph
	g.Endpoint = r.endpoint
	g.Limiter = must(ratelimit.New(limits))(r.t)
	g.TracerProvider, g.MeterProvider, g.Logger = r.tracers, r.meters, r.log.logger()
	r.client = must(graphclient.New(g))(r.t)
	r.t.Cleanup(r.client.Close)
}

func (r *rig) startBroker() {
	r.t.Helper()
	r.broker = must(broker.New(broker.Options{Queues: []broker.Queue{{Name: queueName, LockDuration: r.config.lock}}}))(r.t)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(r.t)
	served := make(chan error, 1)
	go func() { served <- r.broker.Serve(listener) }()
	r.t.Cleanup(func() {
		if err := r.broker.Close(); err != nil {
			r.t.Errorf("close broker: %v", err)
		}
		<-served
	})
	r.address = must(servicebus.Open(servicebus.Options{Address: r.broker.ConnectionString()}))(r.t)
	r.sender = must(r.address.Sender(queueName))(r.t)
	r.source = must(r.address.Source(queueName))(r.t)
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), tooLong)
		defer cancel()
		for name, end := range map[string]func(context.Context) error{"source": r.source.Close, "sender": r.sender.Close} {
			if err := end(ctx); err != nil {
				r.t.Errorf("close %s: %v", name, err)
			}
		}
		if err := r.address.Close(ctx); err != nil {
			r.t.Errorf("close namespace: %v", err)
		}
	})
}

// publish sends the commands as an upstream system would, each under a span of
// its publisher, and returns the events' ids.
func (r *rig) publish(commands ...messages.Command) []string {
	r.t.Helper()
	events := make([]messages.Event, len(commands))
	ids := make([]string, len(commands))
	for i, c := range commands {
		ids[i] = fmt.Sprintf("command-%d", len(r.published)+i+1)
		if c.Tenant == "" {
			c.Tenant = domain
		}
		ctx, span := r.tracers.Tracer("test").Start(r.t.Context(), "send "+queueName, trace.WithSpanKind(trace.SpanKindProducer))
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		span.End()
		events[i] = messages.Event{ID: ids[i], Source: "https://hr.contoso.example/joiners", Command: c, TraceParent: carrier["traceparent"]}
	}
	r.published = append(r.published, events...)
	r.await(len(events))
	if sent, err := r.sender.Send(r.t.Context(), events); err != nil || sent != len(events) {
		r.t.Fatalf("sent %d of %d commands: %v", sent, len(events), err)
	}
	return ids
}

// send puts a message into the queue as it is.
func (r *rig) send(id string, e messages.Encoded) {
	r.t.Helper()
	if err := r.sender.SendEncoded(r.t.Context(), id, e); err != nil {
		r.t.Fatal(err)
	}
	r.await(1)
}

func (r *rig) await(outcomes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited += outcomes
}

// newWorker makes a worker that stops when the queue is empty, and calls done
// when all that was published has an outcome.
func (r *rig) newWorker(done func()) *worker.Worker {
	r.t.Helper()
	o := r.config.worker
	o.QueueName = queueName
	o.Numbers.Strictness = phone.Possible // numbers reserved for fiction are in no numbering plan
	o.Empty = r.source.Empty
	o.Logger, o.TracerProvider, o.MeterProvider = r.log.logger(), r.tracers, r.meters
	if o.FirstRetry == 0 {
		o.FirstRetry = 50 * time.Millisecond
	}
	report := o.Report
	o.Report = func(outcome messages.Outcome) {
		r.mu.Lock()
		r.outcomes = append(r.outcomes, outcome)
		all := len(r.outcomes) == r.awaited
		r.mu.Unlock()
		if all {
			done()
		}
		if report != nil {
			report(outcome)
		}
	}
	var queue worker.Queue = inLine{r.source, r.line}
	if r.config.queue != nil {
		queue = r.config.queue(queue)
	}
	return must(worker.New(queue, r.client, o))(r.t)
}

// work runs a worker until the queue is empty. There is no need to wait until the
// worker sees that: it is stopped once all that was published has an outcome.
func (r *rig) work() {
	r.t.Helper()
	r.start().wait()
}

// shift is a worker at work.
type shift struct {
	t      *testing.T
	worker *worker.Worker
	stop   context.CancelFunc
	done   chan error
}

func (r *rig) start() *shift {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &shift{t: r.t, worker: r.newWorker(cancel), stop: cancel, done: make(chan error, 1)}
	go func() {
		defer cancel()
		s.done <- s.worker.Run(ctx)
	}()
	r.t.Cleanup(cancel)
	return s
}

// startAwaiting starts a worker, and returns once it has reported as many outcomes.
func (r *rig) startAwaiting(outcomes int) *shift {
	r.t.Helper()
	reported := make(chan struct{}, outcomes)
	r.config.worker.Report = func(messages.Outcome) {
		select {
		case reported <- struct{}{}:
		default: // more than was waited for
		}
	}
	s := r.start()
	for n := range outcomes {
		select {
		case <-reported:
		case <-time.After(tooLong):
			r.t.Fatalf("%d outcomes come, want %d; status %+v", n, outcomes, s.worker.Status())
		}
	}
	return s
}

// wait returns when Run has.
func (s *shift) wait() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("Run returned %v, want no error", err)
		}
	case <-time.After(tooLong):
		s.t.Fatalf("Run does not return; status %+v", s.worker.Status())
	}
}

// outcome is what was reported of the command, which must be one.
func (r *rig) outcome(id string) messages.Outcome {
	r.t.Helper()
	var found []messages.Outcome
	for _, o := range r.reported() {
		if o.CommandID == id {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("%s has %d outcomes, want one: %+v", id, len(found), found)
	}
	return found[0]
}

func (r *rig) reported() []messages.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.outcomes)
}

// wantResults checks that each command had one outcome, and which.
func (r *rig) wantResults(want messages.Result, ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		if got := r.outcome(id); got.Result != want {
			r.t.Errorf("%s: %s (%s), want %s", id, got.Result, got.Reason, want)
		}
	}
}

// wantDeliveries checks that each command was handed out so many times in a row,
// counted from one.
func (r *rig) wantDeliveries(want int, ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		if got := r.line.countsOf(id); len(got) != want || got[len(got)-1] != want {
			r.t.Errorf("%s: delivery counts %v, want up to %d", id, got, want)
		}
	}
}

// wantQueue checks what the queue holds once nobody has anything in hand.
func (r *rig) wantQueue(want broker.Counts) {
	r.t.Helper()
	got, err := r.broker.Counts(queueName)
	if err != nil {
		r.t.Fatal(err)
	}
	if got != want {
		r.t.Errorf("queue holds %+v, want %+v", got, want)
	}
}

// deadLetters returns them by message id.
func (r *rig) deadLetters() map[string]servicebus.DeadLetter {
	r.t.Helper()
	letters := make(map[string]servicebus.DeadLetter)
	for d, err := range r.address.DeadLetters(context.Background(), queueName) {
		if err != nil {
			r.t.Fatalf("look at dead letters: %v", err)
		}
		letters[d.MessageID] = d
	}
	return letters
}

// user is what the directory really holds of a user.
func (r *rig) user(name string) tenant.User {
	r.t.Helper()
	for _, u := range r.tenant.Snapshot() {
		if u.UserPrincipalName == upn(name) {
			return u
		}
	}
	r.t.Fatalf("no user %s", name)
	return tenant.User{}
}

// upn is a name that is found nowhere by chance.
func upn(name string) string { return name + ".muster-test@" + domain }

// number is the i-th number reserved for fiction, in Graph's form.
func number(i int) string { return fmt.Sprintf("+1 %d55501%02d", 201+i/100, i%100) }

func mobile(n string) messages.Phones { return messages.Phones{messages.Mobile: n} }

// people are n users without any method, and their names.
func people(n int) ([]tenant.User, []string) {
	users, names := make([]tenant.User, n), make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("person%03d", i)
		users[i] = tenant.User{UserPrincipalName: upn(names[i])}
	}
	return users, names
}

// must turns the error of a set-up into the end of the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
