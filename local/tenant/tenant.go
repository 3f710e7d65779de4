package tenant

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Tenant is a simulated tenant. It is an [net/http.Handler], safe for
// concurrent use, and owns no goroutine.
type Tenant struct {
	directory     *directory
	quota         *quota
	dice          *diceBox
	probabilities Probabilities
	faulty        bool
	denials       denials
	tally         *tally
	id            string
	requireToken  bool
	hideNumbers   bool
	authority     *authority // nil: the tenant checks no tokens
	registrations *registrations
	noPremium     bool
	// documentedOnly: see Options.DocumentedOnly.
	documentedOnly bool
	started        time.Time
	seed           uint64
	requests       atomic.Uint64 // numbers the request ids
	now            func() time.Time
	logger         *slog.Logger
}

// New returns a tenant, or every reason why the options make none.
func New(o Options) (*Tenant, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("check tenant options: %w", err)
	}
	t := &Tenant{
		directory:     newDirectory(o.Lag),
		quota:         newQuota(o.Quota, o.Now()),
		dice:          newDiceBox(o.Seed),
		probabilities: *o.Probabilities,
		faulty:        *o.Probabilities != Probabilities{},
		tally:         newTally(),
		id:            o.ID,
		requireToken:  o.RequireToken,
		hideNumbers:   o.HideNumbers,
		registrations: &registrations{lag: o.RegistrationLag},
		noPremium:     o.NoPremium,

		documentedOnly: o.DocumentedOnly,
		started:        o.Now(),
		seed:           o.Seed,
		now:            o.Now,
		logger:         o.Logger,
	}
	var err error
	if t.authority, err = newAuthority(o); err != nil {
		return nil, fmt.Errorf("register applications: %w", err)
	}
	if err := t.directory.add(o.Users, time.Time{}); err != nil {
		return nil, fmt.Errorf("fill directory: %w", err)
	}
	t.registrations.report(t.started, t.directory)
	t.denials.add(o.Deny...)
	return t, nil
}

// ID is the tenant's id.
func (t *Tenant) ID() string { return t.id }

// AddUsers creates users: all of them, or none and every reason. For as long
// as the lag, requests may not find them yet.
func (t *Tenant) AddUsers(users []User) error {
	if err := t.directory.add(users, t.now()); err != nil {
		return fmt.Errorf("add users: %w", err)
	}
	return nil
}

// Deny refuses operations from now on, until Lift.
func (t *Tenant) Deny(d Denial) error {
	if err := d.validate(); err != nil {
		return err
	}
	t.denials.add(d)
	return nil
}

// Lift takes back every denial.
func (t *Tenant) Lift() { t.denials.lift() }

// Stats returns what the tenant has counted so far.
func (t *Tenant) Stats() Stats { return t.tally.snapshot() }

// Snapshot returns what the directory really holds, without lag, sorted by
// user principal name.
func (t *Tenant) Snapshot() []User { return t.directory.snapshot() }

// User returns what the directory really holds of one user, without lag, by
// object id or user principal name, and whether there is one.
func (t *Tenant) User(idOrUPN string) (User, bool) { return t.directory.user(idOrUPN) }
