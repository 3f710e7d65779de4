package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// A command has one trace, which begins with its publisher and shows every stage,
// every wait for the budget and every request to Graph.
func TestACommandHasOneTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada")}}})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1)), PerUserMFAState: messages.MFAEnforced, Run: "run-1", Row: 7})[0]
	r.work()

	tree := r.trace(r.outcome(id).TraceID)
	producer := tree.only(t, "send commands")
	process := tree.only(t, "process commands")
	if process.SpanKind() != trace.SpanKindConsumer || process.Parent().SpanID() != producer.SpanContext().SpanID() || !process.Parent().IsRemote() {
		t.Errorf("the consumer span's kind is %v, its parent %v; want the publisher's span", process.SpanKind(), process.Parent().SpanID())
	}
	if links := process.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != producer.SpanContext().SpanID() {
		t.Errorf("links %+v, want one to the publisher's span", links)
	}
	tree.wantChildren(t, process, "apply", "complete commands", "decode", "plan", "read", "resolve")
	get, list := "GET /users/{id}", "GET /users/{id}/authentication/phoneMethods"
	tree.wantChildren(t, tree.only(t, "resolve"), get, "wait budget")
	tree.wantChildren(t, tree.only(t, "read"), list, "GET /users/{id}/authentication/requirements", "wait budget", "wait budget")
	tree.wantChildren(t, tree.only(t, "apply"), "PATCH /users/{id}/authentication/requirements", "POST /users/{id}/authentication/phoneMethods", "wait budget", "wait budget")

	userID := tenant.UserID(upn("ada"))
	wantAttributes(t, process, map[string]string{
		"messaging.system": "servicebus", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.destination.name": queueName, "messaging.message.id": id, "messaging.servicebus.message.delivery_count": "1",
		"user.id": userID, "muster.tenant": domain, "muster.run": "run-1", "muster.row": "7",
		"muster.result": "applied", "muster.writes": "2", "muster.verdict": "complete",
	})
	settle := tree.only(t, "complete commands")
	wantAttributes(t, settle, map[string]string{
		"messaging.system": "servicebus", "messaging.operation.name": "complete", "messaging.operation.type": "settle",
		"messaging.destination.name": queueName, "messaging.message.id": id, "messaging.servicebus.disposition_status": "complete",
	})
	post := tree.only(t, "POST /users/{id}/authentication/phoneMethods")
	wantAttributes(t, post, map[string]string{
		"http.request.method": "POST", "http.response.status_code": "201", "server.address": "127.0.0.1",
		"url.template": "/users/{id}/authentication/phoneMethods", "url.full": r.endpoint + "/v1.0/users/" + userID + "/authentication/phoneMethods",
	})
	for _, s := range []sdktrace.ReadOnlySpan{settle, post, tree.only(t, get)} {
		if s.SpanKind() != trace.SpanKindClient {
			t.Errorf("the kind of %s is %v, want client", s.Name(), s.SpanKind())
		}
	}
	for _, s := range tree.spans {
		if s.Status().Code == codes.Error {
			t.Errorf("%s has error status %q", s.Name(), s.Status().Description)
		}
	}
}

// A command that is refused says why on its consumer span.
func TestARefusalShowsInTheTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada")}}})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile("+1 201555018")})[0]
	r.work()
	tree := r.trace(r.outcome(id).TraceID)
	process := tree.only(t, "process commands")
	tree.wantChildren(t, process, "dead_letter commands", "decode")
	for _, s := range []sdktrace.ReadOnlySpan{process, tree.only(t, "decode")} {
		if got := s.Status(); got.Code != codes.Error || got.Description != phone.ReasonInvalid {
			t.Errorf("status of %s is %+v", s.Name(), got)
		}
	}
	wantAttributes(t, process, map[string]string{
		"error.type": phone.ReasonInvalid, "muster.reason": phone.ReasonInvalid, "muster.result": "refused", "muster.verdict": "dead_letter",
	})
	wantAttributes(t, tree.only(t, "dead_letter commands"), map[string]string{"messaging.servicebus.disposition_status": "dead_letter"})
}

// An id in which a publisher has put a user's name stays out of the trace.
func TestAnIDThatNamesSomebodyIsNotTraced(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada")}}})
	event := messages.Event{ID: "1", Source: "/hr", Command: messages.Command{Tenant: domain, User: upn("ada"), Phones: mobile(number(1))}}
	encoded, err := event.Binary()
	if err != nil {
		t.Fatal(err)
	}
	r.send("mfa-"+upn("ada"), encoded) // newRig checks what was told
	r.work()
	r.wantResults(messages.Applied, "1")
}

// Without a publisher's context there is a trace all the same; one per command.
func TestCommandsDoNotShareTraces(t *testing.T) {
	t.Parallel()
	users, names := people(10)
	r := newRig(t, config{users: users})
	for i, name := range names {
		e := messages.Event{ID: name, Source: "/hr", Command: messages.Command{Tenant: domain, User: tenant.UserID(upn(name)), Phones: mobile(number(i))}}
		encoded, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		r.send(name, encoded)
	}
	r.work()
	seen := make(map[string]bool)
	for _, o := range r.reported() {
		if o.Result != messages.Applied || o.TraceID == "" || seen[o.TraceID] {
			t.Errorf("outcome %+v, want applied with a trace of its own", o)
		}
		seen[o.TraceID] = true
		tree := r.trace(o.TraceID)
		if tree.only(t, "process commands").Parent().IsValid() {
			t.Error("the consumer span has a parent")
		}
	}
	if len(seen) != len(names) {
		t.Errorf("%d traces, want %d", len(seen), len(names))
	}
}

// The metrics count every command by its end.
func TestCommandsAreCounted(t *testing.T) {
	t.Parallel()
	users, names := people(3)
	r := newRig(t, config{users: users})
	r.publish(
		messages.Command{User: upn(names[0]), Phones: mobile(number(1))},
		messages.Command{User: upn(names[0]), Phones: mobile(number(1))},
		messages.Command{User: upn(names[1]), Phones: mobile(number(2))},
		messages.Command{User: upn(names[2]), Phones: mobile("+1 201555018")},
	)
	r.work()
	var all metricdata.ResourceMetrics
	if err := r.metrics.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	results := make(map[string]int64)
	processed, waits := uint64(0), uint64(0)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if m.Name == "muster.commands" {
						result, _ := p.Attributes.Value("muster.result")
						results[result.AsString()] += p.Value
					}
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					switch m.Name {
					case "messaging.process.duration":
						processed += p.Count
					case "muster.budget.wait":
						waits += p.Count
					}
				}
			}
		}
	}
	if results["applied"] != 2 || results["unchanged"] != 1 || results["refused"] != 1 || len(results) != 3 {
		t.Errorf("counted %v", results)
	}
	if requests := uint64(len(r.front.requests())); processed != 4 || waits != requests {
		t.Errorf("%d durations and %d waits for the budget, want 4 and %d", processed, waits, requests)
	}
}

// traceTree is the spans of one trace.
type traceTree struct {
	spans []sdktrace.ReadOnlySpan
}

func (r *rig) trace(id string) traceTree {
	var tree traceTree
	for _, s := range r.spans.Ended() {
		if s.SpanContext().TraceID().String() == id {
			tree.spans = append(tree.spans, s)
		}
	}
	return tree
}

// only finds the one span with that name.
func (tree traceTree) only(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	var found []sdktrace.ReadOnlySpan
	for _, s := range tree.spans {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans %q, want one", len(found), name)
	}
	return found[0]
}

// wantChildren checks the names of a span's children, in alphabetical order.
func (tree traceTree) wantChildren(t *testing.T, parent sdktrace.ReadOnlySpan, want ...string) {
	t.Helper()
	var got []string
	for _, s := range tree.spans {
		if s.Parent().SpanID() == parent.SpanContext().SpanID() {
			got = append(got, s.Name())
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the children of %s are\n%s\nwant\n%s", parent.Name(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantAttributes(t *testing.T, s sdktrace.ReadOnlySpan, want map[string]string) {
	t.Helper()
	set := attribute.NewSet(s.Attributes()...)
	for key, value := range want {
		if got, ok := set.Value(attribute.Key(key)); !ok || got.String() != value {
			t.Errorf("%s: %s is %q, want %q", s.Name(), key, got.String(), value)
		}
	}
}
