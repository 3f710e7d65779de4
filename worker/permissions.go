package worker

import "errors"

// access is a kind of access to Graph, as its permissions divide it.
type access string

// The kinds of access that the worker uses.
const (
	readUsers          access = "read users"
	readPhones         access = "read phones"
	writePhones        access = "write phones"
	readMFAState       access = "read per-user mfa state"
	writeMFAState      access = "write per-user mfa state"
	readPreferences    access = "read sign-in preferences"
	writePreferences   access = "write sign-in preferences"
	readAuthenticator  access = "read authenticator registrations"
	writeAuthenticator access = "write authenticator registrations"
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
	}[a]
}

// remedy says how to grant the permission.
const remedy = "grant it as an application permission with admin consent: Entra admin centre > App registrations > the application > API permissions > Microsoft Graph"

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
