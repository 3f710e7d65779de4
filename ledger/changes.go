package ledger

import (
	"iter"
	"strings"
)

// mobile is the phone type that SMS sign-in belongs to.
const mobile = "mobile"

// Change is what a run did to one user, all of its records taken together.
type Change struct {
	Tenant, UserID string
	// Row is the row of the user's first record.
	Row int
	// Before holds each part as it was before the run's first write of it.
	Before Values
	// After holds each part as the run's last write of it left it.
	After Values
	// Removed lists the Microsoft Authenticator registrations that went.
	Removed []string
}

// Changes takes the records of a run together, user by user.
type Changes struct {
	byUser map[string]*Change
	order  []*Change
}

// Add takes the next record, in the order of the ledger.
func (c *Changes) Add(r Record) {
	key := strings.ToLower(r.Tenant) + "\x00" + strings.ToLower(r.UserID)
	u := c.byUser[key]
	if u == nil {
		u = &Change{Tenant: r.Tenant, UserID: r.UserID, Row: r.Row}
		if c.byUser == nil {
			c.byUser = make(map[string]*Change)
		}
		c.byUser[key] = u
		c.order = append(c.order, u)
	}
	u.Before = r.Before.under(u.Before)
	if _, written := r.After.Phones[mobile]; written {
		// Whether a number just written is signed in with is up to the tenant's
		// policy, unless the command said so too.
		u.After.SMSSignIn = nil
	}
	u.After = u.After.under(r.After)
	u.Removed = append(u.Removed, r.Removed...)
}

// All returns the users in the order of their first records.
func (c *Changes) All() iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for _, u := range c.order {
			if !yield(*u) {
				return
			}
		}
	}
}

// Len is the number of users.
func (c *Changes) Len() int { return len(c.order) }

// under is v with the parts of top over it.
func (v Values) under(top Values) Values {
	merged := v
	if len(v.Phones)+len(top.Phones) > 0 {
		merged.Phones = make(map[string]string, len(v.Phones)+len(top.Phones))
		for _, phones := range []map[string]string{v.Phones, top.Phones} {
			for t, number := range phones {
				merged.Phones[t] = number
			}
		}
	}
	if top.SMSSignIn != nil {
		merged.SMSSignIn = top.SMSSignIn
	}
	if top.PerUserMFAState != nil {
		merged.PerUserMFAState = top.PerUserMFAState
	}
	if top.DefaultMethod != nil {
		merged.DefaultMethod = top.DefaultMethod
	}
	return merged
}
