package tenant

import (
	"net/http"
)

// This file is the way of the calls into the directory: what they see of a
// user, and how they change one.

// see returns the user of the call, as a read sees it.
func (t *Tenant) see(c *call) (*record, *refusal) {
	r, stale := t.directory.read(c.user, c.sight)
	if stale {
		t.tally.fault(faultStale)
	}
	if r == nil {
		return nil, userNotFound(c.user)
	}
	return t.shown(r), nil
}

// change applies a write to the user of the call and counts it where it asked
// for what was true already.
func (t *Tenant) change(c *call, rule func(*record, numberOwners) *refusal) (*record, *refusal) {
	r, changed, no := t.directory.update(c.user, c.sight, rule)
	t.directory.audits.note(c, r, no)
	if !changed && r != nil && (no == nil || no.redundant || no.status == http.StatusConflict) {
		t.tally.count(func(s *Stats) { s.RedundantWrites++ })
	}
	return r, no
}

// changed answers a write that has no body to show.
func (t *Tenant) changed(c *call, rule func(*record, numberOwners) *refusal) reply {
	if _, no := t.change(c, rule); no != nil {
		return t.refuse(c, no)
	}
	return reply{status: http.StatusNoContent}
}

// refuse answers a call with a refusal of the directory.
func (t *Tenant) refuse(c *call, no *refusal) reply { return t.refused(no, c.ids) }
