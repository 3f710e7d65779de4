package graphclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// The people and numbers of these tests are invented.
const (
	userGUID    = "11111111-2222-4333-8444-555555555555"
	guestUPN    = "o'neil_contoso.example#EXT#@tenant.example"
	number      = "+1 2065550100"
	otherNumber = "+1 2065550199"
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
)

var errCut = errors.New("connection cut")

// request is what reached the wire.
type request struct {
	Method, URL, Body string
	Header            http.Header
}

// answer is what the wire gives back: a response, or an error.
type answer struct {
	status int
	header map[string]string
	body   string
	err    error
}

// wire is a transport in memory that answers each request by a function and
// remembers all of them.
type wire struct {
	respond func(request) answer

	mu       sync.Mutex
	requests []request
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	req := request{Method: r.Method, URL: r.URL.String(), Body: string(body), Header: r.Header.Clone()}
	w.mu.Lock()
	w.requests = append(w.requests, req)
	w.mu.Unlock()
	a := w.respond(req)
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{}
	for name, value := range a.header {
		h.Set(name, value)
	}
	return &http.Response{
		StatusCode: a.status, Header: h, Body: io.NopCloser(bytes.NewBufferString(a.body)), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

func (w *wire) seen() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]request(nil), w.requests...)
}

// methods lists the methods of the requests so far, as in "POST GET POST".
func (w *wire) methods() string {
	var all []string
	for _, r := range w.seen() {
		all = append(all, r.Method)
	}
	return strings.Join(all, " ")
}

// inTurn answers with one answer after the other and fails the test when there
// are no more.
func inTurn(t *testing.T, answers ...answer) *wire {
	t.Helper()
	n := 0
	return &wire{respond: func(r request) answer {
		if n == len(answers) {
			t.Errorf("request %d was not expected: %s %s", n+1, r.Method, r.URL)
			return answer{status: http.StatusTeapot, body: `{"error":{"code":"tooMany"}}`}
		}
		n++
		return answers[n-1]
	}}
}

func ok(body string) answer  { return answer{status: http.StatusOK, body: body} }
func status(code int) answer { return answer{status: code, body: `{"error":{"code":"someCode"}}`} }
func coded(s int, code string) answer {
	return answer{status: s, body: `{"error":{"code":"` + code + `","message":"about ` + number + ` of ` + guestUPN + `"}}`}
}

func throttle(after string) answer {
	return answer{
		status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": after},
		body: `{"error":{"code":"TooManyRequests","innerError":{"code":"429"}}}`,
	}
}

// phoneList is the reply to a listing; without arguments it is empty.
func phoneList(numbers ...string) answer {
	var items []string
	for _, n := range numbers {
		items = append(items, `{"id":"`+mobileID+`","phoneType":"mobile","phoneNumber":"`+n+`","smsSignInState":"ready"}`)
	}
	return ok(`{"value":[` + strings.Join(items, ",") + `]}`)
}

const loopback = "http://127.0.0.1:1/prefix"

// directoryOn returns a directory whose client talks over w.
func directoryOn(t *testing.T, w http.RoundTripper, change ...func(*graphclient.Options)) *graphclient.Directory {
	t.Helper()
	return clientOn(t, w, change...).Directory("Contoso.example")
}

func clientOn(t *testing.T, w http.RoundTripper, change ...func(*graphclient.Options)) *graphclient.Client {
	t.Helper()
	o := graphclient.Options{Endpoint: loopback, HTTPClient: &http.Client{Transport: w}}
	for _, f := range change {
		f(&o)
	}
	c, err := graphclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// limiter keeps everybody waiting while it is halted, and remembers what it was
// asked and told.
type limiter struct {
	mu    sync.Mutex
	until time.Time
	halts []time.Duration
	waits []string
	asked [2]int
}

func (l *limiter) Wait(ctx context.Context, tenant string, reads, writes int) error {
	l.mu.Lock()
	d := time.Until(l.until)
	l.waits = append(l.waits, tenant)
	l.asked[0] += reads
	l.asked[1] += writes
	l.mu.Unlock()
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *limiter) Halt(_ string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halts = append(l.halts, d)
	if until := time.Now().Add(d); until.After(l.until) {
		l.until = until
	}
}
