// Package ratelimit keeps everything that one process sends to Microsoft Graph
// inside what each tenant allows.
//
// A tenant has one budget, shared by all who send to it: a rate for reads and a
// rate for writes, both token buckets of golang.org/x/time/rate. A Retry-After
// halts the whole tenant at once, and leaves its buckets half of what they held:
// a tenant that throttles again and again soon gets no more than the rate.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"
)

// Unlimited, as a rate, takes the bucket away. Only a Retry-After then holds
// anybody back.
const Unlimited = math.MaxFloat64

// Defaults. Microsoft publishes 3,000 writes in 150 s for one application in
// one tenant, hence 20 a second after a burst, and 3,500 resource units in 10 s
// for the smallest tenants, a read being one ("Microsoft Graph service-specific
// throttling limits", Identity and access service limits). The rates stay a
// little below both, and the burst of writes takes a third of what may be there.
const (
	DefaultReadsPerSecond  = 300
	DefaultReadBurst       = 300
	DefaultWritesPerSecond = 18
	DefaultWriteBurst      = 1000
)

// Options say what a tenant is assumed to allow.
type Options struct {
	// ReadsPerSecond and WritesPerSecond are the sustained rates. Zero means the
	// default, [Unlimited] none.
	ReadsPerSecond, WritesPerSecond float64
	// ReadBurst and WriteBurst are how many requests may go at once after a
	// quiet time. Zero means the default.
	ReadBurst, WriteBurst int
	// MeterProvider receives the histogram muster.budget.wait; nil means the
	// global one.
	MeterProvider metric.MeterProvider
}

func (o Options) withDefaults() Options {
	if o.ReadsPerSecond == 0 {
		o.ReadsPerSecond = DefaultReadsPerSecond
	}
	if o.WritesPerSecond == 0 {
		o.WritesPerSecond = DefaultWritesPerSecond
	}
	if o.ReadBurst == 0 {
		o.ReadBurst = DefaultReadBurst
	}
	if o.WriteBurst == 0 {
		o.WriteBurst = DefaultWriteBurst
	}
	return o
}

func (o Options) validate() error {
	var faults []error
	for name, v := range map[string]float64{"reads per second": o.ReadsPerSecond, "writes per second": o.WritesPerSecond} {
		if v < 0 || math.IsNaN(v) {
			faults = append(faults, fmt.Errorf("%s is %v; it must be positive", name, v))
		}
	}
	for name, v := range map[string]int{"read burst": o.ReadBurst, "write burst": o.WriteBurst} {
		if v < 0 {
			faults = append(faults, fmt.Errorf("%s is %d; it must be positive", name, v))
		}
	}
	return errors.Join(faults...)
}

// Budgets holds one budget per tenant. It is safe for concurrent use.
type Budgets struct {
	opts      Options
	telemetry telemetry

	mu      sync.Mutex
	tenants map[string]*budget // guarded by mu
}

// New returns budgets that assume of every tenant what o says.
func New(o Options) (*Budgets, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("rate limit options: %w", err)
	}
	t, err := newTelemetry(o.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &Budgets{opts: o, telemetry: t, tenants: make(map[string]*budget)}, nil
}

// Wait returns when so many reads and writes may be sent to the tenant, or with
// the context's cause when that ends first. A request counts once, as a read or
// as a write; a batch counts each of its parts.
func (b *Budgets) Wait(ctx context.Context, tenant string, reads, writes int) error {
	ctx, done := b.telemetry.start(ctx, reads, writes)
	waited, err := b.tenant(tenant).wait(ctx, reads, writes)
	done(waited, err)
	if err != nil {
		return fmt.Errorf("wait for the tenant's budget: %w", err)
	}
	return nil
}

// Halt keeps everybody from sending to the tenant for d. Of several halts the
// one that ends last counts.
func (b *Budgets) Halt(tenant string, d time.Duration) {
	b.tenant(tenant).halt(time.Now(), d)
}

// HaltedFor is how long the tenant is still halted; zero if it is not.
func (b *Budgets) HaltedFor(tenant string) time.Duration {
	return b.tenant(tenant).haltedFor(time.Now())
}

func (b *Budgets) tenant(name string) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tenants[name]
	if t == nil {
		t = newBudget(b.opts)
		b.tenants[name] = t
	}
	return t
}

func limit(perSecond float64) rate.Limit {
	if perSecond == Unlimited {
		return rate.Inf
	}
	return rate.Limit(perSecond)
}
