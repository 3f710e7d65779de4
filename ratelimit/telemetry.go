package ratelimit

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/muster-mfa/muster/ratelimit"

// telemetry writes one span and one histogram value per wait. A wait that took
// no time has a span too: a trace then shows that the budget was asked.
type telemetry struct {
	waits metric.Float64Histogram
}

func newTelemetry(mp metric.MeterProvider) (telemetry, error) {
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	h, err := mp.Meter(scope).Float64Histogram("muster.budget.wait",
		metric.WithUnit("s"),
		metric.WithDescription("Time spent waiting for a tenant's budget before a request to Microsoft Graph."),
		metric.WithExplicitBucketBoundaries(0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 150, 300))
	if err != nil {
		return telemetry{}, fmt.Errorf("create budget wait histogram: %w", err)
	}
	return telemetry{waits: h}, nil
}

func (t telemetry) start(ctx context.Context, reads, writes int) (context.Context, func(time.Duration, error)) {
	kind := "read"
	if writes > 0 {
		kind = "write"
	}
	attr := attribute.String("muster.budget.kind", kind)
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, "wait budget", trace.WithAttributes(attr))
	return ctx, func(waited time.Duration, err error) {
		t.waits.Record(ctx, waited.Seconds(), metric.WithAttributes(attr))
		if span.IsRecording() {
			span.SetAttributes(attribute.Float64("muster.budget.wait", waited.Seconds()),
				attribute.Int("muster.budget.reads", reads), attribute.Int("muster.budget.writes", writes))
			if err != nil {
				span.SetStatus(codes.Error, "interrupted")
			}
		}
		span.End()
	}
}
