package report

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/muster-mfa/muster/graphclient"
)

// Part says of one kind of data whether it is in the report.
type Part struct {
	Name string `json:"name"`
	// Read: at least some of it was read, or there was nothing to read.
	Read bool `json:"read"`
	// Users is how many users, or events, it was read of.
	Users int64 `json:"users"`
	// Failed is how many users it could not be read of.
	Failed int64 `json:"failed,omitempty"`
	// Partial: the listing broke off, and what came after is not known.
	Partial bool `json:"partial,omitempty"`
	// Why says why not, or what it leaves out.
	Why string `json:"why,omitempty"`
}

// note says it in a phrase.
func (p Part) note() string {
	switch {
	case !p.Read:
		return "not read: " + p.Why
	case p.Partial:
		return "read in part: " + p.Why
	case p.Why == "":
		return "read"
	case p.Failed > 0:
		return fmt.Sprintf("read, but not of %s: %s", countOfUsers(p.Failed), p.Why)
	}
	return "read; " + p.Why
}

// String is the name and the note.
func (p Part) String() string { return p.Name + ": " + p.note() }

// partName names a part. The text is what people read.
type partName string

const (
	partState         partName = "per-user MFA state"
	partPreferences   partName = "default methods"
	partMethods       partName = "methods of each user"
	partPhones        partName = "phone numbers"
	partRegistrations partName = "registration details"
	partSignIns       partName = "sign-ins that passed MFA"
)

// partNeeds is what each part needs of the application, and what it leaves out
// even when it is read.
var partNeeds = map[partName]struct{ permission, limits string }{
	partState:       {permission: "Policy.Read.All"},
	partPreferences: {permission: "UserAuthenticationMethod.Read.All"},
	partMethods:     {permission: "UserAuthenticationMethod.Read.All"},
	partPhones:      {permission: "UserAuthMethod-Phone.Read.All"},
	partRegistrations: {
		permission: "AuditLog.Read.All",
		limits:     "disabled users are not in it, and it lags behind by up to a day",
	},
	partSignIns: {
		permission: "AuditLog.Read.All",
		limits: "interactive sign-ins only, as far back as the log goes (7 days, or 30 with Entra ID P1); " +
			"MFA that the identity provider of a federated domain or an earlier sign-in has satisfied counts as the log tells it",
	},
}

// manyRefusals is how many users have to be refused, and none read, before a part
// is given up: a refusal can concern one user only.
const manyRefusals = 20

// parts gathers what became of each part, from several goroutines.
type parts struct {
	mu   sync.Mutex
	list []part
	// states is how many per-user MFA states the listing of users told.
	states int64
}

type part struct {
	name    partName
	asked   bool
	stopped bool
	broken  bool
	refused int64 // of those that failed, by a 403
	read    int64
	failed  int64
	why     string
	off     string // why it was not asked for
}

func newParts(o Options) *parts {
	return &parts{list: []part{
		{name: partState, asked: true},
		{name: partRegistrations, asked: !o.NoRegistrations, off: "not asked for"},
		{name: partPreferences, asked: o.Details, off: "not asked for (--details)"},
		{name: partMethods, asked: o.Details, off: "not asked for (--details)"},
		{name: partPhones, asked: o.Phones != PhonesHidden, off: "not asked for (--phones masked or full)"},
		{name: partSignIns, asked: o.SignInDays > 0, off: "not asked for (--sign-ins DAYS)"},
	}}
}

func (p *parts) find(name partName) *part {
	i := slices.IndexFunc(p.list, func(x part) bool { return x.name == name })
	return &p.list[i]
}

func (p *parts) count(name partName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.find(name).read++
}

// restart forgets what was counted of a listing that begins, or begins anew.
func (p *parts) restart(name partName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.find(name).read = 0
}

// listed notes how many per-user MFA states the listing of users told.
func (p *parts) listed(states int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = states
}

func (p *parts) stopped(name partName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(name).stopped
}

// still takes away what has turned out to be refused to everybody.
func (p *parts) still(want graphclient.Details) graphclient.Details {
	want.Preferences = want.Preferences && !p.stopped(partPreferences)
	want.Methods = want.Methods && !p.stopped(partMethods)
	want.Phones = want.Phones && !p.stopped(partPhones)
	return want
}

// brokeOff is failed for a listing: what came before the error was read.
func (p *parts) brokeOff(ctx context.Context, name partName, err error) error {
	if err := p.failed(ctx, name, err); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.find(name)
	x.failed, x.broken = 0, true
	if x.read > 0 {
		x.why = fmt.Sprintf("the listing broke off after %d: %s", x.read, x.why)
	}
	return nil
}

// failed notes that a part could not be read, of one user or at all. It returns
// an error only where the report must end: when it was interrupted, or no token
// is to be had.
func (p *parts) failed(ctx context.Context, name partName, err error) error {
	kind := graphclient.KindOf(err)
	if ctx.Err() != nil || kind == graphclient.KindNone || kind == graphclient.KindUnauthorized {
		return fmt.Errorf("read %s: %w", name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.find(name)
	x.failed++
	switch kind {
	case graphclient.KindForbidden:
		x.refused++
		x.stopped = x.read == 0 && x.refused >= manyRefusals
		x.why = missing(partNeeds[name].permission)
	case graphclient.KindLicence:
		x.stopped = true
		x.why = "the tenant has no Microsoft Entra ID P1, which this part needs"
	case graphclient.KindNotFound:
		if x.why == "" {
			x.why = "some users were not there any more when they were asked for"
		}
	default:
		x.why = "Microsoft Graph did not answer: " + err.Error()
	}
	return nil
}

// missing says how to grant a permission.
func missing(permission string) string {
	return "the application permission " + permission +
		" is missing: add it to the app registration and grant admin consent (Microsoft Entra admin center, App registrations, API permissions)"
}

// told is what the report says of the parts.
func (p *parts) told() []Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	var told []Part
	for _, x := range p.list {
		t := Part{Name: string(x.name), Users: x.read, Failed: x.failed, Why: x.why}
		if x.name == partState {
			t.Users += p.states
		}
		switch {
		case !x.asked:
			t.Why = x.off
		case x.name == partState && x.read == 0 && x.failed == 0:
			t.Read, t.Why = true, "told by the listing of users"
		default:
			t.Read = t.Users > 0 || x.failed == 0 && !x.broken
			t.Partial = t.Read && x.broken
			if t.Read && x.refused > 0 && !x.broken {
				t.Why = "Microsoft Graph refused them (403), though not others"
			}
			if t.Read && t.Why == "" {
				t.Why = partNeeds[x.name].limits
			}
		}
		told = append(told, t)
	}
	return told
}
