package report

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/muster-mfa/muster/graphclient"
)

// Source is the directory that a report is read from. A
// [graphclient.Directory] is one.
type Source interface {
	ReportUsers(context.Context, graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error]
	UserDetails(ctx context.Context, ids []string, want graphclient.Details) ([]graphclient.UserDetails, error)
	Registrations(context.Context, graphclient.RegistrationsQuery) iter.Seq2[graphclient.RegistrationDetails, error]
	SignIns(context.Context, graphclient.SignInsQuery) iter.Seq2[graphclient.SignIn, error]
}

var _ Source = (*graphclient.Directory)(nil)

// reading is what was read, each sorted by object id.
type reading struct {
	users, registrations, signIns *sorter
	parts                         *parts
}

// read reads all that is asked for, the parts side by side.
func (b *build) read(ctx context.Context) (*reading, error) {
	r := &reading{
		users: b.sorter(), registrations: b.sorter(), signIns: b.sorter(), parts: newParts(b.o),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.readUsers(ctx, r) })
	if !b.o.NoRegistrations {
		g.Go(func() error { return b.readRegistrations(ctx, r) })
	}
	if b.o.SignInDays > 0 {
		g.Go(func() error { return b.readSignIns(ctx, r) })
	}
	return r, g.Wait()
}

// maxListings is how often a listing is begun before it is given up.
const maxListings = 3

// lostPlace tells whether a listing has to begin anew: the service does not take
// the link to the next page any more (Directory_ExpiredPageToken).
func lostPlace(err error, seen int) bool {
	return seen > 0 && graphclient.KindOf(err) == graphclient.KindInvalid
}

// readRegistrations reads the registration report. What it can't read, the
// report does without.
func (b *build) readRegistrations(ctx context.Context, r *reading) error {
	var seen int
	var err error
	for range maxListings {
		// Rows of a listing that broke off may stay: the join takes each once.
		r.parts.restart(partRegistrations)
		b.progress.registrations.Store(0)
		if seen, err = b.registrationsOnce(ctx, r); !lostPlace(err, seen) {
			break
		}
	}
	if graphclient.KindOf(err) != graphclient.KindNone {
		return r.parts.brokeOff(ctx, partRegistrations, err)
	}
	return err
}

func (b *build) registrationsOnce(ctx context.Context, r *reading) (seen int, err error) {
	var scratch []byte
	for d, err := range b.source.Registrations(ctx, graphclient.RegistrationsQuery{Pace: b.pace}) {
		if err != nil {
			return seen, err
		}
		seen++
		r.parts.count(partRegistrations)
		b.progress.registrations.Add(1)
		row := registrationRow(d)
		if scratch, err = r.registrations.addRow([]byte(row.ID), &row, scratch); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func registrationRow(d graphclient.RegistrationDetails) Row {
	r := Row{
		ID: strings.ToLower(d.ID), Methods: d.Methods, DefaultMethod: string(d.DefaultMethod), SystemPreferred: flagOf(d.SystemPreferred),
		Admin: flagOf(d.IsAdmin), MFARegistered: flagOf(d.IsMFARegistered), MFACapable: flagOf(d.IsMFACapable),
		Passwordless: flagOf(d.IsPasswordlessReady), SSPRRegistered: flagOf(d.IsSSPRRegistered),
		SSPREnabled: flagOf(d.IsSSPREnabled), SSPRCapable: flagOf(d.IsSSPRCapable), RegistrationUpdated: d.Updated,
	}
	if r.Methods == nil {
		r.Methods = []string{}
	}
	return r
}

// readSignIns reads the sign-in log. A user has many events; the join takes the
// latest.
func (b *build) readSignIns(ctx context.Context, r *reading) error {
	var seen int
	var err error
	all := false
	for range maxListings {
		r.parts.restart(partSignIns)
		b.progress.signIns.Store(0)
		seen, err = b.signInsOnce(ctx, r, all)
		refused := seen == 0 && graphclient.KindOf(err) == graphclient.KindInvalid
		if !lostPlace(err, seen) && (all || !refused) {
			break
		}
		all = all || refused
	}
	if graphclient.KindOf(err) != graphclient.KindNone {
		return r.parts.brokeOff(ctx, partSignIns, err)
	}
	return err
}

func (b *build) signInsOnce(ctx context.Context, r *reading, all bool) (seen int, err error) {
	var scratch []byte
	since := b.started.AddDate(0, 0, -b.o.SignInDays)
	for s, err := range b.source.SignIns(ctx, graphclient.SignInsQuery{Since: since, All: all, Pace: b.pace}) {
		if err != nil {
			return seen, err
		}
		seen++
		if !s.PassedMFA() || s.UserID == "" {
			continue
		}
		r.parts.count(partSignIns)
		b.progress.signIns.Add(1)
		row := Row{ID: strings.ToLower(s.UserID), LastMFASignIn: s.Created}
		if scratch, err = r.signIns.addRow([]byte(row.ID), &row, scratch); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// progress counts what was read, from several goroutines.
type progress struct{ seen, detailed, wanted, registrations, signIns atomic.Int64 }
