package worker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/messages"
)

const scope = "github.com/muster-mfa/muster/worker"

// Attributes of our own; all others follow the semantic conventions. None holds
// a number or a user principal name.
const (
	attrTenant  = attribute.Key("muster.tenant")
	attrRun     = attribute.Key("muster.run")
	attrRow     = attribute.Key("muster.row")
	attrResult  = attribute.Key("muster.result")
	attrReason  = attribute.Key("muster.reason")
	attrVerdict = attribute.Key("muster.verdict")
	attrWrites  = attribute.Key("muster.writes")
	// attrNotShown names the parts of a user that a verification did not see.
	attrNotShown = attribute.Key("muster.not_shown")
)

// telemetry writes the worker's spans and metrics.
type telemetry struct {
	queue    string
	tracer   trace.Tracer
	commands metric.Int64Counter
	duration metric.Float64Histogram
}

func newTelemetry(o Options) (*telemetry, error) {
	tracers, meters := o.TracerProvider, o.MeterProvider
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	meter := meters.Meter(scope)
	commands, err := meter.Int64Counter("muster.commands",
		metric.WithUnit("{command}"), metric.WithDescription("Commands settled, by verdict, result and reason."))
	if err != nil {
		return nil, fmt.Errorf("create command counter: %w", err)
	}
	duration, err := meter.Float64Histogram("messaging.process.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of processing one message, waiting included."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150, 300))
	if err != nil {
		return nil, fmt.Errorf("create process duration histogram: %w", err)
	}
	return &telemetry{queue: o.QueueName, tracer: tracers.Tracer(scope), commands: commands, duration: duration}, nil
}

// process starts the consumer span. Its parent is the publisher's span, so that
// a command has one trace from its publication to its settlement; the link says
// the same to tools that follow the messaging conventions' default.
func (t *telemetry) process(ctx context.Context, c *command) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(traceContext(c.delivery, c.event)))
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(c.received),
		trace.WithAttributes(
			semconv.MessagingSystemServiceBus,
			semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(t.queue),
			semconv.MessagingServiceBusMessageDeliveryCount(c.delivery.Count),
			semconv.MessagingServiceBusMessageEnqueuedTime(int(c.delivery.EnqueuedTime.Unix())),
		),
	}
	if publisher := trace.SpanContextFromContext(ctx); publisher.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: publisher}))
	}
	opts = append(opts, identity(c.delivery))
	ctx, span := t.tracer.Start(ctx, "process "+t.queue, opts...)
	if span.IsRecording() && c.faulty == nil {
		span.SetAttributes(attrTenant.String(c.tenant))
		if command := c.event.Command; command.Run != "" {
			span.SetAttributes(attrRun.String(command.Run), attrRow.Int(command.Row))
		}
	}
	_, decoding := t.tracer.Start(ctx, "decode", trace.WithTimestamp(c.received))
	if c.faulty != nil {
		decoding.SetStatus(codes.Error, judge(c.faulty, 1, false).Reason)
	}
	decoding.End()
	return ctx, span
}

// identity is the message's id, unless the publisher has put somebody's name or
// number into it.
func identity(d messages.Delivery) trace.SpanStartEventOption {
	if d.MessageID == "" || !messages.IsOpaque(d.MessageID) {
		return trace.WithAttributes()
	}
	return trace.WithAttributes(semconv.MessagingMessageID(d.MessageID))
}

// stage starts a span for one stage of the work.
func (t *telemetry) stage(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name)
}

// user notes the user's object id, once it is known.
func (t *telemetry) user(ctx context.Context, id string) {
	trace.SpanFromContext(ctx).SetAttributes(semconv.UserID(id))
}

// settle wraps the settlement in a span, except where there is none.
func (t *telemetry) settle(ctx context.Context, c *command, v Verdict, tell func(context.Context) error) error {
	disposition := v.Action.disposition()
	settling, span := t.tracer.Start(ctx, disposition+" "+t.queue, identity(c.delivery), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.MessagingSystemServiceBus,
		semconv.MessagingOperationName(disposition),
		semconv.MessagingOperationTypeSettle,
		semconv.MessagingDestinationName(t.queue),
		semconv.MessagingServiceBusDispositionStatusKey.String(disposition),
	))
	defer span.End()
	err := tell(settling)
	if err != nil {
		span.SetStatus(codes.Error, "not settled")
	}
	return err
}

// verdict notes on the consumer span and in the metrics how it ended.
func (t *telemetry) verdict(ctx context.Context, c *command, v Verdict) {
	result := string(c.outcome(ctx, v).Result)
	attrs := []attribute.KeyValue{attrVerdict.String(v.Action.disposition()), attrResult.String(result), attrReason.String(v.Reason)}
	t.commands.Add(ctx, 1, metric.WithAttributes(attrs...))
	t.duration.Record(ctx, time.Since(c.received).Seconds(), metric.WithAttributes(
		semconv.MessagingSystemServiceBus, semconv.MessagingDestinationName(t.queue), semconv.MessagingOperationName("process")))
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(append(attrs, attrWrites.Int(c.writes))...)
	switch v.Action {
	case DeadLetter:
		span.SetAttributes(semconv.ErrorTypeKey.String(v.Reason))
		span.SetStatus(codes.Error, v.Reason)
	case Nothing:
		span.SetStatus(codes.Error, "message lock lost")
	}
}

// disposition is the action in the words of the messaging conventions.
func (a Action) disposition() string {
	switch a {
	case Complete:
		return "complete"
	case DeadLetter:
		return "dead_letter"
	case GiveBack:
		return "abandon"
	}
	return "none"
}

// fold makes two spellings of a user principal name one.
func fold(user string) string { return strings.ToLower(user) }
