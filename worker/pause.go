package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// A tenant that answers 401 or 403 is not asked again at once: the first pause is
// short, for a permission may have been granted a moment ago.
const (
	firstPause = 15 * time.Second
	maxPause   = 5 * time.Minute
)

// gates holds back the commands of tenants that refuse everybody. Each kind of
// access has its own gate: where one permission is missing, commands that need
// others go on. While a gate is closed, the commands that need it stay locked in
// our hands; now and then one of them is let through as a probe.
type gates struct {
	first time.Duration

	mu      sync.Mutex
	tenants map[string]*accesses // guarded by mu
}

// accesses is what is known of one tenant. Its fields are guarded by gates.mu.
type accesses struct {
	closed    map[access]*gate
	succeeded map[access]time.Time // when each last worked for anybody
	changed   chan struct{}        // closed and replaced when a gate changes
}

// gate is a closed one.
type gate struct {
	pause   time.Duration // how long the present pause is
	until   time.Time     // when the next probe may go
	probing bool
}

func newGates(first time.Duration) *gates {
	return &gates{first: first, tenants: make(map[string]*accesses)}
}

func (g *gates) tenant(name string) *accesses {
	t := g.tenants[name]
	if t == nil {
		t = &accesses{closed: make(map[access]*gate), succeeded: make(map[access]time.Time), changed: make(chan struct{})}
		g.tenants[name] = t
	}
	return t
}

func (t *accesses) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// enter returns when a command that needs these kinds of access may go on. It is
// the probe of those that it returns, and must give each of them back with pass.
func (g *gates) enter(ctx context.Context, tenant string, needed []access) (probing []access, err error) {
	for {
		probing, wait, changed := g.tryEnter(tenant, needed, time.Now())
		if wait <= 0 {
			return probing, nil
		}
		if err := until(ctx, wait, changed); err != nil {
			return nil, err
		}
	}
}

// tryEnter takes all the gates or none: a probe that waited for another one could
// wait for ever.
func (g *gates) tryEnter(tenant string, needed []access, now time.Time) (probing []access, wait time.Duration, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	for _, a := range needed {
		gate := t.closed[a]
		switch {
		case gate == nil:
		case gate.probing:
			wait = max(wait, maxPause)
		case now.Before(gate.until):
			wait = max(wait, gate.until.Sub(now))
		default:
			probing = append(probing, a)
		}
	}
	if wait > 0 {
		return nil, wait, t.changed
	}
	for _, a := range probing {
		t.closed[a].probing = true
	}
	return probing, 0, nil
}

// until waits for the time to pass or the channel to close.
func until(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refuse closes the gate, or keeps it closed for longer after a probe. It tells
// for how long, and whether that is news.
func (g *gates) refuse(tenant string, a access, probe bool) (pause time.Duration, news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	shut := t.closed[a]
	switch {
	case shut == nil:
		shut = &gate{pause: g.first}
		t.closed[a] = shut
	case probe:
		shut.pause = min(2*shut.pause, maxPause)
	default:
		// A command that was under way when the pause began changes nothing.
		return shut.pause, false
	}
	shut.until = time.Now().Add(shut.pause)
	shut.probing = false
	t.wake()
	return shut.pause, true
}

// pass lets other commands be the probe.
func (g *gates) pass(tenant string, probing []access) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	for _, a := range probing {
		if gate := t.closed[a]; gate != nil {
			gate.probing = false
		}
	}
	t.wake()
}

// worked notes that the access works in the tenant, which opens its gate. It
// tells whether that was closed.
func (g *gates) worked(tenant string, a access, now time.Time) (opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	for _, a := range [...]access{a, signIn} {
		t.succeeded[a] = now
		if t.closed[a] != nil {
			delete(t.closed, a)
			opened = true
		}
	}
	if opened {
		t.wake()
	}
	return opened
}

// workedSince tells whether the access has worked for anybody after the time.
func (g *gates) workedSince(tenant string, a access, since time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tenant(tenant).succeeded[a].After(since)
}

// paused lists the tenants of which a gate is closed, in the order of their names.
func (g *gates) paused() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(g.tenants)), func(name string) bool {
		return len(g.tenants[name].closed) == 0
	})
}
