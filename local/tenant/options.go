package tenant

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Options says what a [Tenant] holds and how it behaves. The zero value is an
// empty directory with the published quotas and the default faults.
type Options struct {
	// Users is the initial directory. A user without an id gets one that is
	// derived from the user principal name, see [UserID].
	Users []User
	// Quota says what the tenant throttles. Empty means by the number of
	// Users, as published: small below 50, medium to 500, large above.
	Quota Quota
	// Faults is how badly the tenant behaves. Empty means FaultsDefault.
	Faults Faults
	// Probabilities, where not nil, takes the place of what Faults stands for.
	Probabilities *Probabilities
	// Lag is for how long after a write a read may show what was before.
	// Zero means what Faults stands for (none 0, default 500 ms, harsh 3 s);
	// negative means that no read is ever stale.
	Lag time.Duration
	// RegistrationLag is how old the registration report may be before it is made
	// anew. Zero means what Faults stands for (none: never old, default 5
	// minutes, harsh 24 hours, which is what Microsoft reports at worst);
	// negative means that it is never old.
	RegistrationLag time.Duration
	// NoPremium makes it a tenant without Microsoft Entra ID P1: the registration
	// report and the sign-in log are refused.
	NoPremium bool
	// DocumentedOnly makes it a tenant that refuses perUserMfaState in the
	// $select of users, which is in no documentation.
	DocumentedOnly bool
	// Seed makes faults and stale reads repeat, see the package documentation.
	Seed uint64
	// RequireToken refuses a request without a bearer token with 401. Any
	// token is accepted, unless there are Applications.
	RequireToken bool
	// HideNumbers shows phone numbers only in part, as the service does to a
	// person with the role Authentication Administrator.
	HideNumbers bool
	// ID is the tenant's id, a GUID. Empty means one that never changes.
	ID string
	// Domains are the verified domain names by which the token service knows
	// the tenant, besides its ID. Nil means those of the Users' principal names.
	Domains []string
	// Applications are those that the tenant knows. Where there are any, the
	// token service is there, and Graph takes nothing but its tokens.
	Applications []Application
	// TokenLifetime is how long access tokens live. Zero means
	// [DefaultTokenLifetime].
	TokenLifetime time.Duration
	// ApproveDevices signs the tenant's administrator in with every device
	// code at once. Otherwise [Tenant.ApproveDevice] does.
	ApproveDevices bool
	// Deny lists the operations that are refused from the beginning.
	Deny []Denial
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Logger is told of replies that could not be delivered. It never sees a
	// number, a user principal name or a body. Nil discards.
	Logger *slog.Logger
}

// Quota names what a tenant throttles.
type Quota string

// The quotas. ResourceUnits per 10 s and application are as published for the
// tenant's size; besides, each of the three sizes allows 3,000 writes in 150 s
// (Microsoft Graph, throttling limits, "Identity and access service limits").
const (
	// QuotaSmall is a tenant below 50 users: 3,500 ResourceUnits.
	QuotaSmall Quota = "small"
	// QuotaMedium is a tenant of 50 to 500 users: 5,000 ResourceUnits.
	QuotaMedium Quota = "medium"
	// QuotaLarge is a tenant above 500 users: 8,000 ResourceUnits.
	QuotaLarge Quota = "large"
	// QuotaStrict is QuotaLarge with at most 5 requests in 10 s to
	// users/{id}/authentication, which is what the limit table for reports says
	// of the resource authenticationMethod when it is read literally.
	QuotaStrict Quota = "strict"
	// QuotaUnlimited throttles nothing.
	QuotaUnlimited Quota = "unlimited"
)

// Faults names how badly a tenant behaves.
type Faults string

// The levels of faults. [Faults.Probabilities] tells what each stands for.
const (
	FaultsNone    Faults = "none"
	FaultsDefault Faults = "default"
	FaultsHarsh   Faults = "harsh"
)

// withDefaults fills in what the zero values stand for.
func (o Options) withDefaults() Options {
	if o.Quota == "" {
		o.Quota = quotaForSize(len(o.Users))
	}
	if o.Faults == "" {
		o.Faults = FaultsDefault
	}
	if o.Probabilities == nil {
		p := o.Faults.Probabilities()
		o.Probabilities = &p
	}
	if o.Lag == 0 {
		o.Lag = o.Faults.lag()
	}
	o.Lag = max(o.Lag, 0)
	if o.RegistrationLag == 0 {
		o.RegistrationLag = o.Faults.registrationLag()
	}
	o.RegistrationLag = max(o.RegistrationLag, 0)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ID == "" {
		o.ID = tenantID
	}
	if o.Domains == nil {
		o.Domains = domainsOf(o.Users)
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = DefaultTokenLifetime
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// domainsOf lists the domains of the users' principal names, each once.
func domainsOf(users []User) []string {
	var domains []string
	for i := range users {
		at := strings.LastIndexByte(users[i].UserPrincipalName, '@')
		domain := strings.ToLower(users[i].UserPrincipalName[at+1:])
		if at >= 0 && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// validate reports every fault at once. It expects defaults to be filled in.
func (o Options) validate() error {
	var faults []error
	switch o.Quota {
	case QuotaSmall, QuotaMedium, QuotaLarge, QuotaStrict, QuotaUnlimited:
	default:
		faults = append(faults, fmt.Errorf("quota %q is none of small, medium, large, strict, unlimited", o.Quota))
	}
	switch o.Faults {
	case FaultsNone, FaultsDefault, FaultsHarsh:
	default:
		faults = append(faults, fmt.Errorf("faults %q is none of none, default, harsh", o.Faults))
	}
	if _, err := uuid.Parse(o.ID); err != nil {
		faults = append(faults, errors.New("tenant id is not a GUID"))
	}
	if o.TokenLifetime < time.Second {
		faults = append(faults, fmt.Errorf("token lifetime %v is below a second", o.TokenLifetime))
	}
	faults = append(faults, o.Probabilities.validate())
	for _, d := range o.Deny {
		faults = append(faults, d.validate())
	}
	return errors.Join(faults...)
}
