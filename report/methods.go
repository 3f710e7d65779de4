package report

import (
	"slices"
	"strings"

	"github.com/muster-mfa/muster/graphclient"
)

// Strength says what the methods of a user are worth. Empty means that the
// methods are not known.
type Strength string

// The strengths.
const (
	// Strong: at least one method that needs neither SMS nor voice.
	Strong Strength = "strong"
	// PhoneOnly: phones and nothing stronger. Such a user depends on the delivery
	// of SMS and voice.
	PhoneOnly Strength = "phone-only"
	// NoMethod: nothing that serves for multifactor authentication.
	NoMethod Strength = "none"
)

// Migration says how a user who is on per-user MFA (enabled or enforced) stands
// towards Conditional Access.
type Migration string

// The stages of migration.
const (
	// Ready: has a strong method, so a policy that requires MFA does not lock the
	// user out.
	Ready Migration = "ready"
	// NeedsStronger: has nothing but phones.
	NeedsStronger Migration = "phone-only"
	// NeedsMethod: has no method, and would have to register at the next sign-in.
	NeedsMethod Migration = "no-method"
	// NotKnown: the methods could not be read.
	NotKnown Migration = "unknown"
)

// phoneMethods are the names of phones in the registration report.
var phoneMethods = []string{"mobilePhone", "alternateMobilePhone", "officePhone"}

// strongPrefixes begin the names of methods that need neither SMS nor voice
// (resource type userRegistrationDetails, methodsRegistered; the names evolve,
// so one that nobody knows does not count).
var strongPrefixes = []string{
	"microsoftauthenticator", "softwareonetimepasscode", "hardwareonetimepasscode", "passkey", "fido2",
	"windowshelloforbusiness", "platformcredential", "macossecureenclavekey", "external",
}

func strengthOf(methods []string) Strength {
	if methods == nil {
		return ""
	}
	strength := NoMethod
	for _, m := range methods {
		if isStrong(m) {
			return Strong
		}
		if isPhone(m) {
			strength = PhoneOnly
		}
	}
	return strength
}

func isPhone(method string) bool {
	return slices.ContainsFunc(phoneMethods, func(name string) bool { return strings.EqualFold(name, method) })
}

func isStrong(method string) bool {
	lower := strings.ToLower(method)
	return slices.ContainsFunc(strongPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) })
}

func migrationOf(state string, s Strength) Migration {
	if state != string(graphclient.MFAEnabled) && state != string(graphclient.MFAEnforced) {
		return ""
	}
	switch s {
	case Strong:
		return Ready
	case PhoneOnly:
		return NeedsStronger
	case NoMethod:
		return NeedsMethod
	}
	return NotKnown
}

// reportNames gives the methods of users/{id}/authentication/methods the names
// that the registration report uses; those that are not here keep their own. The
// password is no second factor.
var reportNames = map[graphclient.MethodType]string{
	graphclient.MethodPassword:           "",
	graphclient.MethodAuthenticator:      "microsoftAuthenticatorPush",
	"passwordlessMicrosoftAuthenticator": "microsoftAuthenticatorPasswordless",
	graphclient.MethodSoftwareOath:       "softwareOneTimePasscode",
	graphclient.MethodHardwareOath:       "hardwareOneTimePasscode",
}

// registeredNames turns methods into names, each once, sorted. A phone has one
// type for three names: its id tells them apart.
func registeredNames(methods []graphclient.Method) []string {
	names := []string{}
	for _, m := range methods {
		name, known := reportNames[m.Type]
		switch {
		case m.Type == graphclient.MethodPhone:
			name = phoneName(graphclient.PhoneTypeOf(m.ID))
		case !known:
			name = string(m.Type)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func phoneName(t graphclient.PhoneType) string {
	switch t {
	case graphclient.AlternateMobile:
		return "alternateMobilePhone"
	case graphclient.Office:
		return "officePhone"
	}
	return "mobilePhone"
}

func (p *Phones) masked() *Phones {
	if p == nil {
		return nil
	}
	return &Phones{Mobile: graphclient.MaskNumber(p.Mobile), AlternateMobile: graphclient.MaskNumber(p.AlternateMobile), Office: graphclient.MaskNumber(p.Office)}
}
