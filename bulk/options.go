package bulk

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Defaults of [Options].
const (
	DefaultBatchRows = 1000
	DefaultGrace     = 10 * time.Second
	DefaultSource    = "/muster/load"
)

// Options say what to load and how. Tenant, Run and Queue are required.
type Options struct {
	// Tenant is the id or a domain name of the tenant of every user of the file.
	Tenant string
	// Run is the id of the load. One file, one run: a mended rejects file is
	// another file, and under the same run its rows would have the event ids of
	// the first file's rows.
	Run string
	// Queue is the queue's name, for the spans.
	Queue string
	// Source is the CloudEvents source of the events, a URI reference. Empty:
	// [DefaultSource].
	Source string
	// Policy says which numbers are accepted.
	Policy phone.Policy
	// Modes say how rows are meant that do not say it themselves.
	Modes Modes
	// Rejects takes the rejected rows. Nil: they are only counted.
	Rejects *RejectsWriter
	// Size is the length of the file in bytes, for Progress. 0: not known.
	Size int64
	// Progress is told how far the load is, after every batch and at the end. It
	// is called by one goroutine, which waits for it.
	Progress func(Progress)
	// UserHash gives a keyed hash of a user for the spans. Nil: spans say
	// nothing about the user.
	UserHash func(user string) string
	// BatchRows is how many rows go to the Sender at once, at most. 0:
	// [DefaultBatchRows].
	BatchRows int
	// Workers is how many goroutines interpret rows. 0: one per processor.
	Workers int
	// Grace is how long a batch that is being sent may go on when the load is
	// interrupted. 0: [DefaultGrace]; negative: not at all.
	Grace time.Duration
	// TracerProvider provides the tracer. Nil: OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

func (o Options) now() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

func (o Options) source() string {
	if o.Source == "" {
		return DefaultSource
	}
	return o.Source
}

func (o Options) batchRows() int {
	if o.BatchRows == 0 {
		return DefaultBatchRows
	}
	return o.BatchRows
}

func (o Options) workers() int {
	if o.Workers == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return o.Workers
}

func (o Options) grace() time.Duration {
	if o.Grace == 0 {
		return DefaultGrace
	}
	return max(o.Grace, 0)
}

// Validate reports every fault of the options at once.
func (o Options) Validate() error {
	var faults []error
	for _, required := range []struct{ name, value string }{
		{"tenant", o.Tenant}, {"run", o.Run}, {"queue", o.Queue},
	} {
		if required.value == "" {
			faults = append(faults, fmt.Errorf("%s is required", required.name))
		}
	}
	if o.BatchRows < 0 {
		faults = append(faults, errors.New("batch rows must not be negative"))
	}
	if o.Workers < 0 {
		faults = append(faults, errors.New("workers must not be negative"))
	}
	for _, err := range []error{o.Policy.Validate(), o.Modes.Validate()} {
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 {
		faults = append(faults, o.tryEvent())
	}
	return errors.Join(faults...)
}

// tryEvent makes sure that what every event will hold can be encoded, before a
// file is read.
func (o Options) tryEvent() error {
	event := messages.Event{
		ID:     EventID(o.Tenant, o.Run, 1),
		Source: o.source(),
		Command: messages.Command{
			Tenant: o.Tenant, Run: o.Run,
			User: "someone@contoso.example", SMSSignIn: new(true),
		},
	}
	if _, err := event.Structured(); err != nil {
		return fmt.Errorf("make event: %w", err)
	}
	return nil
}
