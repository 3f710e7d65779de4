package worker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/messages"
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
	{AllowDefaultMethod, []access{readUsers, readPhones, readAuthenticator, readPreferences, writePreferences}},
	// Before a registration goes, the default method may have to move.
	{AllowAuthenticator, []access{readUsers, readPhones, readAuthenticator, writeAuthenticator, readPreferences, writePreferences}},
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
	for _, need := range w.capabilities() {
		if !slices.Contains(allow, need.name) {
			return &restriction{ReasonNotAllowedHere, fmt.Sprintf("%s needs the capability %s, which this worker is not allowed: send such commands to one that is, or start this one with it in --allow.", need.why, need.name)}
		}
	}
	return nil
}

// permitSteps decides the same of planned writes, should a command have asked for
// one without naming it.
func permitSteps(steps []Step, allow []string) error {
	if len(allow) == 0 {
		return nil
	}
	for _, s := range steps {
		var enough []string
		switch s.Kind {
		case AddPhone, ChangePhone, DeletePhone:
			enough = []string{AllowPhones}
		case EnableSMS, DisableSMS:
			enough = []string{AllowSMSSignIn}
		case SetMFAState:
			enough = []string{AllowMFAState}
		case SetDefault:
			enough = []string{AllowDefaultMethod, AllowAuthenticator}
		case DeleteAuthenticator:
			enough = []string{AllowAuthenticator}
		}
		if !slices.ContainsFunc(enough, func(name string) bool { return slices.Contains(allow, name) }) {
			return &restriction{ReasonNotAllowedHere, fmt.Sprintf("To %s needs the capability %s, which this worker is not allowed.", s.Kind, strings.Join(enough, " or "))}
		}
	}
	return nil
}

// capabilityNeed is a capability that a command needs, and what of it does.
type capabilityNeed struct{ name, why string }

// capabilities lists what the command needs. To remove a phone, the default
// method may have to move first.
func (w Wanted) capabilities() []capabilityNeed {
	var needs []capabilityNeed
	if len(w.Phones) > 0 {
		needs = append(needs, capabilityNeed{AllowPhones, "A phone"})
	}
	if w.SMSSignIn != nil {
		needs = append(needs, capabilityNeed{AllowSMSSignIn, "SMS sign-in"})
	}
	if w.MFAState != "" {
		needs = append(needs, capabilityNeed{AllowMFAState, "The per-user MFA state"})
	}
	if w.DefaultMethod != "" {
		needs = append(needs, capabilityNeed{AllowDefaultMethod, "The default method"})
	}
	for _, number := range w.Phones {
		if number == messages.Remove {
			needs = append(needs, capabilityNeed{AllowDefaultMethod, "The removal of a phone"})
			break
		}
	}
	if len(w.RemoveAuthenticator) > 0 {
		needs = append(needs, capabilityNeed{AllowAuthenticator, "The removal of an Authenticator registration"})
	}
	return needs
}
