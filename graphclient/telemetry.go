package graphclient

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"
)

const scopeName = "github.com/muster-mfa/muster/graphclient"

// The attributes that OpenTelemetry's HTTP conventions have no name for.
const (
	keyVersion         = attribute.Key("muster.graph.version")
	keyRequestID       = attribute.Key("muster.graph.request_id")
	keyClientRequestID = attribute.Key("muster.graph.client_request_id")
	keyCode            = attribute.Key("muster.graph.error_code")
	keyResourceUnits   = attribute.Key("muster.graph.resource_units")
	keyThrottleScope   = attribute.Key("muster.graph.throttle_scope")
	keyBatchSize       = attribute.Key("muster.graph.batch_size")
)

// telemetry is how a client shows what it does. Nothing in it ever sees a body
// or a path that has not been redacted.
type telemetry struct {
	tracer    trace.Tracer
	duration  httpconv.ClientRequestDuration
	throttles metric.Int64Counter
	log       *slog.Logger
	host      string
	port      int
}

func newTelemetry(endpoint *url.URL, o Options) (*telemetry, error) {
	tp, mp := o.TracerProvider, o.MeterProvider
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	meter := mp.Meter(scopeName)
	duration, err := httpconv.NewClientRequestDuration(meter)
	if err != nil {
		return nil, fmt.Errorf("create duration histogram: %w", err)
	}
	throttles, err := meter.Int64Counter("muster.graph.throttled",
		metric.WithUnit("{answer}"), metric.WithDescription("Answers by which Microsoft Graph asked to wait."))
	if err != nil {
		return nil, fmt.Errorf("create throttle counter: %w", err)
	}
	t := &telemetry{
		tracer: tp.Tracer(scopeName), duration: duration, throttles: throttles,
		log: o.Logger, host: endpoint.Hostname(), port: 443,
	}
	if p, err := strconv.Atoi(endpoint.Port()); err == nil {
		t.port = p
	} else if endpoint.Scheme == "http" {
		t.port = 80
	}
	return t, nil
}

// attemptTrace is one attempt under observation.
type attemptTrace struct {
	tel   *telemetry
	span  trace.Span
	began time.Time
}

// start opens the span of one attempt (OpenTelemetry semantic conventions, HTTP
// client spans).
func (t *telemetry) start(ctx context.Context, base string, k call, clientRequestID string, resends int) (context.Context, attemptTrace) {
	attrs := append(make([]attribute.KeyValue, 0, 10),
		semconv.HTTPRequestMethodKey.String(k.method),
		semconv.ServerAddress(t.host),
		semconv.ServerPort(t.port),
		semconv.URLFull(k.urlTold(base)),
		semconv.URLTemplate(k.place.template),
		keyVersion.String(string(k.version)),
		keyClientRequestID.String(clientRequestID),
	)
	if resends > 0 {
		attrs = append(attrs, semconv.HTTPRequestResendCount(resends))
	}
	if k.parts > 0 {
		attrs = append(attrs, keyBatchSize.Int(k.parts))
	}
	ctx, span := t.tracer.Start(ctx, k.method+" "+k.place.template,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, attemptTrace{tel: t, span: span, began: time.Now()}
}

// end closes the span, and tells metrics and log of the same attempt.
func (a attemptTrace) end(ctx context.Context, k call, r reply) {
	took := time.Since(a.began)
	attrs := make([]attribute.KeyValue, 0, 6)
	if r.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(r.status))
	}
	if kind := errorType(r); kind != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(kind))
		a.span.SetStatus(codes.Error, kind)
	}
	if a.span.IsRecording() {
		a.span.SetAttributes(attrs...)
		a.span.SetAttributes(replyAttributes(r)...)
	}
	a.span.End()
	a.tel.duration.Record(ctx, took.Seconds(), httpconv.RequestMethodAttr(k.method), a.tel.host, a.tel.port,
		append(attrs, semconv.URLTemplate(k.place.template))...)
	a.tel.log.LogAttrs(ctx, slog.LevelDebug, "graph request",
		slog.String("method", k.method), slog.String("template", k.place.template), slog.Int("status", r.status),
		slog.String("error", errorType(r)), slog.String("code", r.problem.code()), slog.Duration("took", took),
		slog.String("request_id", r.requestID()), slog.String("client_request_id", r.clientRequestID))
}

// replyAttributes are those that only Graph's replies have.
func replyAttributes(r reply) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 4)
	if id := r.requestID(); id != "" {
		attrs = append(attrs, keyRequestID.String(id))
	}
	if code := r.problem.code(); code != "" {
		attrs = append(attrs, keyCode.String(code))
	}
	if units, err := strconv.Atoi(r.header.Get("x-ms-resource-unit")); err == nil {
		attrs = append(attrs, keyResourceUnits.Int(units))
	}
	if scope := throttleScope(r.header); scope != "" {
		attrs = append(attrs, keyThrottleScope.String(scope))
	}
	return attrs
}

// errorType is the value of error.type: the status, or the kind of transport
// error. It is empty for a success.
func errorType(r reply) string {
	switch {
	case r.err == nil && r.status < 400:
		return ""
	case r.err == nil:
		return strconv.Itoa(r.status)
	case isTimeout(r.err):
		return "timeout"
	}
	return fmt.Sprintf("%T", r.err)
}

// throttled counts an answer by which Graph asked to wait.
func (t *telemetry) throttled(ctx context.Context, h http.Header) {
	t.throttles.Add(ctx, 1, metric.WithAttributes(keyThrottleScope.String(throttleScope(h))))
}

// throttleScope keeps of x-ms-throttle-scope what is not an id: the scope and
// whether reads, writes or both are meant.
func throttleScope(h http.Header) string {
	scope, rest, _ := strings.Cut(h.Get("x-ms-throttle-scope"), "/")
	limit, _, _ := strings.Cut(rest, "/")
	switch scope {
	case "Tenant_Application", "Tenant", "Application":
	default:
		return ""
	}
	switch limit {
	case "Read", "Write", "ReadWrite":
		return scope + "/" + limit
	}
	return scope
}
