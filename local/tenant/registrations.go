package tenant

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file answers reports/authenticationMethods/userRegistrationDetails.

// registrations is the registration report: what the directory held when the
// report was last made.
type registrations struct {
	lag time.Duration

	mu      sync.Mutex
	made    time.Time
	records []*record // sorted by id; disabled users are left out
}

// report returns the report of the moment, which is made anew when it is older
// than the lag.
func (r *registrations) report(now time.Time, d *directory) ([]*record, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.made.IsZero() || now.Sub(r.made) >= r.lag {
		r.made, r.records = now, d.enabled()
	}
	return r.records, r.made
}

// enabled returns what the directory holds of all users who are not disabled,
// sorted by id.
func (d *directory) enabled() []*record {
	d.mu.Lock()
	defer d.mu.Unlock()
	records := make([]*record, 0, len(d.ids))
	for _, id := range d.ids {
		if r := d.byID[id].current; *r.AccountEnabled {
			records = append(records, r)
		}
	}
	return records
}

// licensed refuses the reports to a tenant without Microsoft Entra ID P1.
func (t *Tenant) licensed() *refusal {
	if t.noPremium {
		return refuse(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
			"Neither tenant is B2C or tenant doesn't have premium license")
	}
	return nil
}

func (t *Tenant) listRegistrations(c *call) reply {
	no := t.licensed()
	if no == nil {
		no = c.onlyOptions("$top", "$skiptoken")
	}
	var top int
	if no == nil {
		top, no = pageSize(c.query.Get("$top"))
	}
	var q usersQuery
	if no == nil {
		no = q.resume(c.query.Get("$skiptoken"))
	}
	if no != nil {
		return t.refuse(c, no)
	}
	records, made := t.registrations.report(c.sight.now, t.directory)
	from, found := slices.BinarySearchFunc(records, q.after, func(r *record, id string) int { return strings.Compare(r.ID, id) })
	if found {
		from++
	}
	records = records[from:]
	b := appendContext(make([]byte, 0, 64<<10), c.base, "reports/authenticationMethods/userRegistrationDetails")
	if len(records) > top {
		records = records[:top]
		b = append(b, `,"@odata.nextLink":`...)
		b = appendString(b, c.nextLink(records[top-1].ID, false))
	}
	b = append(b, `,"value":[`...)
	for i, r := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendRegistration(b, made)
	}
	return ok(append(b, "]}"...))
}

func (t *Tenant) getRegistration(c *call) reply {
	if no := t.licensed(); no != nil {
		return t.refuse(c, no)
	}
	records, made := t.registrations.report(c.sight.now, t.directory)
	i, found := slices.BinarySearchFunc(records, strings.ToLower(c.id), func(r *record, id string) int { return strings.Compare(r.ID, id) })
	if !found {
		return t.refuse(c, userNotFound(c.id))
	}
	return ok(records[i].appendRegistration(make([]byte, 0, 1024), made))
}

// registeredMethods names the methods as the report does.
func (u User) registeredMethods() []string {
	var names []string
	for _, m := range [...]struct {
		name string
		has  bool
	}{
		{"mobilePhone", u.Phones.Mobile != ""},
		{"alternateMobilePhone", u.Phones.AlternateMobile != ""},
		{"officePhone", u.Phones.Office != ""},
		{"microsoftAuthenticatorPush", len(u.Authenticator) > 0},
		{"softwareOneTimePasscode", len(u.Authenticator) > 0},
	} {
		if m.has {
			names = append(names, m.name)
		}
	}
	for _, kind := range u.OtherMethods {
		if name := otherMethods[kind].reported; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// appendRegistration appends a userRegistrationDetails.
func (r *record) appendRegistration(b []byte, made time.Time) []byte {
	methods := r.registeredMethods()
	registered := r.methodCount() > 0
	b = append(b, `{"id":`...)
	b = appendString(b, r.ID)
	b = append(b, `,"userPrincipalName":`...)
	b = appendString(b, r.UserPrincipalName)
	b = append(b, `,"userDisplayName":`...)
	b = appendString(b, r.DisplayName)
	b = append(b, `,"userType":`...)
	b = appendString(b, strings.ToLower(r.UserType))
	for _, p := range [...]struct {
		name string
		is   bool
	}{
		{"isAdmin", len(r.Roles) > 0}, {"isSsprRegistered", r.canResetPassword()}, {"isSsprEnabled", true}, {"isSsprCapable", r.canResetPassword()},
		{"isMfaRegistered", registered}, {"isMfaCapable", registered}, {"isPasswordlessCapable", r.passwordless()},
		{"isSystemPreferredAuthenticationMethodEnabled", r.SystemPreferred},
	} {
		b = append(b, `,"`+p.name+`":`...)
		b = strconv.AppendBool(b, p.is)
	}
	b = append(b, `,"systemPreferredAuthenticationMethods":`...)
	b = appendStrings(b, r.systemPreferredMethods())
	b = append(b, `,"userPreferredMethodForSecondaryAuthentication":`...)
	b = appendString(b, orDefault(r.DefaultMethod, "none"))
	b = append(b, `,"methodsRegistered":`...)
	b = appendStrings(b, methods)
	b = append(b, `,"lastUpdatedDateTime":`...)
	return append(appendTime(b, made), '}')
}

// systemPreferredMethods is the strongest method of a user for whom the system
// picks it.
func (u User) systemPreferredMethods() []string {
	switch {
	case !u.SystemPreferred:
		return nil
	case len(u.Authenticator) > 0:
		return []string{"push"}
	case u.Phones.Mobile != "":
		return []string{"sms"}
	}
	return nil
}

func appendStrings(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}
