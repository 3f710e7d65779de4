package worker

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/muster-mfa/muster/graphclient"
)

// resolver finds the object id behind a user principal name, so that nothing
// after it names the user by anything else. What it found is good for a while.
type resolver struct {
	keep  time.Duration
	limit int

	mu       sync.Mutex
	young    map[string]found // guarded by mu
	previous map[string]found // guarded by mu; the generation before
}

type found struct {
	id    string
	until time.Time
}

func newResolver() *resolver {
	return &resolver{keep: 15 * time.Minute, limit: 100_000, young: make(map[string]found)}
}

// isObjectID tells an object id from a user principal name.
func isObjectID(user string) bool {
	return len(user) == 36 && uuid.Validate(user) == nil
}

// known returns the user's object id where it takes no request to tell it.
func (r *resolver) known(tenant, user string) (string, bool) {
	if isObjectID(user) {
		return fold(user), true
	}
	return r.lookUp(tenant+"\x00"+fold(user), time.Now())
}

// resolve asks Graph for the object id behind a user principal name.
func (r *resolver) resolve(ctx context.Context, dir *graphclient.Directory, tenant, user string) (string, error) {
	u, err := dir.User(ctx, user)
	if err != nil {
		return "", err
	}
	id := strings.ToLower(u.ID)
	r.store(tenant+"\x00"+fold(user), found{id, time.Now().Add(r.keep)})
	return id, nil
}

func (r *resolver) lookUp(key string, now time.Time) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.young[key]
	if !ok {
		f, ok = r.previous[key]
	}
	return f.id, ok && now.Before(f.until)
}

// store makes the full generation the previous one, which bounds the memory to
// two of them.
func (r *resolver) store(key string, f found) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.limit {
		r.previous, r.young = r.young, make(map[string]found)
	}
	r.young[key] = f
}

// forget drops what was found: the user seems to have gone.
func (r *resolver) forget(tenant, user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := tenant + "\x00" + fold(user)
	delete(r.young, key)
	delete(r.previous, key)
}
