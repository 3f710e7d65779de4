package tenant

import "net/http"

// This file answers the calls of users/{id}/authentication/requirements and
// signInPreferences, which are in beta only; their rules are in requirements.go
// and preferences.go.

func (t *Tenant) getRequirements(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 256), c.base, "users('"+r.ID+"')/authentication/requirements")
	b = append(b, `,"perUserMfaState":`...)
	return ok(append(appendString(b, r.PerUserMFAState), '}'))
}

func (t *Tenant) patchRequirements(c *call) reply {
	properties, no := c.object("perUserMfaState")
	var state *string
	if no == nil {
		state, no = text(properties, "perUserMfaState")
	}
	if no == nil && state == nil {
		no = refuse(http.StatusBadRequest, "Request_BadRequest", "perUserMfaState is required.")
	}
	if no != nil {
		return t.refuse(c, no)
	}
	return t.changed(c, func(r *record, _ numberOwners) *refusal { return r.setMFAState(*state) })
}

func (t *Tenant) getPreferences(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 320), c.base, "users('"+r.ID+"')/authentication/signInPreferences")
	b = append(b, `,"isSystemPreferredAuthenticationMethodEnabled":`...)
	b = appendBool(b, &r.SystemPreferred)
	if r.DefaultMethod != "" {
		b = append(b, `,"userPreferredMethodForSecondaryAuthentication":`...)
		b = appendString(b, r.DefaultMethod)
	}
	return ok(append(b, '}'))
}

func (t *Tenant) patchPreferences(c *call) reply {
	const system, preferred = "isSystemPreferredAuthenticationMethodEnabled", "userPreferredMethodForSecondaryAuthentication"
	properties, no := c.object(system, preferred)
	var change preferencesChange
	if no == nil {
		change.systemPreferred, no = property[bool](properties, system)
	}
	if no == nil {
		change.method, no = text(properties, preferred)
	}
	if no != nil {
		return t.refuse(c, no)
	}
	return t.changed(c, func(r *record, _ numberOwners) *refusal { return r.setPreferences(change) })
}
