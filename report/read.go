package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
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

// readRegistrations reads the registration report. What it can't read, the
// report does without.
func (b *build) readRegistrations(ctx context.Context, r *reading) error {
	var scratch []byte
	for d, err := range b.source.Registrations(ctx, graphclient.RegistrationsQuery{Pace: b.pace}) {
		if err != nil {
			return r.parts.failed(ctx, partRegistrations, err)
		}
		r.parts.count(partRegistrations)
		b.progress.registrations.Add(1)
		row := registrationRow(d)
		if scratch, err = r.registrations.addRow([]byte(row.ID), &row, scratch); err != nil {
			return err
		}
	}
	return nil
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
	seen, err := b.signInsOnce(ctx, r, false)
	if seen == 0 && graphclient.KindOf(err) == graphclient.KindInvalid {
		_, err = b.signInsOnce(ctx, r, true)
	}
	if graphclient.KindOf(err) != graphclient.KindNone {
		return r.parts.failed(ctx, partSignIns, err)
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

// readUsers lists the users and reads their details in batches, several at once.
func (b *build) readUsers(ctx context.Context, r *reading) error {
	g, ctx := errgroup.WithContext(ctx)
	chunks, done := make(chan []Row), make(chan []Row)
	g.Go(func() error {
		defer close(chunks)
		return b.listUsers(ctx, r.parts, chunks)
	})
	var workers sync.WaitGroup
	for range b.o.Concurrency {
		workers.Add(1)
		g.Go(func() error {
			defer workers.Done()
			for rows := range chunks {
				if err := b.detail(ctx, r.parts, rows); err != nil {
					return err
				}
				if err := send(ctx, done, rows); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		workers.Wait()
		close(done)
		return nil
	})
	g.Go(func() error {
		var scratch []byte
		for rows := range done {
			for i := range rows {
				var err error
				if scratch, err = r.users.addRow([]byte(rows[i].ID), &rows[i], scratch); err != nil {
					return err
				}
			}
			b.progress.users.Add(int64(len(rows)))
		}
		return nil
	})
	return g.Wait()
}

func send(ctx context.Context, to chan<- []Row, rows []Row) error {
	select {
	case to <- rows:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listUsers lists the users that the report is about. Where the tenant does not
// take the question for the per-user MFA state in a listing, it asks without.
func (b *build) listUsers(ctx context.Context, p *parts, to chan<- []Row) error {
	withState := true
	for {
		seen, err := b.listOnce(ctx, withState, to)
		kind := graphclient.KindOf(err)
		if withState && seen == 0 && (kind == graphclient.KindInvalid || kind == graphclient.KindForbidden) {
			withState = false
			continue
		}
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		return nil
	}
}

func (b *build) listOnce(ctx context.Context, withState bool, to chan<- []Row) (seen int, err error) {
	size := chunkSize(b.o)
	rows := make([]Row, 0, size)
	for u, err := range b.source.ReportUsers(ctx, graphclient.ReportUsersQuery{PerUserMFAState: withState}) {
		if err != nil {
			return seen, err
		}
		seen++
		b.progress.seen.Add(1)
		row := userRow(u)
		if !b.o.concerns(&row) {
			continue
		}
		if rows = append(rows, row); len(rows) == size {
			if err := send(ctx, to, rows); err != nil {
				return seen, err
			}
			rows = make([]Row, 0, size)
		}
	}
	return seen, send(ctx, to, rows)
}

// chunkSize is how many users are handed on together: as many as fit into one
// $batch with all that may have to be read of them.
func chunkSize(o Options) int {
	want := detailsWanted(o)
	want.PerUserMFAState = true
	return want.UsersPerBatch()
}

func userRow(u graphclient.ReportUser) Row {
	return Row{
		ID: strings.ToLower(u.ID), UserPrincipalName: u.UserPrincipalName, DisplayName: u.DisplayName, UserType: u.UserType,
		AccountEnabled: flagOf(u.AccountEnabled), Synced: FlagOf(u.OnPremisesSyncEnabled),
		Licensed: FlagOf(len(u.AssignedLicenses) > 0), Department: u.Department,
		PerUserMFAState: string(u.PerUserMFAState), LastPasswordChange: u.LastPasswordChange,
	}
}

func detailsWanted(o Options) graphclient.Details {
	return graphclient.Details{Preferences: o.Details, Methods: o.Details, Phones: o.Phones != PhonesHidden}
}

// detail reads the details of a few users into their rows. The per-user MFA
// state is asked for where the listing did not tell it.
func (b *build) detail(ctx context.Context, p *parts, rows []Row) error {
	want := p.still(detailsWanted(b.o))
	var with, without []int
	for i := range rows {
		if rows[i].PerUserMFAState == "" && !p.stopped(partState) {
			without = append(without, i)
		} else {
			with = append(with, i)
		}
	}
	if err := b.batch(ctx, p, rows, with, want); err != nil {
		return err
	}
	want.PerUserMFAState = true
	return b.batch(ctx, p, rows, without, want)
}

func (b *build) batch(ctx context.Context, p *parts, rows []Row, which []int, want graphclient.Details) error {
	if len(which) == 0 || want.UsersPerBatch() == 0 {
		return nil
	}
	ids := make([]string, len(which))
	for n, i := range which {
		ids[n] = rows[i].ID
	}
	all, err := b.source.UserDetails(ctx, ids, want)
	if err != nil {
		return fmt.Errorf("read details of users: %w", err)
	}
	for n, i := range which {
		if err := b.take(ctx, p, &rows[i], all[n], want); err != nil {
			return err
		}
	}
	return nil
}

// take puts what was read of a user into the row.
func (b *build) take(ctx context.Context, p *parts, r *Row, d graphclient.UserDetails, want graphclient.Details) error {
	var faults []error
	got := func(asked bool, part partName, err error) bool {
		switch {
		case !asked:
			return false
		case err != nil:
			faults = append(faults, p.failed(ctx, part, err))
			return false
		}
		p.count(part)
		return true
	}
	if got(want.PerUserMFAState, partState, d.PerUserMFAStateErr) {
		r.PerUserMFAState = string(d.PerUserMFAState)
	}
	if got(want.Preferences, partPreferences, d.PreferencesErr) {
		r.DefaultMethod, r.SystemPreferred = string(d.Preferences.DefaultMethod), FlagOf(d.Preferences.SystemPreferred)
		if r.DefaultMethod == "" {
			r.DefaultMethod = "none"
		}
	}
	if got(want.Phones, partPhones, d.PhonesErr) {
		r.Phones = phonesOf(d.Phones)
		if b.o.Phones == PhonesMasked {
			r.Phones = r.Phones.masked()
		}
	}
	if got(want.Methods, partMethods, d.MethodsErr) {
		r.Methods = registeredNames(d.Methods)
	}
	return errors.Join(faults...)
}

func phonesOf(methods []graphclient.PhoneMethod) *Phones {
	var p Phones
	for _, m := range methods {
		switch m.Type {
		case graphclient.Mobile:
			p.Mobile = m.Number
		case graphclient.AlternateMobile:
			p.AlternateMobile = m.Number
		case graphclient.Office:
			p.Office = m.Number
		}
	}
	return &p
}

// progress counts what was read, from several goroutines.
type progress struct{ seen, users, registrations, signIns atomic.Int64 }
