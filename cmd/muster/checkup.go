package main

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/muster-mfa/muster/doctor"
)

const (
	// checkupEvery is how long a tenant that was looked at is left alone.
	checkupEvery   = 5 * time.Minute
	checkupTimeout = 30 * time.Second
)

// checkup runs the checks of muster doctor when a worker starts and when a tenant
// is paused, and logs what is wrong. It never ends anything. Its zero value does
// nothing until it is started.
type checkup struct {
	ask    chan string
	cancel context.CancelFunc
	done   chan struct{}
}

// start begins with the home tenant, where one is named. o says what to check;
// the tenants are found as they come.
func (c *checkup) start(ctx context.Context, o doctor.Options, home string, log *slog.Logger) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.ask, c.done = make(chan string, 16), make(chan struct{})
	go func() {
		defer close(c.done)
		looked := make(map[string]time.Time)
		look := func(tenant string) {
			if time.Since(looked[tenant]) < checkupEvery {
				return
			}
			looked[tenant] = time.Now()
			ctx, cancel := context.WithTimeout(ctx, checkupTimeout)
			defer cancel()
			o := o
			o.Tenants = []string{tenant}
			logFindings(ctx, log, doctor.Check(ctx, o))
		}
		if home != "" {
			look(home)
		}
		for {
			select {
			case tenant := <-c.ask:
				look(tenant)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// paused asks for a look at a tenant. It does not wait, and forgets the question
// where too many are open.
func (c *checkup) paused(tenant string) {
	if c.ask == nil {
		return
	}
	select {
	case c.ask <- tenant:
	default:
	}
}

// stop ends the checkup and waits for it.
func (c *checkup) stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

// logFindings logs what is worth a warning.
func logFindings(ctx context.Context, log *slog.Logger, findings []doctor.Finding) {
	if ctx.Err() != nil {
		return
	}
	for _, f := range findings {
		if f.Severity == doctor.Warning || f.Severity == doctor.Error {
			log.WarnContext(ctx, "muster doctor: "+f.What, "check", f.Check, "severity", string(f.Severity), "tenant", f.Tenant, "mend", cmp.Or(f.Portal, f.Command))
		}
	}
}
