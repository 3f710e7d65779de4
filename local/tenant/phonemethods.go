package tenant

import (
	"net/http"
	"strings"
)

// This file answers the calls of users/{id}/authentication/phoneMethods; their
// rules are in phones.go and smssignin.go.

func (t *Tenant) listPhones(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	only, no := phoneFilter(c.query.Get("$filter"))
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 640), c.base, "users('"+r.ID+"')/authentication/phoneMethods")
	b = append(b, `,"value":[`...)
	comma := false
	for _, kind := range phoneTypes {
		if r.Phones.number(kind) == "" || only != "" && only != kind {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = r.appendPhone(append(b, '{'), kind)
	}
	return ok(append(b, "]}"...))
}

// phoneFilter reads $filter=phoneType eq '…', which scripts in production use.
func phoneFilter(filter string) (phoneType, *refusal) {
	if filter == "" {
		return "", nil
	}
	literal, is := strings.CutPrefix(strings.TrimSpace(filter), "phoneType eq '")
	literal, closed := strings.CutSuffix(literal, "'")
	if kind := phoneType(literal); is && closed && kind.methodID() != "" {
		return kind, nil
	}
	return "", unsupportedQuery("Unsupported or invalid query filter clause specified for phoneMethods.")
}

func (t *Tenant) getPhone(c *call) reply {
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	kind, known := phoneTypeOf(c.id)
	if !known || r.Phones.number(kind) == "" {
		return t.refuse(c, methodNotFound(c.id))
	}
	return ok(r.phoneEntity(c, kind))
}

// phoneEntity renders a phone method as a reply of its own.
func (r *record) phoneEntity(c *call, kind phoneType) []byte {
	b := appendContext(make([]byte, 0, 384), c.base, "users('"+r.ID+"')/authentication/phoneMethods/$entity")
	return r.appendPhone(append(b, ','), kind)
}

// appendPhone appends the properties of a phone method and closes the object.
func (r *record) appendPhone(b []byte, kind phoneType) []byte {
	b = append(b, `"id":"`...)
	b = append(b, kind.methodID()...)
	b = append(b, `","phoneNumber":`...)
	b = appendString(b, r.Phones.number(kind))
	b = append(b, `,"phoneType":"`...)
	b = append(b, kind...)
	b = append(b, `","smsSignInState":"`...)
	b = append(b, r.smsSignInState(kind)...)
	return append(b, `"}`...)
}

// phoneBody reads the body of a POST or PATCH. smsSignInState is read-only and
// refused.
func (c *call) phoneBody() (number *string, kind *phoneType, no *refusal) {
	properties, no := c.object("id", "phoneNumber", "phoneType")
	if no != nil {
		return nil, nil, no
	}
	raw, no := text(properties, "phoneNumber")
	if no != nil {
		return nil, nil, no
	}
	if raw != nil {
		spaced, valid := spacedNumber(*raw)
		if !valid {
			return nil, nil, refuse(http.StatusBadRequest, "badRequest", "The phone number '"+*raw+
				"' is invalid. A phone number must have the form +{country code} {number}x{extension}.")
		}
		number = &spaced
	}
	name, no := text(properties, "phoneType")
	if no != nil {
		return nil, nil, no
	}
	if name != nil {
		kind = new(phoneType(*name))
		if kind.methodID() == "" {
			return nil, nil, badLiteral(*name, "authenticationPhoneType")
		}
	}
	return number, kind, nil
}

func (t *Tenant) postPhone(c *call) reply {
	number, kind, no := c.phoneBody()
	if no == nil && (number == nil || kind == nil) {
		no = refuse(http.StatusBadRequest, "badRequest", "phoneNumber and phoneType are required to add a phone method.")
	}
	if no != nil {
		return t.refuse(c, no)
	}
	r, no := t.change(c, func(r *record, owners numberOwners) *refusal {
		return r.addPhone(*kind, *number, owners)
	})
	if no != nil {
		return t.refuse(c, no)
	}
	return reply{status: http.StatusCreated, body: t.shown(r).phoneEntity(c, *kind)}
}

func (t *Tenant) patchPhone(c *call) reply {
	kind, known := phoneTypeOf(c.id)
	number, asked, no := c.phoneBody()
	switch {
	case no != nil:
	case !known:
		no = methodNotFound(c.id)
	case asked != nil && *asked != kind:
		no = refuse(http.StatusBadRequest, "badRequest", "The phoneType of a phone method can't be changed.")
	case number == nil:
		no = refuse(http.StatusBadRequest, "badRequest", "phoneNumber is required to update a phone method.")
	}
	if no != nil {
		return t.refuse(c, no)
	}
	return t.changed(c, func(r *record, owners numberOwners) *refusal {
		return r.changePhone(kind, *number, owners)
	})
}

func (t *Tenant) deletePhone(c *call) reply {
	kind, known := phoneTypeOf(c.id)
	return t.changed(c, func(r *record, _ numberOwners) *refusal {
		if !known {
			return alreadyGone(c.id)
		}
		return r.deletePhone(kind)
	})
}

func (t *Tenant) postEnableSMS(c *call) reply {
	kind, known := phoneTypeOf(c.id)
	return t.changed(c, func(r *record, owners numberOwners) *refusal {
		if !known {
			return methodNotFound(c.id)
		}
		return r.enableSMSSignIn(kind, owners)
	})
}

func (t *Tenant) postDisableSMS(c *call) reply {
	kind, known := phoneTypeOf(c.id)
	return t.changed(c, func(r *record, _ numberOwners) *refusal {
		if !known {
			return methodNotFound(c.id)
		}
		return r.disableSMSSignIn(kind)
	})
}
