package tenant

import "strings"

// This file answers the calls that show methods of any kind:
// users/{id}/authentication/methods, passwordMethods and
// microsoftAuthenticatorMethods.

// passwordMethodID is the id of the password method, the same everywhere.
const passwordMethodID = "28c10230-6103-485e-b985-444c60001490"

const odataType = `{"@odata.type":"#microsoft.graph.`

func (t *Tenant) listMethods(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 1024), c.base, "users('"+r.ID+"')/authentication/methods")
	b = append(b, `,"value":[`+odataType+`passwordAuthenticationMethod",`...)
	b = appendPassword(b)
	for _, kind := range phoneTypes {
		if r.Phones.number(kind) != "" {
			b = append(b, `,`+odataType+`phoneAuthenticationMethod",`...)
			b = r.appendPhone(b, kind)
		}
	}
	for i := range r.Authenticator {
		b = append(b, `,`+odataType+`microsoftAuthenticatorAuthenticationMethod",`...)
		b = r.Authenticator[i].append(b)
	}
	for i := range r.OtherMethods {
		b = r.appendOther(append(b, `,`+odataType...), i)
	}
	return ok(append(b, "]}"...))
}

func (t *Tenant) getMethod(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 512), c.base, "users('"+r.ID+"')/authentication/methods/$entity")
	b = append(b, `,"@odata.type":"#microsoft.graph.`...)
	if kind, known := phoneTypeOf(c.id); known && r.Phones.number(kind) != "" {
		return ok(r.appendPhone(append(b, `phoneAuthenticationMethod",`...), kind))
	}
	if i := r.authenticatorIndex(c.id); i >= 0 {
		return ok(r.Authenticator[i].append(append(b, `microsoftAuthenticatorAuthenticationMethod",`...)))
	}
	for i := range r.OtherMethods {
		if strings.EqualFold(c.id, r.otherMethodID(i)) {
			return ok(r.appendOther(b, i))
		}
	}
	if strings.EqualFold(c.id, passwordMethodID) {
		return ok(appendPassword(append(b, `passwordAuthenticationMethod",`...)))
	}
	return t.refuse(c, methodNotFound(c.id))
}

func (t *Tenant) listPasswords(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 320), c.base, "users('"+r.ID+"')/authentication/passwordMethods")
	return ok(append(appendPassword(append(b, `,"value":[{`...)), "]}"...))
}

func (t *Tenant) getPassword(c *call) reply {
	r, no := t.see(c)
	if no == nil && !strings.EqualFold(c.id, passwordMethodID) {
		no = methodNotFound(c.id)
	}
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 320), c.base, "users('"+r.ID+"')/authentication/passwordMethods/$entity")
	return ok(appendPassword(append(b, ',')))
}

// appendPassword appends the properties of the password method, which never
// shows the password, and closes the object.
func appendPassword(b []byte) []byte {
	return append(b, `"id":"`+passwordMethodID+`","password":null,"createdDateTime":null}`...)
}

func (t *Tenant) listAuthenticators(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 640), c.base, "users('"+r.ID+"')/authentication/microsoftAuthenticatorMethods")
	b = append(b, `,"value":[`...)
	for i := range r.Authenticator {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.Authenticator[i].append(append(b, '{'))
	}
	return ok(append(b, "]}"...))
}

func (t *Tenant) getAuthenticator(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	i := r.authenticatorIndex(c.id)
	if i < 0 {
		return t.refuse(c, methodNotFound(c.id))
	}
	b := appendContext(make([]byte, 0, 512), c.base, "users('"+r.ID+"')/authentication/microsoftAuthenticatorMethods/$entity")
	return ok(r.Authenticator[i].append(append(b, ',')))
}

func (t *Tenant) deleteAuthenticator(c *call) reply {
	return t.changed(c, func(r *record, _ numberOwners) *refusal {
		return r.deleteAuthenticator(c.id)
	})
}

// append appends the properties of the registration and closes the object.
func (a *Authenticator) append(b []byte) []byte {
	b = append(b, `"id":`...)
	b = appendString(b, a.ID)
	b = append(b, `,"displayName":`...)
	b = appendNullable(b, a.DisplayName)
	b = append(b, `,"deviceTag":`...)
	b = appendNullable(b, a.DeviceTag)
	b = append(b, `,"phoneAppVersion":`...)
	b = appendNullable(b, a.PhoneAppVersion)
	b = append(b, `,"createdDateTime":`...)
	b = appendTime(b, a.CreatedDateTime)
	return append(b, '}')
}
