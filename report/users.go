package report

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/muster-mfa/muster/graphclient"
)

// readUsers lists the users and then reads their details, if any are to be read.
// The listing goes first and on its own: it takes minutes where the details of a
// large tenant take hours, for which the links between its pages may not last.
func (b *build) readUsers(ctx context.Context, r *reading) error {
	listed, stateless, err := b.listUsers(ctx, r)
	if graphclient.KindOf(err) == graphclient.KindForbidden {
		return fmt.Errorf("list users: %s: %w", missing("User.Read.All"), err)
	}
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	want := detailsWanted(b.o)
	want.PerUserMFAState = stateless > 0
	if want.UsersPerBatch() == 0 {
		return nil
	}
	b.progress.wanted.Store(listed)
	users := r.users
	r.users = b.sorter()
	if err := b.readDetails(ctx, r, users, want.UsersPerBatch()); err != nil {
		return err
	}
	return users.close()
}

// listUsers lists the users that the report is about, and counts them and those
// whose per-user MFA state the listing does not tell. Where the tenant does not take
// the question for the state in a listing, it asks without. A listing that loses
// its place begins anew.
func (b *build) listUsers(ctx context.Context, r *reading) (listed, stateless int64, err error) {
	withState := true
	for try := 1; ; {
		seen, listed, stateless, err := b.listOnce(ctx, r, withState)
		kind := graphclient.KindOf(err)
		switch {
		case withState && seen == 0 && (kind == graphclient.KindInvalid || kind == graphclient.KindForbidden):
			withState = false
		case lostPlace(err, seen) && try < maxListings:
			try++
			if err := r.users.close(); err != nil {
				return 0, 0, err
			}
		default:
			return listed, stateless, err
		}
	}
}

func (b *build) listOnce(ctx context.Context, r *reading, withState bool) (seen int, listed, stateless int64, err error) {
	var scratch []byte
	b.progress.seen.Store(0)
	for u, err := range b.source.ReportUsers(ctx, graphclient.ReportUsersQuery{PerUserMFAState: withState}) {
		if err != nil {
			return seen, 0, 0, err
		}
		seen++
		b.progress.seen.Add(1)
		row := userRow(u)
		if !b.o.concerns(&row) {
			continue
		}
		listed++
		if row.PerUserMFAState == "" {
			stateless++
		}
		if scratch, err = r.users.addRow([]byte(row.ID), &row, scratch); err != nil {
			return seen, 0, 0, err
		}
	}
	r.parts.listed(listed - stateless)
	return seen, listed, stateless, nil
}

func userRow(u graphclient.ReportUser) Row {
	return Row{
		ID: strings.ToLower(u.ID), UserPrincipalName: u.UserPrincipalName, DisplayName: u.DisplayName, UserType: u.UserType,
		AccountEnabled: flagOf(u.AccountEnabled), Synced: FlagOf(u.OnPremisesSyncEnabled),
		Licensed: FlagOf(len(u.AssignedLicenses) > 0), Department: u.Department,
		PerUserMFAState: string(u.PerUserMFAState), LastPasswordChange: u.LastPasswordChange,
	}
}

// distinct walks the listed users in the order of their ids, each once: a listing
// that changes while it is read can show a user twice.
func (b *build) distinct(listed *sorter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		last := ""
		for row, err := range listed.rows() {
			if err == nil && row.ID == last {
				b.progress.seen.Add(-1)
				continue
			}
			last = row.ID
			if !yield(row, err) {
				return
			}
		}
	}
}
