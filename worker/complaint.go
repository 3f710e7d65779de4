package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// complaintEvery is how often trouble in one tenant is told: while Graph can't be
// reached, every command meets the same.
const complaintEvery = 30 * time.Second

// complaints tells of trouble that commands wait out, so that a worker that makes
// no headway does not do so in silence.
type complaints struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // guarded by mu; when a tenant's trouble was told
}

func newComplaints(log *slog.Logger) *complaints {
	return &complaints{log: log, last: make(map[string]time.Time)}
}

// about tells why a command waits. The first look at what may pass by itself is
// not worth a line, and a refusal that is looked at again is the command's own.
func (c *complaints) about(ctx context.Context, tenant string, err error, v Verdict, tries int, now time.Time) {
	if v.Pause || tries < 2 || !passing(err) || !c.due(tenant, now) {
		return
	}
	c.log.WarnContext(ctx, "microsoft graph fails; commands wait and are tried again",
		"tenant", tenant, "error", err, "tries", tries, "next_try_in", v.After.String())
}

// passing tells trouble that may pass from an answer.
func passing(err error) bool {
	switch graphclient.KindOf(err) {
	case graphclient.KindTransient, graphclient.KindThrottled, graphclient.KindLocked:
		return true
	case graphclient.KindNone:
		var plan *Refusal
		return !errors.As(err, &plan)
	}
	return false
}

func (c *complaints) due(tenant string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, told := c.last[tenant]; told && now.Sub(last) < complaintEvery {
		return false
	}
	c.last[tenant] = now
	return true
}
