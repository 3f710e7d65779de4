package bulk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/bulk"
)

func TestLoadSpans(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	o := options()
	o.TracerProvider = provider
	o.UserHash = func(user string) string { return "hash-of-" + strings.Repeat("x", len(user)) }
	q := &queue{t: t}
	ctx, load := provider.Tracer("test").Start(t.Context(), "load")
	text := "UPN,Mobile\nanna@contoso.example,0612345678\nbob@contoso.example,9\ncarl@contoso.example,-\n"
	if _, err := bulk.Load(ctx, open(t, text), q, o); err != nil {
		t.Fatalf("Load: %v", err)
	}

	spans := exporter.GetSpans()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want one per command, 2", len(spans))
	}
	for i, span := range spans {
		event := q.events[i]
		if span.Name != "create commands" || span.SpanKind != trace.SpanKindProducer {
			t.Errorf("span %q of kind %s, want \"create commands\", producer", span.Name, span.SpanKind)
		}
		parent := "00-" + span.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
		if event.TraceParent != parent {
			t.Errorf("traceparent %s, want %s", event.TraceParent, parent)
		}
		if span.Parent.IsValid() || span.SpanContext.TraceID() == load.SpanContext().TraceID() {
			t.Error("the command has no trace of its own")
		}
		if len(span.Links) != 1 || span.Links[0].SpanContext.SpanID() != load.SpanContext().SpanID() {
			t.Error("the span is not linked to the load's")
		}
		got := make(map[string]any)
		for _, a := range span.Attributes {
			got[string(a.Key)] = a.Value.AsInterface()
		}
		if diff := cmp.Diff(map[string]any{
			"messaging.system":           "servicebus",
			"messaging.operation.type":   "create",
			"messaging.operation.name":   "create",
			"messaging.destination.name": "commands",
			"messaging.message.id":       event.ID,
			"muster.tenant":              "contoso.example",
			"muster.run":                 "r1",
			"muster.row":                 int64(event.Command.Row),
			"user.hash":                  "hash-of-xxxxxxxxxxxxxxxxxxxx",
		}, got); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
	}
	if spans[0].SpanContext.TraceID() == spans[1].SpanContext.TraceID() {
		t.Error("two commands share a trace")
	}
}
