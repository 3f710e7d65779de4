package telemetry_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/muster-mfa/muster/internal/telemetry"
)

// clean takes the OTEL_* variables of whoever runs the tests away.
func clean(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // restores it at the end
			os.Unsetenv(name)
		}
	}
}

func start(t *testing.T, o telemetry.Options) *telemetry.Telemetry {
	t.Helper()
	o.ServiceName, o.ServiceVersion = "muster-test", "v1"
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	tel, err := telemetry.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// emit makes a parent and a child span and ends the telemetry.
func emit(t *testing.T, tel *telemetry.Telemetry) (parent trace.SpanContext) {
	t.Helper()
	ctx, p := otel.Tracer("test").Start(t.Context(), "parent", trace.WithSpanKind(trace.SpanKindProducer))
	_, c := otel.Tracer("test").Start(ctx, "child", trace.WithAttributes(attribute.Int("n", 7)))
	c.End()
	p.End()
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p.SpanContext()
}

func TestTracesGoNowhereUnlessTold(t *testing.T) {
	clean(t)
	tel := start(t, telemetry.Options{})
	_, span := otel.Tracer("test").Start(t.Context(), "x")
	if span.IsRecording() || !span.SpanContext().HasTraceID() {
		t.Errorf("recording %v, trace id %v; want an id for the log and no recording", span.IsRecording(), span.SpanContext().TraceID())
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// The file has the form that the specification of OTLP JSON files gives: one
// export a line, ids in hexadecimal, enumerations as numbers.
func TestTracesFile(t *testing.T) {
	clean(t)
	path := filepath.Join(t.TempDir(), "traces.jsonl")
	parent := emit(t, start(t, telemetry.Options{TracesFile: path}))
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	type span struct {
		TraceID      string `json:"traceId"`
		SpanID       string `json:"spanId"`
		ParentSpanID string `json:"parentSpanId"`
		Name         string
		Kind         int
	}
	spans := make(map[string]span)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var data struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct{ Spans []span }
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &data); err != nil {
			t.Fatalf("line %s: %v", lines.Text(), err)
		}
		for _, r := range data.ResourceSpans {
			named := false
			for _, a := range r.Resource.Attributes {
				named = named || a.Key == "service.name" && a.Value.StringValue == "muster-test"
			}
			if !named {
				t.Error("the resource has no service.name")
			}
			for _, s := range r.ScopeSpans {
				for _, one := range s.Spans {
					spans[one.Name] = one
				}
			}
		}
	}
	if got, want := spans["parent"], (span{parent.TraceID().String(), parent.SpanID().String(), "", "parent", 4}); got != want {
		t.Errorf("parent %+v, want %+v", got, want)
	}
	if got := spans["child"]; got.ParentSpanID != parent.SpanID().String() || got.TraceID != parent.TraceID().String() {
		t.Errorf("child %+v is not below the parent", got)
	}
}

// receiver collects what an exporter sends, over either protocol.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	names []string
}

func (r *receiver) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				r.names = append(r.names, span.Name)
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (r *receiver) expect(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := strings.Join(r.names, " "); got != "child parent" {
		t.Errorf("received %q, want child and parent", got)
	}
}

func TestOTLPOverHTTP(t *testing.T) {
	clean(t)
	var r receiver
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body io.Reader = req.Body
		if req.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(req.Body); err != nil {
				t.Error(err)
				return
			}
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		var export collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &export); err != nil {
			t.Error(err)
		}
		if req.URL.Path != "/v1/traces" {
			t.Errorf("path %s", req.URL.Path)
		}
		r.Export(req.Context(), &export)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	emit(t, start(t, telemetry.Options{}))
	r.expect(t)
}

func TestOTLPOverGRPC(t *testing.T) {
	clean(t)
	var r receiver
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, &r)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	emit(t, start(t, telemetry.Options{}))
	server.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	r.expect(t)
}

func TestNoneAndUnknownExporters(t *testing.T) {
	clean(t)
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	tel := start(t, telemetry.Options{})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")
	if _, err := telemetry.Start(t.Context(), telemetry.Options{Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("an unknown exporter was accepted")
	}
}

func TestMetricsForPrometheus(t *testing.T) {
	clean(t)
	tel := start(t, telemetry.Options{})
	counter, err := otel.Meter("test").Int64Counter("muster.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	w := httptest.NewRecorder()
	tel.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"muster_things_total{", "} 3", "go_goroutines", `service_name="muster-test"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLogLinesHaveTheTrace(t *testing.T) {
	clean(t)
	tel := start(t, telemetry.Options{})
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "json", "info")
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("test").Start(t.Context(), "x")
	log.With("a", 1).WithGroup("g").InfoContext(ctx, "inside", "b", 2)
	log.DebugContext(ctx, "not shown")
	log.Info("outside")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: %s", len(lines), &out)
	}
	if !strings.Contains(lines[0], span.SpanContext().TraceID().String()) || !strings.Contains(lines[0], span.SpanContext().SpanID().String()) {
		t.Errorf("no ids in %s", lines[0])
	}
	if strings.Contains(lines[1], "trace_id") {
		t.Errorf("an id in %s", lines[1])
	}
	for _, wrong := range [][2]string{{"xml", "info"}, {"text", "loud"}} {
		if _, err := telemetry.NewLogger(&out, wrong[0], wrong[1]); err == nil {
			t.Errorf("format %s and level %s were accepted", wrong[0], wrong[1])
		}
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
