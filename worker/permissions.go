package worker

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/muster-mfa/muster/graphclient"
)

// access is a kind of access to Graph, as its permissions divide it.
type access string

// The kinds of access that the worker uses. To sign in is the one that all others
// rest on.
const (
	signIn             access = "sign in"
	readUsers          access = "read users"
	readPhones         access = "read phones"
	writePhones        access = "write phones"
	readMFAState       access = "read per-user mfa state"
	writeMFAState      access = "write per-user mfa state"
	readPreferences    access = "read sign-in preferences"
	writePreferences   access = "write sign-in preferences"
	readAuthenticator  access = "read authenticator registrations"
	writeAuthenticator access = "write authenticator registrations"
	readMethods        access = "read methods of all kinds"
)

// permission is the application permission with the least privilege that gives
// the access, by the permission tables of the Graph reference.
func (a access) permission() string {
	return map[access]string{
		readUsers:          "User.Read.All",
		readPhones:         "UserAuthMethod-Phone.Read.All",
		writePhones:        "UserAuthMethod-Phone.ReadWrite.All",
		readMFAState:       "Policy.Read.All",
		writeMFAState:      "Policy.ReadWrite.AuthenticationMethod",
		readPreferences:    "UserAuthenticationMethod.Read.All",
		writePreferences:   "UserAuthenticationMethod.ReadWrite.All",
		readAuthenticator:  "UserAuthMethod-MicrosoftAuthApp.Read.All",
		writeAuthenticator: "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All",
		readMethods:        "UserAuthenticationMethod.Read.All",
	}[a]
}

// missing says what the application lacks where Graph refused it the access, and
// what an administrator can do about it.
func (a access) missing(kind graphclient.Kind) (what slog.Attr, remedy string) {
	switch kind {
	case graphclient.KindUnauthorized:
		return slog.String("missing", "a valid token"), "check that the application exists in the tenant and is enabled, its client id, and its secret, certificate or federated credential and when that expires"
	case graphclient.KindLicence:
		return slog.String("missing", "Microsoft Entra ID P1"), "assign the licence in the tenant; a B2C tenant can't be managed this way"
	}
	return slog.String("missing_permission", a.permission()), "grant it as an application permission with admin consent: Entra admin centre > App registrations > the application > API permissions > Microsoft Graph"
}

// access is what a step needs.
func (s Step) access() access {
	switch s.Kind {
	case AddPhone, ChangePhone, DeletePhone, EnableSMS, DisableSMS:
		return writePhones
	case SetDefault:
		return writePreferences
	case DeleteAuthenticator:
		return writeAuthenticator
	}
	return writeMFAState
}

// accesses lists what a command may need once its user is known.
func (w Wanted) accesses() []access {
	needed := []access{signIn}
	n := needsOf(w)
	for _, part := range []struct {
		needed      bool
		read, write access
	}{
		{n.phones, readPhones, ""},
		{n.preferences, readPreferences, ""},
		{n.authenticator, readAuthenticator, ""},
		{n.methods, readMethods, ""},
		{n.mfaState, readMFAState, ""},
		{w.setsDefault() || w.removesMethod(), "", writePreferences},
		{w.MFAState != "", "", writeMFAState},
		{len(w.Phones) > 0 || w.SMSSignIn != nil, "", writePhones},
		{w.Authenticator.Removes(), "", writeAuthenticator},
	} {
		if part.needed {
			needed = append(needed, part.read, part.write)
		}
	}
	return slices.DeleteFunc(needed, func(a access) bool { return a == "" })
}

// accessError is the error of a call to Graph and the access that it needed.
type accessError struct {
	access access
	err    error
}

func (e *accessError) Error() string { return string(e.access) + ": " + e.err.Error() }
func (e *accessError) Unwrap() error { return e.err }

func accessOf(err error) (access, bool) {
	var a *accessError
	if !errors.As(err, &a) {
		return "", false
	}
	return a.access, true
}
