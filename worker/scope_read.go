package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// scopeKeep is how long a worker goes by what a scope said of a user, and so how
// late it may notice that the user has joined a group.
const scopeKeep = 5 * time.Minute

// inScope refuses the command of a user whom the worker's scope leaves out.
func (w *Worker) inScope(working, waiting context.Context, c *command) Verdict {
	scope := w.opts.Scope
	if scope == nil {
		return Verdict{Action: Complete}
	}
	if d, known := w.scoped.lookUp(c.key(), time.Now()); known {
		return judge(d.refusal(), c.tries, false)
	}
	return w.passGate(working, waiting, c, scope.accesses(), func() error {
		d, err := w.decideScope(working, c, scope)
		if err != nil {
			return err
		}
		w.scoped.store(c.key(), d, time.Now())
		return d.refusal()
	})
}

// decideScope reads of the user what the decision needs, and no more.
func (w *Worker) decideScope(ctx context.Context, c *command, scope *Scope) (ScopeDecision, error) {
	ctx, span := w.telemetry.stage(ctx, "scope")
	defer span.End()
	subject := Subject{ID: c.userID}
	if u := c.resolved; u != nil && u.ID == c.userID {
		subject.Properties = propertiesOf(*u)
	}
	for {
		d, certain := scope.Decide(subject)
		if certain {
			return d, nil
		}
		if err := w.readSubject(ctx, c, scope, &subject); err != nil {
			return ScopeDecision{}, err
		}
	}
}

// readSubject reads the next part that is missing.
func (w *Worker) readSubject(ctx context.Context, c *command, scope *Scope, subject *Subject) error {
	dir := w.graph.Directory(c.event.Command.Tenant)
	switch scope.missing(*subject) {
	case theProperties:
		return w.call(ctx, c, readUsers, func(ctx context.Context) error {
			u, err := dir.User(ctx, c.userID)
			subject.Properties = propertiesOf(u)
			return err
		})
	case theGroups:
		in := []string{}
		for ids := range slices.Chunk(scope.groups, graphclient.MaxCheckedGroups) {
			err := w.call(ctx, c, readGroups, func(ctx context.Context) error {
				some, err := dir.MemberGroups(ctx, c.userID, ids)
				in = append(in, some...)
				return err
			})
			if err != nil {
				return err
			}
		}
		subject.Groups = &in
	case theRoles:
		return w.call(ctx, c, readRoles, func(ctx context.Context) error {
			roles, err := dir.DirectoryRoles(ctx, c.userID)
			subject.Admin = new(len(roles) > 0)
			return err
		})
	}
	return nil
}

func propertiesOf(u graphclient.User) *SubjectProperties {
	return &SubjectProperties{
		UserPrincipalName:     u.UserPrincipalName,
		AccountEnabled:        u.AccountEnabled,
		UserType:              u.UserType,
		OnPremisesSyncEnabled: u.OnPremisesSyncEnabled,
		Department:            u.Department,
	}
}

// refusal is nil for a user in scope. It names rules and nobody.
func (d ScopeDecision) refusal() error {
	switch {
	case !d.Out:
		return nil
	case d.Excluded:
		return &restriction{ReasonOutOfScope, fmt.Sprintf("The exclude rule %q of this worker's scope covers the user.", d.Rules[0])}
	}
	const most = 10
	names := strings.Join(d.Rules[:min(len(d.Rules), most)], ", ")
	if more := len(d.Rules) - most; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return &restriction{ReasonOutOfScope, fmt.Sprintf("No include rule of this worker's scope covers the user: %s.", names)}
}
