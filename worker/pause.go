package worker

import (
	"context"
	"sync"
	"time"
)

// A tenant that answers 401 or 403 is not asked again at once: the first pause is
// short, for a permission may have been granted a moment ago.
const (
	firstPause = 15 * time.Second
	maxPause   = 5 * time.Minute
)

// gates holds back the commands of tenants that refuse everybody. While a tenant
// is paused its commands stay locked in our hands; now and then one of them is
// let through as a probe.
type gates struct {
	first time.Duration

	mu      sync.Mutex
	tenants map[string]*gate // guarded by mu
}

// gate is one tenant's. Its fields are guarded by gates.mu.
type gate struct {
	pause     time.Duration // how long the present pause is, zero for none
	until     time.Time     // when the next probe may go
	probing   bool
	changed   chan struct{}        // closed and replaced when any of these change
	succeeded map[access]time.Time // when each access last worked for anybody
}

func newGates(first time.Duration) *gates {
	return &gates{first: first, tenants: make(map[string]*gate)}
}

func (g *gates) tenant(name string) *gate {
	t := g.tenants[name]
	if t == nil {
		t = &gate{changed: make(chan struct{}), succeeded: make(map[access]time.Time)}
		g.tenants[name] = t
	}
	return t
}

func (t *gate) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// enter returns when a command of the tenant may go on. A true answer makes it
// the probe: it must report back with lift, refuse or pass.
func (g *gates) enter(ctx context.Context, tenant string) (probe bool, err error) {
	for {
		g.mu.Lock()
		t := g.tenant(tenant)
		wait := time.Until(t.until)
		switch {
		case t.pause == 0:
			g.mu.Unlock()
			return false, nil
		case !t.probing && wait <= 0:
			t.probing = true
			g.mu.Unlock()
			return true, nil
		case t.probing:
			wait = maxPause
		}
		changed := t.changed
		g.mu.Unlock()
		if err := until(ctx, wait, changed); err != nil {
			return false, err
		}
	}
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

// refuse pauses the tenant, or prolongs its pause after a probe. It tells how
// long, and whether the pause has just begun.
func (g *gates) refuse(tenant string, probe bool) (pause time.Duration, begins bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	switch {
	case t.pause == 0:
		begins = true
		t.pause = g.first
	case probe:
		t.pause = min(2*t.pause, maxPause)
	default:
		// A command that was under way when the pause began changes nothing.
		return t.pause, false
	}
	t.until = time.Now().Add(t.pause)
	t.probing = false
	t.wake()
	return t.pause, begins
}

// lift ends a pause. It tells whether there was one.
func (g *gates) lift(tenant string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	if t.pause == 0 {
		return false
	}
	t.pause, t.probing = 0, false
	t.wake()
	return true
}

// pass lets another command be the probe: this one ended without an answer.
func (g *gates) pass(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tenant(tenant)
	t.probing = false
	t.wake()
}

// worked notes that the access works in the tenant.
func (g *gates) worked(tenant string, a access, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tenant(tenant).succeeded[a] = now
}

// workedSince tells whether the access has worked for anybody after the time.
func (g *gates) workedSince(tenant string, a access, since time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tenant(tenant).succeeded[a].After(since)
}

// paused lists the tenants that are paused now.
func (g *gates) paused() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for name, t := range g.tenants {
		if t.pause > 0 {
			names = append(names, name)
		}
	}
	return names
}
