package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Queue is where the worker takes commands from and what it tells its verdicts.
// Receive is called by one goroutine; the other methods by many at once. A
// settlement or renewal that comes too late returns an error that wraps
// [messages.ErrLockLost].
type Queue interface {
	// Receive waits for a message and returns it with at most limit-1 others.
	// It may return none without an error.
	Receive(ctx context.Context, limit int) ([]messages.Delivery, error)
	Complete(ctx context.Context, d messages.Delivery) error
	DeadLetter(ctx context.Context, d messages.Delivery, why messages.DeadLetter) error
	Abandon(ctx context.Context, d messages.Delivery) error
	RenewLock(ctx context.Context, d messages.Delivery) (time.Time, error)
}

// Options say how a worker works.
type Options struct {
	// Concurrency is how many commands are worked on at once. Default 32.
	Concurrency int
	// Numbers is the policy for numbers; its zero value takes international
	// numbers that are valid.
	Numbers phone.Policy
	// Grace is how long commands under way may go on after Run's context has
	// ended, before they are given back. Default 20 s.
	Grace time.Duration
	// Consistency is how long a read from Graph may lag behind a write. Default
	// 30 s.
	Consistency time.Duration
	// FirstPause is how long a tenant that answers 401 or 403 is left alone at
	// first; each further refusal doubles it, up to 5 minutes. Default 15 s.
	FirstPause time.Duration
	// FirstRetry is how long a command that met trouble of its own waits at first
	// before it is tried again; each further try doubles it, up to thirty times as
	// long. Default 1 s.
	FirstRetry time.Duration
	// Allow names the kinds of change that the worker may make; see
	// [Capabilities]. A command that asks for another one is refused before any
	// request. Empty means that it may make all.
	Allow []string
	// Scope says which users the worker may change. A command for another one is
	// refused. Nil means everybody.
	Scope *Scope
	// Verify reads back what a command has written, until Graph shows it or
	// Consistency has passed.
	Verify bool
	// QueueName is the queue's name for traces and metrics.
	QueueName string
	// Empty, where it is set, is asked whenever nothing has come for a while and
	// nothing is under way; when it says yes, Run returns.
	Empty func(context.Context) (bool, error)
	// Permanent tells an error of Receive that will not go away, with which Run
	// returns. Nil means that none is.
	Permanent func(error) bool
	// Report is told every outcome, once the message is settled. It is called by
	// many goroutines at once and must not block; a panic in it is logged and
	// survived. Nil means nobody is told.
	Report func(messages.Outcome)
	// Ledger, where it is set, is told before each first write what is about to
	// be changed.
	Ledger Ledger
	// OnPause, where it is set, is told of a tenant when a pause of it begins or
	// grows. It is called by many goroutines at once and must not block.
	OnPause func(tenant string)
	// Logger, TracerProvider and MeterProvider default to none and to the global
	// ones.
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// DefaultConcurrency is the default of [Options.Concurrency].
const DefaultConcurrency = 32

func (o Options) withDefaults() Options {
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Grace == 0 {
		o.Grace = 20 * time.Second
	}
	if o.Consistency == 0 {
		o.Consistency = 30 * time.Second
	}
	if o.FirstPause == 0 {
		o.FirstPause = firstPause
	}
	if o.FirstRetry == 0 {
		o.FirstRetry = firstRetry
	}
	if o.Permanent == nil {
		o.Permanent = func(error) bool { return false }
	}
	if o.Report == nil {
		o.Report = func(messages.Outcome) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var faults []error
	if o.Concurrency < 1 || o.Concurrency > 5000 {
		faults = append(faults, fmt.Errorf("concurrency is %d; it must be from 1 to 5000", o.Concurrency))
	}
	for name, d := range map[string]time.Duration{"grace": o.Grace, "consistency": o.Consistency, "first pause": o.FirstPause, "first retry": o.FirstRetry} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("%s is %v; it must not be negative", name, d))
		}
	}
	faults = append(faults, validateAllow(o.Allow))
	if err := o.Numbers.Validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Worker applies the commands of one queue to Microsoft Graph. Make one with New
// and call Run once.
type Worker struct {
	queue     Queue
	graph     *graphclient.Client
	opts      Options
	log       *slog.Logger
	telemetry *telemetry

	resolver *resolver
	scoped   *cache[ScopeDecision]
	memory   *memory
	gates    *gates
	named    *chains
	turns    *chains
	lanes    *chains

	complaints *complaints

	stopping  context.Context // over as soon as the worker stops
	receiving atomic.Bool
	underway  atomic.Int64
	commands  sync.WaitGroup
}

// New returns a worker that takes commands from the queue and applies them
// through the client.
func New(queue Queue, graph *graphclient.Client, o Options) (*Worker, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("worker options: %w", err)
	}
	t, err := newTelemetry(o)
	if err != nil {
		return nil, err
	}
	return &Worker{
		queue: queue, graph: graph, opts: o, log: o.Logger, telemetry: t,
		resolver: newResolver(), scoped: newCache[ScopeDecision](scopeKeep), memory: newMemory(o.Consistency), gates: newGates(o.FirstPause),
		named: newChains(), turns: newChains(), lanes: newChains(),
		complaints: newComplaints(o.Logger),
	}, nil
}

// Status is what a probe wants to know of a worker.
type Status struct {
	// Receiving is true while the worker takes new messages.
	Receiving bool `json:"receiving"`
	// UnderWay is how many commands are being worked on.
	UnderWay int `json:"underWay"`
	// Paused lists the tenants that refuse the application.
	Paused []string `json:"paused,omitempty"`
}

// Status tells how the worker does.
func (w *Worker) Status() Status {
	return Status{Receiving: w.receiving.Load(), UnderWay: int(w.underway.Load()), Paused: w.gates.paused()}
}
