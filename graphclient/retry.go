package graphclient

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// rule says how often and how freely a request may be repeated.
type rule struct {
	// once: the request must not be sent again while it is unknown whether it
	// took effect.
	once bool
	// goneIsDone: 404 is success, as for a DELETE.
	goneIsDone bool
	// maxTries bounds the tries for trouble other than throttling.
	maxTries int
}

// seen is what one attempt brought.
type seen struct {
	status int // zero: no reply, or one that broke off
	kind   Kind
	header http.Header
}

// history is what the attempts before this one brought.
type history struct {
	sends     int  // attempts made
	failures  int  // of those, failed for reasons other than throttling
	throttles int  // throttled in a row
	refreshed bool // a token was refused once
	doubt     bool // one of them may have taken effect
	stale     bool // the last met a front end that is out of service
}

type action int

const (
	giveUp  action = iota // it failed
	succeed               // it is done
	again                 // send it again
	refresh               // drop the token and send it again
	reread                // look whether it took effect, and send it again if not
)

// step is what comes next.
type step struct {
	act action
	// after is how long to wait before it.
	after time.Duration
	// halt: the wait is for everybody who sends to the tenant.
	halt bool
	// reads is how often to read at most for a reread.
	reads int
	// last: when the reread finds nothing, the call has failed.
	last bool
}

const (
	// patientReads is how often to look for the effect of a request whose reply
	// was lost: Graph is eventually consistent, and one read may be stale.
	patientReads = 3
	backoffBase  = 500 * time.Millisecond
	backoffMax   = 30 * time.Second
	// maxRetryAfter is the longest Retry-After that is obeyed as it stands.
	// Graph asks for seconds or minutes; more than an hour is taken to be broken
	// and cut, so that one reply can't silence a tenant for days.
	maxRetryAfter = time.Hour
)

// decide says what follows an attempt. It is a pure function: now turns a
// Retry-After date into a duration, and jitter, from 0 up to 1, is the caller's
// random number.
func decide(r rule, h history, s seen, now time.Time, jitter float64) step {
	wait, asked := retryAfter(s.header, now)
	lastTry := h.failures+1 >= r.maxTries
	switch {
	case s.kind == KindNone, s.kind == KindNotFound && r.goneIsDone:
		return step{act: succeed}
	case isThrottled(s.status, asked):
		if wait <= 0 {
			wait = backoff(h.throttles, jitter)
		}
		if r.once {
			return step{act: reread, after: wait, halt: true, reads: 1}
		}
		return step{act: again, after: wait, halt: true}
	case s.kind == KindUnauthorized && !h.refreshed:
		return step{act: refresh}
	case r.once && mayHaveLanded(s):
		return step{act: reread, after: backoff(h.failures, jitter), reads: patientReads, last: lastTry}
	case s.kind == KindTransient, s.kind == KindLocked:
		if lastTry {
			return step{act: giveUp}
		}
		return step{act: again, after: backoff(h.failures, jitter)}
	case r.once && h.doubt && (s.kind == KindConflict || s.kind == KindInvalid):
		// Most likely "already exists", said of our own lost attempt.
		return step{act: reread, reads: patientReads, last: true}
	}
	return step{act: giveUp}
}

// isThrottled tells whether the answer means "later" rather than "no". A 503
// that names a time is the same thing as a 429.
func isThrottled(status int, asked bool) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && asked
}

// mayHaveLanded tells whether a request can have taken effect although it did
// not succeed.
func mayHaveLanded(s seen) bool {
	return s.kind == KindTransient && (s.status == 0 || s.status == http.StatusRequestTimeout || s.status >= 500)
}

// backoff doubles from half a second up to half a minute. Half of each wait is
// fixed and half is jitter, so that callers who failed together do not come back
// together.
func backoff(before int, jitter float64) time.Duration {
	d := backoffMax
	if before < 6 {
		d = min(backoffBase<<max(before, 0), backoffMax)
	}
	return d/2 + time.Duration(jitter*float64(d/2))
}

// retryAfter reads the header Retry-After: seconds, whole or decimal (Graph
// sends both), or an HTTP date. A time in the past is zero; one beyond an hour is
// an hour. It reports false where there is no readable one.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil || math.IsInf(seconds, 0) {
		if math.IsNaN(seconds) {
			return 0, false
		}
		seconds = min(max(seconds, 0), maxRetryAfter.Seconds())
		return time.Duration(seconds * float64(time.Second)), true
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}

// after returns the history with one more attempt, which brought s and led to
// the step given.
func (h history) after(s seen, next step) history {
	h.sends++
	h.stale = s.status == http.StatusServiceUnavailable
	h.doubt = h.doubt || mayHaveLanded(s) || next.act == reread
	switch {
	case next.halt:
		h.throttles++
	case next.act == refresh:
		h.refreshed = true
	default:
		h.throttles = 0
		h.failures++
	}
	return h
}
