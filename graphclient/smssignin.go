package graphclient

import (
	"context"
	"net/http"
)

// EnableSMSSignIn lets the user sign in with the mobile phone's number and a
// text message. The number must be unique among the tenant's
// (KindNumberNotUnique) and policy must allow it to the user (KindPolicy). Graph
// in China has no such action: KindPolicy with CodeNotInCloud, and nothing is
// sent. POST /users/{id}/authentication/phoneMethods/{id}/enableSmsSignIn.
func (d *Directory) EnableSMSSignIn(ctx context.Context, userID string) error {
	return d.switchSMSSignIn(ctx, "enable SMS sign-in", "/enableSmsSignIn", userID)
}

// DisableSMSSignIn ends sign-in by text message; the phone stays registered. A
// user who has no other way of signing in is locked out by it.
// POST /users/{id}/authentication/phoneMethods/{id}/disableSmsSignIn.
func (d *Directory) DisableSMSSignIn(ctx context.Context, userID string) error {
	return d.switchSMSSignIn(ctx, "disable SMS sign-in", "/disableSmsSignIn", userID)
}

// switchSMSSignIn sends an action that sets a state, so it may be repeated
// although it is a POST.
func (d *Directory) switchSMSSignIn(ctx context.Context, op, action, userID string) error {
	k := phoneCall(op, http.MethodPost, phoneTemplate+action, userID, Mobile)
	if !hasSMSSignIn(d.client.endpoint) {
		k.fault = &Error{Op: op, Kind: KindPolicy, Code: CodeNotInCloud}
	}
	return d.write(ctx, k)
}
