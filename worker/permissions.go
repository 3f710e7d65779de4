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
	readGroups         access = "read groups"
	readRoles          access = "read directory roles"
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

// permissions lists the application permissions that give each access, the one
// with the least privilege first, by the permission tables of the Graph reference.
var permissions = map[access][]string{
	readUsers:          {"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	readGroups:         {"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	readRoles:          {"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"},
	readPhones:         {"UserAuthMethod-Phone.Read.All", "UserAuthMethod-Phone.ReadWrite.All", methodsRead, methodsReadWrite},
	writePhones:        {"UserAuthMethod-Phone.ReadWrite.All", methodsReadWrite},
	readMFAState:       {"Policy.Read.All"},
	writeMFAState:      {"Policy.ReadWrite.AuthenticationMethod"},
	readPreferences:    {methodsRead, methodsReadWrite},
	writePreferences:   {methodsReadWrite},
	readAuthenticator:  {"UserAuthMethod-MicrosoftAuthApp.Read.All", "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All", methodsRead, methodsReadWrite},
	writeAuthenticator: {"UserAuthMethod-MicrosoftAuthApp.ReadWrite.All", methodsReadWrite},
	readMethods:        {methodsRead, methodsReadWrite},
}

// The permissions for all kinds of method.
const (
	methodsRead      = "UserAuthenticationMethod.Read.All"
	methodsReadWrite = "UserAuthenticationMethod.ReadWrite.All"
)

// permission is the application permission with the least privilege that gives
// the access; empty for access that rests on no permission.
func (a access) permission() string {
	if len(permissions[a]) == 0 {
		return ""
	}
	return permissions[a][0]
}

// leastPermissions are the permissions with the least privilege that give all
// these accesses, without those whose access another of them gives too.
func leastPermissions(accesses []access) []string {
	var least []string
	for _, a := range accesses {
		if p := a.permission(); p != "" && !slices.Contains(least, p) {
			least = append(least, p)
		}
	}
	return slices.DeleteFunc(slices.Clone(least), func(p string) bool {
		others := slices.DeleteFunc(slices.Clone(least), func(other string) bool { return other == p })
		return len(missingPermissions([]string{p}, others)) == 0
	})
}

// missingPermissions lists those of the wanted permissions that neither are
// granted nor give only what a granted one gives too.
func missingPermissions(wanted, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(p string) bool {
		if slices.Contains(granted, p) {
			return true
		}
		covered := false
		for a, list := range permissions {
			if a.permission() != p {
				continue
			}
			if !slices.ContainsFunc(list, func(q string) bool { return slices.Contains(granted, q) }) {
				return false
			}
			covered = true
		}
		return covered
	})
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
		{n.methods || len(n.going) > 0, readMethods, ""},
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
