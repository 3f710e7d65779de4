package bulk

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/messages"
)

// scope is the name of this package's tracer.
const scope = "github.com/muster-mfa/muster/bulk"

// eventIDs is the name space of the ids of loaded commands.
var eventIDs = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/muster-mfa/muster/bulk"))

// EventID is the id of the command of one row of one run: always the same for
// the same three, so that a queue with duplicate detection drops what an
// interrupted load sends again, and another one for another run. It must say
// nothing about the row's content: ids appear in logs, and a hash of a number
// is as good as the number.
func EventID(tenant, run string, row int) string {
	return uuid.NewSHA1(eventIDs, []byte(tenant+"\x00"+run+"\x00"+strconv.Itoa(row))).String()
}

// stamper turns commands into events, each with a trace of its own that begins
// where the command does.
type stamper struct {
	options  Options
	tracer   trace.Tracer
	load     trace.Link // to the span of the load
	now      func() time.Time
	wire     propagation.TraceContext
	constant []attribute.KeyValue
}

func newStamper(ctx context.Context, o Options) *stamper {
	provider := o.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	return &stamper{
		options: o,
		tracer:  provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		load:    trace.LinkFromContext(ctx),
		now:     o.now(),
		constant: []attribute.KeyValue{
			semconv.MessagingSystemServiceBus,
			semconv.MessagingOperationTypeCreate,
			semconv.MessagingOperationName("create"),
			semconv.MessagingDestinationName(o.Queue),
			attribute.String("muster.tenant", o.Tenant),
			attribute.String("muster.run", o.Run),
		},
	}
}

// event wraps a command and records its creation. The span is the root of the
// command's trace: a load of a million rows must not be one trace of a million
// spans. It is linked to the load's span instead.
func (s *stamper) event(ctx context.Context, c messages.Command) messages.Event {
	c.Tenant, c.Run = s.options.Tenant, s.options.Run
	e := messages.Event{
		ID:      EventID(c.Tenant, c.Run, c.Row),
		Source:  s.options.source(),
		Time:    s.now(),
		Command: c,
	}
	ctx, span := s.tracer.Start(ctx, "create "+s.options.Queue, s.start(e)...)
	defer span.End()
	carrier := propagation.MapCarrier{}
	s.wire.Inject(ctx, carrier)
	e.TraceParent, e.TraceState = carrier["traceparent"], carrier["tracestate"]
	return e
}

func (s *stamper) start(e messages.Event) []trace.SpanStartOption {
	attributes := make([]attribute.KeyValue, 0, len(s.constant)+3)
	attributes = append(attributes, s.constant...)
	attributes = append(attributes, semconv.MessagingMessageID(e.ID), attribute.Int("muster.row", e.Command.Row))
	if s.options.UserHash != nil {
		attributes = append(attributes, semconv.UserHash(s.options.UserHash(e.Command.User)))
	}
	start := []trace.SpanStartOption{
		trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attributes...),
	}
	if s.load.SpanContext.IsValid() {
		start = append(start, trace.WithLinks(s.load))
	}
	return start
}
