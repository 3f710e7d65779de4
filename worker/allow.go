package worker

import (
	"fmt"
	"slices"
	"strings"
)

// The capabilities: the kinds of change that [Options.Allow] takes.
const (
	AllowPhones        = "phones"
	AllowSMSSignIn     = "sms-sign-in"
	AllowMFAState      = "mfa-state"
	AllowDefaultMethod = "default-method"
	AllowAuthenticator = "authenticator"
)

// Capability is a kind of change that a worker may be allowed to make.
type Capability struct {
	// Name is what [Options.Allow] takes.
	Name string
	// Permissions are the application permissions of Microsoft Graph that it needs,
	// those with the least privilege. User.Read.All is always among them; only a
	// worker whose commands all name users by object id, and that has no scope, does
	// without.
	Permissions []string
}

// Capabilities lists what a worker can be allowed, in the order of the
// documentation.
func Capabilities() []Capability {
	list := make([]Capability, 0, len(capabilities))
	for _, c := range capabilities {
		list = append(list, Capability{Name: c.name, Permissions: leastPermissions(c.accesses)})
	}
	return list
}

// Missing lists those of the capability's permissions whose access none of the
// granted ones gives: a permission with more privilege stands for one with less.
func (c Capability) Missing(granted []string) []string {
	return missingPermissions(c.Permissions, granted)
}

// capabilities is the table behind [Capabilities]. Nothing is done under a
// capability that needs an access which is not in its row.
var capabilities = []struct {
	name     string
	accesses []access
}{
	{AllowPhones, []access{readUsers, readPhones, writePhones}},
	{AllowSMSSignIn, []access{readUsers, readPhones, writePhones}},
	{AllowMFAState, []access{readUsers, readMFAState, writeMFAState}},
	{AllowDefaultMethod, []access{readUsers, readPhones, readAuthenticator, readPreferences, writePreferences, readMethods}},
	// Before a registration goes, the default method may have to move.
	{AllowAuthenticator, []access{readUsers, readPhones, readAuthenticator, writeAuthenticator, readPreferences, writePreferences, readMethods}},
}

func capabilityNames() []string {
	var names []string
	for _, c := range capabilities {
		names = append(names, c.name)
	}
	return names
}

// validateAllow reports every name that is no capability's.
func validateAllow(allow []string) error {
	var unknown []string
	for _, name := range allow {
		if !slices.Contains(capabilityNames(), name) {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("unknown capability %s; known are %s", strings.Join(unknown, ", "), strings.Join(capabilityNames(), ", "))
}

// restriction is why this worker does not do what a command asks for, whatever
// Graph holds.
type restriction struct {
	reason, hint string
}

// Error names the reason and the hint; neither holds personal data.
func (r *restriction) Error() string { return r.reason + ": " + r.hint }

// permit decides whether a worker that is allowed these capabilities may do what
// is wanted. None at all stands for every one.
func permit(w Wanted, allow []string) error {
	if len(allow) == 0 {
		return nil
	}
	for _, asked := range w.asks() {
		if !slices.Contains(allow, asked.capability) {
			return notAllowed(asked.what, asked.capability)
		}
	}
	for _, a := range w.accesses() {
		enough := capabilitiesWith(a)
		if a != signIn && !slices.ContainsFunc(enough, func(name string) bool { return slices.Contains(allow, name) }) {
			return notAllowed(fmt.Sprintf("What this command takes besides (to %s)", a), enough...)
		}
	}
	return nil
}

// asked is a capability that a command asks for by name, and what of it does.
type asked struct{ capability, what string }

func (w Wanted) asks() []asked {
	var all []asked
	for _, part := range []struct {
		asked bool
		asks  asked
	}{
		{len(w.Phones) > 0, asked{AllowPhones, "A phone"}},
		{w.SMSSignIn != nil, asked{AllowSMSSignIn, "SMS sign-in"}},
		{w.MFAState != "", asked{AllowMFAState, "The per-user MFA state"}},
		{w.setsDefault(), asked{AllowDefaultMethod, "The default method"}},
		{w.Authenticator.Removes(), asked{AllowAuthenticator, "The removal of an Authenticator registration"}},
	} {
		if part.asked {
			all = append(all, part.asks)
		}
	}
	return all
}

// capabilitiesWith lists the capabilities that have the access in their row.
func capabilitiesWith(a access) []string {
	var names []string
	for _, c := range capabilities {
		if slices.Contains(c.accesses, a) {
			names = append(names, c.name)
		}
	}
	return names
}

func notAllowed(what string, enough ...string) error {
	return &restriction{ReasonNotAllowedHere, fmt.Sprintf(
		"%s needs the capability %s, which this worker is not allowed: send such commands to one that is, or start this one with it in --allow.",
		what, strings.Join(enough, " or "))}
}
