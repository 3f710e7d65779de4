package graphclient

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	var (
		many       = rule{maxTries: 4}
		once       = rule{maxTries: 4, once: true}
		gone       = rule{maxTries: 4, goneIsDone: true}
		fresh      history
		third      = history{failures: 3}
		inDoubt    = history{failures: 1, doubt: true}
		throttled7 = history{throttles: 7, failures: 3}
		code       = func(c string) problem { return problem{envelope: true, codes: []string{c}} }
		at         = func(status int, p problem, header ...string) seen {
			h := http.Header{}
			for i := 0; i+1 < len(header); i += 2 {
				h.Set(header[i], header[i+1])
			}
			return seen{status: status, kind: classify(status, p), header: h}
		}
		none = problem{envelope: true}
		lost = seen{kind: KindTransient}
		half = backoffBase / 2 // the jitter given is zero
	)
	tests := []struct {
		name string
		rule rule
		h    history
		seen seen
		want step
	}{
		{"200", many, fresh, at(200, none), step{act: succeed}},
		{"204", once, fresh, at(204, none), step{act: succeed}},
		{"404 of a read", many, fresh, at(404, none), step{act: giveUp}},
		{"404 of a delete", gone, fresh, at(404, none), step{act: succeed}},
		{"404 of a delete, not from Graph", gone, fresh, at(404, problem{}), step{act: again, after: half}},

		{"429 with Retry-After", many, fresh, at(429, none, "Retry-After", "7"), step{act: again, after: 7 * time.Second, halt: true}},
		{"429 after many tries", many, third, at(429, none, "Retry-After", "7"), step{act: again, after: 7 * time.Second, halt: true}},
		{"429 without Retry-After", many, fresh, at(429, none), step{act: again, after: half, halt: true}},
		{"429 with Retry-After 0", many, fresh, at(429, none, "Retry-After", "0"), step{act: again, after: half, halt: true}},
		{"429 without Retry-After again and again", many, throttled7, at(429, none), step{act: again, after: backoffMax / 2, halt: true}},
		{"429 of a post", once, fresh, at(429, none, "Retry-After", "7"), step{act: reread, after: 7 * time.Second, halt: true, reads: 1}},
		{"503 with Retry-After after many tries", many, third, at(503, none, "Retry-After", "2.5"), step{act: again, after: 2500 * time.Millisecond, halt: true}},
		{"503 with Retry-After of a post", once, fresh, at(503, none, "Retry-After", "2"), step{act: reread, after: 2 * time.Second, halt: true, reads: 1}},

		{"503", many, fresh, at(503, none), step{act: again, after: half}},
		{"408", many, fresh, at(408, none), step{act: again, after: half}},
		{"500", many, fresh, at(500, none), step{act: again, after: half}},
		{"502", many, fresh, at(502, problem{}), step{act: again, after: half}},
		{"504", many, fresh, at(504, none), step{act: again, after: half}},
		{"509", many, fresh, at(509, none), step{act: again, after: half}},
		{"424", many, fresh, at(424, none), step{act: again, after: half}},
		{"a redirect", many, fresh, at(302, problem{}), step{act: again, after: half}},
		{"lost", many, fresh, lost, step{act: again, after: half}},
		{"lost for the fourth time", many, third, lost, step{act: giveUp}},
		{"500 for the fourth time", many, third, at(500, none), step{act: giveUp}},
		{"501", many, fresh, at(501, none), step{act: giveUp}},

		{"lost post", once, fresh, lost, step{act: reread, after: half, reads: patientReads}},
		{"lost post, last try", once, third, lost, step{act: reread, after: 8 * half, reads: patientReads, last: true}},
		{"500 of a post", once, fresh, at(500, none), step{act: reread, after: half, reads: patientReads}},
		{"504 of a post", once, fresh, at(504, none), step{act: reread, after: half, reads: patientReads}},
		{"400 of a post", once, fresh, at(400, none), step{act: giveUp}},
		{"409 of a post", once, fresh, at(409, none), step{act: giveUp}},
		{"400 of a post after a lost one", once, inDoubt, at(400, none), step{act: reread, reads: patientReads, last: true}},
		{"409 of a post after a lost one", once, inDoubt, at(409, none), step{act: reread, reads: patientReads, last: true}},
		{"409 not unique of a post after a lost one", once, inDoubt, at(409, code("phoneNumberNotUnique")), step{act: giveUp}},
		{"409 of a patch after a lost one", many, inDoubt, at(409, none), step{act: giveUp}},

		{"423", many, fresh, at(423, none), step{act: again, after: half}},
		{"423 of a post", once, fresh, at(423, none), step{act: again, after: half}},
		{"423 for the fourth time", many, third, at(423, none), step{act: giveUp}},
		{"409 concurrency violation", many, fresh, at(409, code("Directory_ConcurrencyViolation")), step{act: again, after: half}},
		{"412", many, fresh, at(412, none), step{act: giveUp}},
		{"403", many, fresh, at(403, none), step{act: giveUp}},
		{"401", many, fresh, at(401, none), step{act: refresh}},
		{"401 of a post", once, fresh, at(401, none), step{act: refresh}},
		{"401 with a new token", many, history{refreshed: true}, at(401, none), step{act: giveUp}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(tt.rule, tt.h, tt.seen, noon, 0); got != tt.want {
				t.Errorf("decide = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		before    int
		low, high time.Duration
	}{
		{-1, 250 * time.Millisecond, 500 * time.Millisecond},
		{0, 250 * time.Millisecond, 500 * time.Millisecond},
		{1, 500 * time.Millisecond, time.Second},
		{5, 8 * time.Second, 16 * time.Second},
		{6, 15 * time.Second, 30 * time.Second},
		{1 << 40, 15 * time.Second, 30 * time.Second},
	} {
		if got := backoff(tt.before, 0); got != tt.low {
			t.Errorf("backoff(%d, 0) = %v, want %v", tt.before, got, tt.low)
		}
		if got := backoff(tt.before, 0.999999); got > tt.high || got < tt.high*9/10 {
			t.Errorf("backoff(%d, 1) = %v, want nearly %v", tt.before, got, tt.high)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        time.Duration
		ok          bool
	}{
		{"absent", "", 0, false},
		{"seconds", "7", 7 * time.Second, true},
		{"blanks around", " 7 ", 7 * time.Second, true},
		{"decimal", "2.128", 2128 * time.Millisecond, true},
		{"zero", "0", 0, true},
		{"negative", "-3", 0, true},
		{"more than an hour", "86400", time.Hour, true},
		{"beyond any number", "1e999", time.Hour, true},
		{"infinite", "Inf", time.Hour, true},
		{"not a number", "NaN", 0, false},
		{"words", "soon", 0, false},
		{"date", "Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second, true},
		{"date in the past", "Sun, 01 Mar 2026 11:00:00 GMT", 0, true},
		{"date far away", "Mon, 01 Mar 2027 12:00:00 GMT", time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := retryAfter(http.Header{"Retry-After": {tt.value}}, noon)
			if got != tt.want || ok != tt.ok {
				t.Errorf("retryAfter(%q) = %v, %v, want %v, %v", tt.value, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "1", "2.128", "-1", "1e999", "NaN", "0x1p-2", "Sun, 01 Mar 2026 12:00:30 GMT", "Sunday, 01-Mar-26 12:00:30 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := retryAfter(http.Header{"Retry-After": {s}}, noon)
		if d < 0 || d > maxRetryAfter || !ok && d != 0 {
			t.Errorf("retryAfter(%q) = %v, %v", s, d, ok)
		}
	})
}
