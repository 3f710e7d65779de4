package report

import (
	"context"
	"fmt"
	"iter"
)

// rowsByID walks a sorter of rows; its head is the next one.
type rowsByID struct {
	head Row
	more bool
	next func() (Row, error, bool)
	stop func()
}

func pullRows(s *sorter) (*rowsByID, error) {
	c := &rowsByID{}
	c.next, c.stop = iter.Pull2(s.rows())
	return c, c.advance()
}

func (c *rowsByID) advance() error {
	row, err, more := c.next()
	if err != nil {
		return err
	}
	c.head, c.more = row, more
	return nil
}

// upTo passes over the rows below the id and calls each for those of that id.
func (c *rowsByID) upTo(id string, each func(Row)) error {
	for c.more && c.head.ID <= id {
		if c.head.ID == id {
			each(c.head)
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// join puts together what was read of each user and calls emit for each, in the
// order of object ids.
func (b *build) join(ctx context.Context, r *reading, emit func(*Row) error) error {
	registrations, err := pullRows(r.registrations)
	if err != nil {
		return err
	}
	defer registrations.stop()
	signIns, err := pullRows(r.signIns)
	if err != nil {
		return err
	}
	defer signIns.stop()
	for row, err := range b.distinct(r.users) {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("join what was read: %w", err)
		}
		if err := registrations.upTo(row.ID, row.addRegistration); err != nil {
			return err
		}
		latest := func(s Row) {
			if s.LastMFASignIn.After(row.LastMFASignIn) {
				row.LastMFASignIn = s.LastMFASignIn
			}
		}
		if err := signIns.upTo(row.ID, latest); err != nil {
			return err
		}
		row.complete()
		if err := emit(&row); err != nil {
			return err
		}
	}
	return nil
}

// addRegistration takes over what the registration report tells. What was read
// of the user directly is newer and stays.
func (r *Row) addRegistration(from Row) {
	if r.Methods == nil {
		r.Methods = from.Methods
	}
	if r.DefaultMethod == "" {
		r.DefaultMethod = from.DefaultMethod
	}
	if r.SystemPreferred == Unknown {
		r.SystemPreferred = from.SystemPreferred
	}
	r.Admin, r.MFARegistered, r.MFACapable, r.Passwordless = from.Admin, from.MFARegistered, from.MFACapable, from.Passwordless
	r.SSPRRegistered, r.SSPREnabled, r.SSPRCapable = from.SSPRRegistered, from.SSPREnabled, from.SSPRCapable
	r.RegistrationUpdated = from.RegistrationUpdated
}
