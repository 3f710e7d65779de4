package ledger

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
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

// Changes takes the records of a run together, user by user. A run can have
// millions of users: each is held as bytes, for their maps would take ten times
// the memory.
type Changes struct {
	byUser map[string]int
	packed [][]byte // in the order of the users' first records
}

// Add takes the next record, in the order of the ledger.
func (c *Changes) Add(r Record) {
	key := strings.ToLower(r.Tenant) + "\x00" + strings.ToLower(r.UserID)
	i, seen := c.byUser[key]
	u := Change{Tenant: r.Tenant, UserID: r.UserID, Row: r.Row}
	if seen {
		u = unpack(c.packed[i])
	}
	u.add(r)
	if seen {
		c.packed[i] = pack(u)
		return
	}
	if c.byUser == nil {
		c.byUser = make(map[string]int)
	}
	c.byUser[key] = len(c.packed)
	c.packed = append(c.packed, pack(u))
}

func (u *Change) add(r Record) {
	u.Before = r.Before.under(u.Before)
	if _, written := r.After.Phones[mobile]; written {
		// Whether a number just written is signed in with is up to the tenant's
		// policy, unless the command said so too.
		u.After.SMSSignIn = nil
	}
	u.After = u.After.under(r.After)
	u.Removed = append(u.Removed, r.Removed...)
}

// pack never fails: a change holds nothing that JSON can't.
func pack(u Change) []byte {
	b, err := json.Marshal(u)
	if err != nil {
		panic("ledger: pack a change: " + err.Error())
	}
	return slices.Clip(b)
}

func unpack(b []byte) (u Change) {
	if err := json.Unmarshal(b, &u); err != nil {
		panic("ledger: unpack a change that was packed")
	}
	return u
}

// All returns the users in the order of their first records.
func (c *Changes) All() iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for _, b := range c.packed {
			if !yield(unpack(b)) {
				return
			}
		}
	}
}

// Len is the number of users.
func (c *Changes) Len() int { return len(c.packed) }

// under is v with the parts of top over it.
func (v Values) under(top Values) Values {
	merged := v
	if len(v.Phones)+len(top.Phones) > 0 {
		merged.Phones = make(map[string]string, len(v.Phones)+len(top.Phones))
		maps.Copy(merged.Phones, v.Phones)
		maps.Copy(merged.Phones, top.Phones)
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
