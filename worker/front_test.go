package worker_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// front stands before the tenant. It notes every request, sees to it that no two
// writes for one user overlap, and can be told to answer in the tenant's place.
type front struct {
	t      *testing.T
	tenant http.Handler

	mu      sync.Mutex
	seen    []request      // guarded by mu
	writing map[string]int // guarded by mu; writes under way by user
	written map[string]int // guarded by mu; writes answered with success by user
	refused map[string]int // guarded by mu; writes answered 400 by user
	meddle  meddler        // guarded by mu
	watcher func(string)   // guarded by mu
}

// meddler may answer a request in the tenant's place; n counts from one those
// that it has been asked about. False leaves the request to the tenant.
type meddler func(n int, w http.ResponseWriter, r *http.Request) bool

// request is one request as it came in.
type request struct {
	at           time.Time
	method, path string
}

// user is the user segment of the path.
func (r request) user() string {
	_, rest, _ := strings.Cut(r.path, "/users/")
	user, _, _ := strings.Cut(rest, "/")
	return user
}

func newFront(t *testing.T, tenant http.Handler) *front {
	return &front{t: t, tenant: tenant, writing: make(map[string]int), written: make(map[string]int), refused: make(map[string]int)}
}

// use installs a meddler; nil takes it away.
func (f *front) use(m meddler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meddle = m
	f.seen = nil
}

// watch has a watcher told the user of each write, once it is done and before the
// next one for the user begins.
func (f *front) watch(told func(userID string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watcher = told
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := request{at: time.Now(), method: r.Method, path: r.URL.Path}
	write := r.Method != http.MethodGet
	f.mu.Lock()
	f.seen = append(f.seen, seen)
	n, meddle := len(f.seen), f.meddle
	if write {
		if f.writing[seen.user()]++; f.writing[seen.user()] > 1 {
			f.t.Errorf("two writes for one user at once: %s %s", r.Method, r.URL.Path)
		}
	}
	f.mu.Unlock()
	answer := &answer{ResponseWriter: w}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if write && f.watcher != nil {
			f.watcher(seen.user())
		}
		if write {
			f.writing[seen.user()]--
			if answer.status/100 == 2 {
				f.written[seen.user()]++
			}
			if answer.status == http.StatusBadRequest {
				f.refused[seen.user()]++
			}
		}
	}()
	if meddle != nil && meddle(n, w, r) {
		return
	}
	f.tenant.ServeHTTP(answer, r)
}

// answer notes the status. Where the connection is cut there is none.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the tenant cut the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// answeredWrites counts per user the writes that were answered with success.
func (f *front) answeredWrites() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.written)
}

// refusedWrites counts per user the writes that were answered 400.
func (f *front) refusedWrites() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.refused)
}

// requests returns those that came since the last use.
func (f *front) requests() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// refuse answers with Graph's error envelope.
func refuse(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":"invented by a test","innerError":{"request-id":"11111111-2222-3333-4444-555555555555"}}}`, code)
	return true
}

// lose lets the tenant carry the request out and cuts the connection instead of
// answering.
func (f *front) lose(r *http.Request) bool {
	f.tenant.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// once is true for the first request with that method whose path holds the part.
func once(method, part string) func(*http.Request) bool {
	var mu sync.Mutex
	done := false
	return func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if done || r.Method != method || !strings.Contains(r.URL.Path, part) {
			return false
		}
		done = true
		return true
	}
}

// hold keeps requests whose path ends with a part from the tenant until release,
// or until their clients give up.
type hold struct {
	part    string
	reached chan struct{} // closed when the first is there
	free    chan struct{}
	first   sync.Once
	last    sync.Once
}

func newHold(part string) *hold {
	return &hold{part: part, reached: make(chan struct{}), free: make(chan struct{})}
}

func (h *hold) meddle(_ int, _ http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, h.part) {
		return false
	}
	h.first.Do(func() { close(h.reached) })
	select {
	case <-h.free:
		return false
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func (h *hold) release() { h.last.Do(func() { close(h.free) }) }
