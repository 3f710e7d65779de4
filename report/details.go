package report

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/muster-mfa/muster/graphclient"
)

// readDetails reads the details of the listed users, so many in a batch and
// several batches at once, and adds the rows to those of the reading.
func (b *build) readDetails(ctx context.Context, r *reading, listed *sorter, size int) error {
	g, ctx := errgroup.WithContext(ctx)
	chunks, done := make(chan []Row), make(chan []Row)
	g.Go(func() error {
		defer close(chunks)
		return b.divide(ctx, listed, size, chunks)
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
			b.progress.detailed.Add(int64(len(rows)))
		}
		return nil
	})
	return g.Wait()
}

// divide hands the listed users on in chunks.
func (b *build) divide(ctx context.Context, listed *sorter, size int, to chan<- []Row) error {
	rows := make([]Row, 0, size)
	for row, err := range b.distinct(listed) {
		if err != nil {
			return err
		}
		if rows = append(rows, row); len(rows) == size {
			if err := send(ctx, to, rows); err != nil {
				return err
			}
			rows = make([]Row, 0, size)
		}
	}
	return send(ctx, to, rows)
}

func send(ctx context.Context, to chan<- []Row, rows []Row) error {
	select {
	case to <- rows:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
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
