package graphclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/graphclient"
)

// observed is a directory together with all that it emits.
type observed struct {
	*graphclient.Directory
	logs    bytes.Buffer
	spans   *tracetest.SpanRecorder
	metrics *sdkmetric.ManualReader
}

func observe(t *testing.T, w http.RoundTripper, change ...func(*graphclient.Options)) *observed {
	o := &observed{spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader()}
	o.Directory = directoryOn(t, w, append(change, func(opts *graphclient.Options) {
		opts.Logger = slog.New(slog.NewJSONHandler(&o.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		opts.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(o.spans))
		opts.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.metrics))
		opts.MaxTries = 2
	})...)
	return o
}

// all is everything that was emitted, as text.
func (o *observed) all(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(o.logs.String())
	for _, s := range tracetest.SpanStubsFromReadOnlySpans(o.spans.Ended()) {
		fmt.Fprintf(&b, "%s %v %v %+v\n", s.Name, s.Attributes, s.Events, s.Status)
	}
	out, err := json.Marshal(o.collect(t))
	if err != nil {
		t.Fatal(err)
	}
	b.Write(out)
	return b.String()
}

func (o *observed) collect(t *testing.T) metricdata.ResourceMetrics {
	t.Helper()
	var m metricdata.ResourceMetrics
	if err := o.metrics.Collect(context.Background(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// secrets are what must not be told, in every way of writing it.
func secrets() []string {
	bare := strings.NewReplacer(" ", "", "+1", "")
	return []string{
		guestUPN, url.PathEscape(guestUPN), url.QueryEscape(guestUPN), "o'neil", "neil_contoso", "EXT#", "EXT%23",
		number, otherNumber, bare.Replace(number), bare.Replace(otherNumber), "token-1", "Bearer",
	}
}

// TestNothingPersonalIsTold makes every call meet every kind of trouble, with
// replies that repeat number and principal name wherever they can.
func TestNothingPersonalIsTold(t *testing.T) {
	echo := number + " of " + guestUPN
	quoted, _ := json.Marshal(echo)
	noisy := func(status int) answer {
		return answer{
			status: status,
			header: map[string]string{"request-id": guestUPN, "x-ms-throttle-scope": "Tenant/Read/" + guestUPN, "x-ms-resource-unit": number, "Retry-After": number},
			body: fmt.Sprintf(`{"error":{"code":%s,"message":%s,"innerError":{"code":"n12065550100","request-id":%s,"client-request-id":%s},"details":[{"code":%s}]}}`,
				quoted, quoted, quoted, quoted, quoted),
		}
	}
	troubles := map[string]func(request) answer{
		"all well": calm,
		"lost": func(r request) answer {
			return answer{err: &url.Error{Op: r.Method, URL: r.URL, Err: errors.New(echo)}}
		},
		"malformed": func(request) answer { return answer{err: fmt.Errorf("malformed MIME header line: %s", echo)} },
		"not JSON":  func(request) answer { return ok(echo) },
		"foreign next": func(r request) answer {
			return ok(fmt.Sprintf(`{"value":[{"id":%s}],"@odata.nextLink":%s}`, quoted, quoted))
		},
		"all looks other": func(r request) answer { return phoneOr(r, noisy(500)) },
	}
	for _, code := range []int{302, 400, 401, 403, 404, 409, 412, 423, 500, 501, 503} {
		troubles[fmt.Sprint(code)] = func(request) answer { return noisy(code) }
	}
	for name, respond := range troubles {
		for _, c := range everyCall {
			t.Run(name+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := observe(t, &wire{respond: respond}, withCredential(&credential{}))
					err := c.do(t.Context(), o.Directory, guestUPN)
					told := o.all(t)
					for cause := err; cause != nil && name != "lost" && name != "malformed"; cause = errors.Unwrap(cause) {
						told += "\n" + cause.Error()
					}
					told += fmt.Sprintf("\n%v", err)
					if !strings.Contains(told, c.method) {
						t.Fatal("nothing was told at all")
					}
					for _, secret := range secrets() {
						if strings.Contains(told, secret) {
							t.Errorf("%q was told in\n%s", secret, told)
						}
					}
				})
			})
		}
	}
}

// phoneOr shows another number to whoever looks.
func phoneOr(r request, a answer) answer {
	if r.Method == http.MethodGet {
		return phoneList("+44 7700 900123")
	}
	return a
}

func TestSpansOfAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
		w := inTurn(t,
			answer{status: 429, header: map[string]string{"Retry-After": "1", "x-ms-throttle-scope": "Tenant_Application/Write/app/tenant", "request-id": id, "x-ms-resource-unit": "2"}},
			answer{err: errCut}, status(204))
		o := observe(t, w)
		if err := o.ChangePhone(t.Context(), userGUID, graphclient.Mobile, number); err != nil {
			t.Fatal(err)
		}
		spans := o.spans.Ended()
		if len(spans) != 3 {
			t.Fatalf("%d spans", len(spans))
		}
		for i, want := range []map[attribute.Key]any{
			{"http.response.status_code": int64(429), "error.type": "429", "muster.graph.request_id": id, "muster.graph.resource_units": int64(2), "muster.graph.throttle_scope": "Tenant_Application/Write", "http.request.resend_count": nil},
			{"http.response.status_code": nil, "error.type": "*errors.errorString", "http.request.resend_count": int64(1)},
			{"http.response.status_code": int64(204), "error.type": nil, "http.request.resend_count": int64(2)},
		} {
			want["http.request.method"], want["server.address"], want["server.port"] = "PATCH", "127.0.0.1", int64(1)
			want["url.template"] = "/users/{id}/authentication/phoneMethods/{phoneMethodId}"
			want["url.full"] = loopback + "/v1.0/users/" + userGUID + "/authentication/phoneMethods/" + mobileID
			want["muster.graph.version"] = "v1.0"
			want["muster.graph.client_request_id"] = w.seen()[i].Header.Get("client-request-id")
			checkSpan(t, spans[i], want)
		}
		if got := spans[2].Status().Code; got != codes.Unset {
			t.Errorf("status of a success = %v", got)
		}
	})
}

func checkSpan(t *testing.T, s sdktrace.ReadOnlySpan, want map[attribute.Key]any) {
	t.Helper()
	if got, want := s.Name(), "PATCH /users/{id}/authentication/phoneMethods/{phoneMethodId}"; got != want || s.SpanKind() != trace.SpanKindClient {
		t.Errorf("span %q of kind %v", got, s.SpanKind())
	}
	got := map[attribute.Key]any{}
	for _, kv := range s.Attributes() {
		got[kv.Key] = kv.Value.AsInterface()
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s = %v, want %v", key, got[key], value)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, inTurn(t, throttle("1"), phoneList()))
		if _, err := o.Phones(t.Context(), userGUID); err != nil {
			t.Fatal(err)
		}
		counts := map[string]uint64{}
		for _, scope := range o.collect(t).ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Histogram[float64]:
					for _, p := range data.DataPoints {
						counts[m.Name] += p.Count
					}
				case metricdata.Sum[int64]:
					for _, p := range data.DataPoints {
						counts[m.Name] += uint64(p.Value)
					}
				}
			}
		}
		if counts["http.client.request.duration"] != 2 || counts["muster.graph.throttled"] != 1 {
			t.Errorf("counts = %v", counts)
		}
	})
}
