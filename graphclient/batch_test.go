package graphclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// batches answers a $batch part by part: answers[id] are the answers to that
// part in turn, given in reverse order of the parts.
func batches(t *testing.T, answers map[string][]answer) *wire {
	t.Helper()
	return &wire{respond: func(r request) answer {
		var in struct {
			Requests []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(r.Body), &in); err != nil {
			t.Errorf("batch: %v", err)
		}
		var out []string
		for _, p := range in.Requests {
			left := answers[p.ID]
			if len(left) == 0 {
				t.Errorf("part %s was not expected", p.ID)
				continue
			}
			answers[p.ID] = left[1:]
			if left[0].err != nil {
				continue
			}
			h, _ := json.Marshal(left[0].header)
			body := left[0].body
			if body == "" {
				body = "null"
			}
			out = append([]string{fmt.Sprintf(`{"id":%q,"status":%d,"headers":%s,"body":%s}`, p.ID, left[0].status, h, body)}, out...)
		}
		return ok(`{"responses":[` + strings.Join(out, ",") + `]}`)
	}}
}

// sentParts lists the ids of each batch sent, as in "1 2 3 | 2".
func sentParts(t *testing.T, w *wire) string {
	t.Helper()
	var all []string
	for _, r := range w.seen() {
		var in struct {
			Requests []struct {
				ID        string
				DependsOn []string
			}
		}
		if err := json.Unmarshal([]byte(r.Body), &in); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, p := range in.Requests {
			if len(p.DependsOn) > 0 {
				p.ID += "<" + strings.Join(p.DependsOn, ",")
			}
			ids = append(ids, p.ID)
		}
		all = append(all, strings.Join(ids, " "))
	}
	return strings.Join(all, " | ")
}

func get(path string) graphclient.Part { return graphclient.Part{Method: "GET", Path: path} }

func TestBatchSendsOnlyThrottledPartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := batches(t, map[string][]answer{
			"1": {ok(`{"n":1}`)},
			"2": {throttle("3"), throttle("1"), ok(`{"n":2}`)},
			"3": {throttle("9"), ok(`{"n":3}`)},
			"4": {coded(403, "accessDenied")},
			"5": {status(503), status(204)},
			"6": {coded(404, "itemNotFound")},
		})
		l := &limiter{}
		c := clientOn(t, w, func(o *graphclient.Options) { o.Limiter = l })
		parts := []graphclient.Part{
			get("/users/1"), get("/users/2"), get("/users/3"), get("/users/4"),
			{Method: "PATCH", Path: "/users/5", Body: map[string]string{"a": "b"}}, {Method: "DELETE", Path: "/users/6"},
		}
		began := time.Now()
		replies, err := c.Directory("t").Batch(t.Context(), graphclient.V1, parts)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sentParts(t, w), "1 2 3 4 5 6 | 2 3 5 | 2"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		for i, r := range replies {
			wantKind := graphclient.KindNone
			if i == 3 {
				wantKind = graphclient.KindForbidden
			}
			if graphclient.KindOf(r.Err) != wantKind || r.Err == nil && i < 3 && string(r.Body) != fmt.Sprintf(`{"n":%d}`, i+1) {
				t.Errorf("reply %d = %+v, body %s", i, r, r.Body)
			}
		}
		if len(l.halts) != 2 || l.halts[0] != 9*time.Second || l.halts[1] != time.Second {
			t.Errorf("halts = %v", l.halts)
		}
		// Nine seconds of halt, at most half a second of backoff within them.
		if took := time.Since(began); took < 10*time.Second || took > 10500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if got, want := c.Stats(), (graphclient.Stats{Requests: 3, Writes: 3, Throttled: 3}); got != want {
			t.Errorf("stats = %+v, want %+v", got, want)
		}
		if l.asked != [2]int{4 + 2 + 1, 2 + 1} {
			t.Errorf("asked the limiter for %v", l.asked)
		}
	})
}

func TestBatchPartsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		post := graphclient.Part{Method: "POST", Path: "/users/1/x", Body: map[string]string{"a": "b"}}
		action := graphclient.Part{Method: "POST", Path: "/users/1/y", Repeatable: true}
		w := batches(t, map[string][]answer{
			"1": {throttle("1")},
			"2": {status(500)},
			"3": {throttle("1"), status(204)},
			"4": {{err: errCut}},
		})
		replies, err := directoryOn(t, w).Batch(t.Context(), graphclient.V1, []graphclient.Part{post, post, action, get("/users/1")})
		if err != nil {
			t.Fatal(err)
		}
		want := []graphclient.Kind{graphclient.KindThrottled, graphclient.KindTransient, graphclient.KindNone, graphclient.KindTransient}
		for i, r := range replies {
			if graphclient.KindOf(r.Err) != want[i] {
				t.Errorf("reply %d: %v, want %q", i, r.Err, want[i])
			}
		}
		if got := sentParts(t, w); got != "1 2 3 4 | 3" {
			t.Errorf("sent %s", got)
		}
		if body := w.seen()[1].Body; !strings.Contains(body, `"body":{}`) || !strings.Contains(body, `"Content-Type":"application/json"`) {
			t.Errorf("a POST without payload went as %s", body)
		}
	})
}

func TestBatchDependentParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := coded(424, "FailedDependency")
		w := batches(t, map[string][]answer{
			"1": {throttle("1"), ok("{}")},
			"2": {failed, ok("{}")},
			"3": {coded(403, "accessDenied")},
			"4": {failed},
			"5": {ok("{}")},
			"6": {throttle("1"), ok("{}")},
		})
		on := func(i ...int) graphclient.Part { return graphclient.Part{Method: "GET", Path: "/x", DependsOn: i} }
		replies, err := directoryOn(t, w).Batch(t.Context(), graphclient.V1, []graphclient.Part{on(), on(0), on(), on(2), on(), on(4)})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sentParts(t, w), "1 2<1 3 4<3 5 6<5 | 1 2<1 6"; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		e, _ := errors.AsType[*graphclient.Error](replies[3].Err)
		if e == nil || e.Kind != graphclient.KindForbidden || e.StatusCode != http.StatusFailedDependency {
			t.Errorf("reply 3: %v", replies[3].Err)
		}
		for _, i := range []int{0, 1, 4, 5} {
			if replies[i].Err != nil {
				t.Errorf("reply %d: %v", i, replies[i].Err)
			}
		}
	})
}

func TestBatchDuplicateAnswers(t *testing.T) {
	w := inTurn(t, ok(`{"responses":[{"id":"1","status":200},{"id":"1","status":404},{"id":"7","status":200},{"id":"2","status":200,"body":{}}]}`))
	replies, err := directoryOn(t, w).Batch(t.Context(), graphclient.V1, []graphclient.Part{get("/a"), get("/b"), get("/c")})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []graphclient.Kind{graphclient.KindTransient, graphclient.KindNone, graphclient.KindTransient} {
		if graphclient.KindOf(replies[i].Err) != want {
			t.Errorf("reply %d: %v", i, replies[i].Err)
		}
	}
}

func TestBatchAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inTurn(t, throttle("2"), status(502), ok(`{"responses":[{"id":"1","status":200}]}`))
		replies, err := directoryOn(t, w).Batch(t.Context(), graphclient.Beta, []graphclient.Part{get("/a")})
		if err != nil || replies[0].Err != nil {
			t.Errorf("replies = %+v, %v", replies, err)
		}
		w = inTurn(t, status(502))
		_, err = directoryOn(t, w).Batch(t.Context(), graphclient.Beta, []graphclient.Part{{Method: "POST", Path: "/a"}})
		if graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("a POST in doubt: %v", err)
		}
	})
}

func TestBatchInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		w := &wire{respond: func(request) answer {
			if n++; n > 1 {
				cancel(errDraining)
				return answer{err: context.Canceled}
			}
			return ok(`{"responses":[{"id":"1","status":200},{"id":"2","status":429}]}`)
		}}
		replies, err := directoryOn(t, w).Batch(ctx, graphclient.V1, []graphclient.Part{get("/a"), get("/b")})
		if err != nil || replies[0].Err != nil || !errors.Is(replies[1].Err, errDraining) {
			t.Errorf("replies = %+v, %v", replies, err)
		}
	})
}

func TestBatchIsValidated(t *testing.T) {
	d := directoryOn(t, inTurn(t))
	many := make([]graphclient.Part, 21)
	for i := range many {
		many[i] = get("/a")
	}
	for _, tt := range []struct {
		name    string
		version graphclient.Version
		parts   []graphclient.Part
		want    []string
	}{
		{"too many", graphclient.V1, many, []string{"21 parts"}},
		{"version", "v2", many[:1], []string{"v2"}},
		{"all at once", graphclient.V1, []graphclient.Part{
			{Method: "PUT", Path: "/a"}, {Method: "GET", Path: "https://x.example/a"}, {Method: "GET", Path: "/a", Body: 1},
			{Method: "GET", Path: "/a", DependsOn: []int{3}}, {Method: "GET", Path: "//x.example"}, {Method: "GET", Path: "/users/a#EXT#"},
		}, []string{"part 0: method", "part 1: path", "part 2: GET with a body", "part 3: depends", "part 4: path", "part 5: path"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.Batch(t.Context(), tt.version, tt.parts)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	if replies, err := d.Batch(t.Context(), graphclient.V1, nil); err != nil || len(replies) != 0 {
		t.Errorf("no parts: %v, %v", replies, err)
	}
}
