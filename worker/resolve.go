package worker

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/muster-mfa/muster/graphclient"
)

// resolver finds the object id behind a user principal name, so that nothing
// after it names the user by anything else. What it found is good for a while.
type resolver struct {
	ids *cache[string]
}

func newResolver() *resolver { return &resolver{newCache[string](15 * time.Minute)} }

// isObjectID tells an object id from a user principal name.
func isObjectID(user string) bool {
	return len(user) == 36 && uuid.Validate(user) == nil
}

// known returns the user's object id where it takes no request to tell it.
func (r *resolver) known(tenant, user string) (string, bool) {
	if isObjectID(user) {
		return fold(user), true
	}
	return r.ids.lookUp(resolverKey(tenant, user), time.Now())
}

// resolve asks Graph for the user behind a user principal name.
func (r *resolver) resolve(ctx context.Context, dir *graphclient.Directory, tenant, user string) (graphclient.User, error) {
	u, err := dir.User(ctx, user)
	if err != nil {
		return graphclient.User{}, err
	}
	u.ID = strings.ToLower(u.ID)
	r.ids.store(resolverKey(tenant, user), u.ID, time.Now())
	return u, nil
}

// forget drops what was found: the user seems to have gone.
func (r *resolver) forget(tenant, user string) { r.ids.forget(resolverKey(tenant, user)) }

func resolverKey(tenant, user string) string { return tenant + "\x00" + fold(user) }
