// Package telemetry sets up OpenTelemetry and slog for a process. Only cmd
// imports it; the other packages know the OpenTelemetry API alone.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Options say what a process tells about itself, beyond what the standard OTEL_*
// environment variables say.
type Options struct {
	// ServiceName is the default of service.name; OTEL_SERVICE_NAME wins.
	ServiceName string
	// ServiceVersion is service.version.
	ServiceVersion string
	// TracesFile, where set, gets every span as a line of OTLP JSON, besides
	// whatever exporter the environment names.
	TracesFile string
	// Logger gets the trouble of the exporters.
	Logger *slog.Logger
}

// Telemetry is a process's OpenTelemetry SDK. Start also makes it the global one.
type Telemetry struct {
	tracers  *trace.TracerProvider
	meters   *metric.MeterProvider
	registry *prometheus.Registry
}

// Start sets up tracing and metrics. Traces go where OTEL_TRACES_EXPORTER and
// OTEL_EXPORTER_OTLP_ENDPOINT say; where neither is set they go nowhere, for a
// command at a prompt has no collector beside it. Metrics are always there for
// Prometheus to fetch, and are pushed too where OTEL_METRICS_EXPORTER says so.
func Start(ctx context.Context, o Options) (_ *Telemetry, err error) {
	res, err := describe(ctx, o)
	if err != nil {
		return nil, err
	}
	spans, err := spanProcessors(ctx, o)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	readers, err := metricReaders(ctx, registry)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{
		tracers:  trace.NewTracerProvider(append(spans, trace.WithResource(res))...),
		meters:   metric.NewMeterProvider(append(readers, metric.WithResource(res))...),
		registry: registry,
	}
	otel.SetTracerProvider(t.tracers)
	otel.SetMeterProvider(t.meters)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		o.Logger.Warn("telemetry export failed", "error", err)
	}))
	return t, nil
}

func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(o.ServiceName), semconv.ServiceVersion(o.ServiceVersion)),
		resource.WithTelemetrySDK(), resource.WithProcessPID(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe process: %w", err)
	}
	return res, nil
}

func spanProcessors(ctx context.Context, o Options) ([]trace.TracerProviderOption, error) {
	var opts []trace.TracerProviderOption
	if anySet("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("create trace exporter: %w", err)
		}
		if !autoexport.IsNoneSpanExporter(exporter) {
			opts = append(opts, trace.WithBatcher(exporter))
		}
	}
	if o.TracesFile != "" {
		file, err := newFileClient(o.TracesFile)
		if err != nil {
			return nil, err
		}
		exporter, err := otlptrace.New(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("create traces file exporter: %w", err)
		}
		// A file takes all there is: a full queue waits instead of dropping.
		opts = append(opts, trace.WithBatcher(exporter, trace.WithBlocking()))
	}
	if len(opts) == 0 {
		opts = append(opts, trace.WithSampler(trace.NeverSample()))
	}
	return opts, nil
}

func metricReaders(ctx context.Context, registry *prometheus.Registry) ([]metric.Option, error) {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pull, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("create prometheus exporter: %w", err)
	}
	opts := []metric.Option{metric.WithReader(pull)}
	if anySet("OTEL_METRICS_EXPORTER") && os.Getenv("OTEL_METRICS_EXPORTER") != "prometheus" {
		push, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("create metric reader: %w", err)
		}
		if !autoexport.IsNoneMetricReader(push) {
			opts = append(opts, metric.WithReader(push))
		}
	}
	return opts, nil
}

func anySet(names ...string) bool {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Metrics answers Prometheus.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{})
}

// Shutdown sends what is left and ends the exporters.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := errors.Join(t.tracers.Shutdown(ctx), t.meters.Shutdown(ctx)); err != nil {
		return fmt.Errorf("shut telemetry down: %w", err)
	}
	return nil
}
