package graphclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// PhoneType is one of the three kinds of phone method; a user has at most one
// phone of each.
type PhoneType string

// The phone types (resource type phoneAuthenticationMethod, phoneType).
const (
	Mobile          PhoneType = "mobile"
	AlternateMobile PhoneType = "alternateMobile"
	Office          PhoneType = "office"
)

// MethodID is the id of the phone method of that type. It is the same for every
// user in every tenant (resource type phoneAuthenticationMethod), so changing a
// phone needs no listing first. It is empty for an unknown type.
func (t PhoneType) MethodID() string {
	switch t {
	case Mobile:
		return "3179e48a-750b-4051-897c-87b9720928f7"
	case AlternateMobile:
		return "b6332ec1-7057-4abe-9331-3d72feddfe41"
	case Office:
		return "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	}
	return ""
}

// PhoneTypeOf is the type of the phone method with that id, empty where there is
// none.
func PhoneTypeOf(methodID string) PhoneType {
	for _, t := range [...]PhoneType{Mobile, AlternateMobile, Office} {
		if strings.EqualFold(methodID, t.MethodID()) {
			return t
		}
	}
	return ""
}

// SMSSignInState tells whether a phone can be used to sign in by text message.
// Values that are not listed here are kept as Graph sent them.
type SMSSignInState string

// The states (enumeration authenticationMethodSignInState).
const (
	SMSNotSupported       SMSSignInState = "notSupported"
	SMSNotAllowedByPolicy SMSSignInState = "notAllowedByPolicy"
	SMSNotEnabled         SMSSignInState = "notEnabled"
	SMSNumberNotUnique    SMSSignInState = "phoneNumberNotUnique"
	SMSReady              SMSSignInState = "ready"
	SMSNotConfigured      SMSSignInState = "notConfigured"
)

// PhoneMethod is a phone registered for authentication.
type PhoneMethod struct {
	ID   string    `json:"id"`
	Type PhoneType `json:"phoneType"`
	// Number is as Graph writes it: +31 612345678, +1 2065550100x12.
	Number         string         `json:"phoneNumber"`
	SMSSignInState SMSSignInState `json:"smsSignInState"`
}

const (
	phonesTemplate = "/users/{id}/authentication/phoneMethods"
	phoneTemplate  = phonesTemplate + "/{phoneMethodId}"
)

// Phones lists the user's phones, at most one of each type.
// GET /users/{id}/authentication/phoneMethods.
func (d *Directory) Phones(ctx context.Context, userID string) ([]PhoneMethod, error) {
	return list[PhoneMethod](ctx, d, userCall("list phones", http.MethodGet, V1, phonesTemplate, userID))
}

// AddPhone adds a phone of a type of which the user has none.
// POST /users/{id}/authentication/phoneMethods.
//
// When it is unknown whether Graph took the number (no reply, a 5xx, a 429),
// AddPhone reads what the user has: the number itself is success, none lets it
// send again, another number is a KindConflict with CodeOtherNumber. An error of
// KindNumberNotUnique leaves open whether the phone was added: see there.
func (d *Directory) AddPhone(ctx context.Context, userID string, t PhoneType, number string) (PhoneMethod, error) {
	k := userCall(phoneOp("add", t), http.MethodPost, V1, phonesTemplate, userID)
	k.checkType(t)
	k.body = phoneBody{Number: number, Type: t}
	k.once = true
	m := PhoneMethod{ID: t.MethodID(), Type: t, Number: number}
	k.reread = func(ctx context.Context, reads int) (bool, error) {
		found, err := d.findPhone(ctx, k.op, userID, t, reads)
		switch {
		case err != nil, found == nil:
			return false, err
		case !sameNumber(found.Number, number):
			return false, &Error{Op: k.op, Kind: KindConflict, Code: CodeOtherNumber}
		}
		m = *found
		return true, nil
	}
	r, err := d.do(ctx, k)
	if err != nil {
		return PhoneMethod{}, err
	}
	// A 2xx means that it is there; a body that can't be read changes nothing.
	_ = json.Unmarshal(r.body, &m)
	return m, nil
}

// ChangePhone gives the phone of a type another number. The user must have one
// of that type (KindNotFound). PATCH /users/{id}/authentication/phoneMethods/{id}.
func (d *Directory) ChangePhone(ctx context.Context, userID string, t PhoneType, number string) error {
	k := phoneCall(phoneOp("change", t), http.MethodPatch, phoneTemplate, userID, t)
	k.body = phoneBody{Number: number, Type: t}
	return d.write(ctx, k)
}

// DeletePhone removes the phone of a type; where there is none, that is success.
// Graph refuses to remove the default method (KindDefaultMethod) and a mobile
// while there is an alternate mobile.
// DELETE /users/{id}/authentication/phoneMethods/{id}.
func (d *Directory) DeletePhone(ctx context.Context, userID string, t PhoneType) error {
	k := phoneCall(phoneOp("delete", t), http.MethodDelete, phoneTemplate, userID, t)
	k.goneIsDone = true
	return d.write(ctx, k)
}

// phoneBody is what a phone is created and changed by. smsSignInState is
// read-only and must not be sent.
type phoneBody struct {
	Number string    `json:"phoneNumber"`
	Type   PhoneType `json:"phoneType"`
}

func phoneOp(verb string, t PhoneType) string {
	switch t {
	case Mobile:
		return verb + " mobile phone"
	case AlternateMobile:
		return verb + " alternate mobile phone"
	case Office:
		return verb + " office phone"
	}
	return verb + " phone"
}

// phoneCall is a call on the one phone method of a type.
func phoneCall(op, method, template, userID string, t PhoneType) call {
	k := userCall(op, method, V1, template, userID, t.MethodID())
	k.checkType(t)
	return k
}

func (k *call) checkType(t PhoneType) {
	if t.MethodID() == "" {
		k.fault = &Error{Op: k.op, Kind: KindInvalid, Code: CodeUnknownPhoneType}
	}
}

// findPhone looks for the phone of a type, several times with growing pauses if
// need be, since a read right after a write may not show it yet. It returns nil
// if none showed up.
func (d *Directory) findPhone(ctx context.Context, op, userID string, t PhoneType, reads int) (*PhoneMethod, error) {
	for n := range reads {
		if n > 0 {
			if err := pause(ctx, op, rereadPause<<(n-1)); err != nil {
				return nil, err
			}
		}
		phones, err := d.Phones(ctx, userID)
		if err != nil {
			return nil, fmt.Errorf("%s: read again: %w", op, err)
		}
		for _, p := range phones {
			if p.Type == t {
				return &p, nil
			}
		}
	}
	return nil, nil
}

// rereadPause is the pause before the second look; it doubles with each.
const rereadPause = time.Second

// sameNumber compares numbers as Graph might write them: it takes them with or
// without the space after the country code, and gives them back with it.
func sameNumber(a, b string) bool { return withoutSpace(a) == withoutSpace(b) }

func withoutSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
