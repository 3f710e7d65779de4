package report

import (
	"slices"
	"strings"
	"unicode"

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

// somePhone names a phone of which nobody has asked the type.
const somePhone = "phone"

// phoneMethods are the names of phones in the registration report, and somePhone.
var phoneMethods = []string{"mobilePhone", "alternateMobilePhone", "officePhone", somePhone}

// strongPrefixes begin the names of methods that need neither SMS nor voice
// (resource type userRegistrationDetails, methodsRegistered; the names evolve,
// so one that nobody knows does not count).
var strongPrefixes = []string{
	"microsoftauthenticator", "softwareonetimepasscode", "hardwareonetimepasscode", "passkey", "fido2",
	"windowshelloforbusiness", "platformcredential", "macossecureenclavekey", "externalauthmethod", "externalauthenticationmethod",
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

func isPhone(method string) bool { return slices.Contains(phoneMethods, method) }

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

// reportNames gives the types of users/{id}/authentication/methods the names
// that the registration report uses. The password is no second factor.
var reportNames = map[string]string{
	"passwordAuthenticationMethod":                "",
	"microsoftAuthenticatorAuthenticationMethod":  "microsoftAuthenticatorPush",
	"fido2AuthenticationMethod":                   "fido2",
	"softwareOathAuthenticationMethod":            "softwareOneTimePasscode",
	"hardwareOathAuthenticationMethod":            "hardwareOneTimePasscode",
	"windowsHelloForBusinessAuthenticationMethod": "windowsHelloForBusiness",
	"platformCredentialAuthenticationMethod":      "platformCredential",
	"emailAuthenticationMethod":                   "email",
}

// registeredNames turns method types into names, each once, sorted. A phone has
// one type for three names: phones tells them apart, and where it is nil a phone
// is just some phone.
func registeredNames(types []string, phones []graphclient.PhoneMethod) []string {
	names := []string{}
	for _, t := range types {
		name, known := reportNames[t]
		switch {
		case t == "phoneAuthenticationMethod":
			name = somePhone
			if phones != nil {
				name = ""
			}
		case !known:
			name = strings.TrimSuffix(t, "AuthenticationMethod")
		}
		if name != "" {
			names = append(names, name)
		}
	}
	for _, p := range phones {
		names = append(names, phoneName(p.Type))
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

// mask hides all but the country code and the last two digits: +1 XXXXXXXX00.
// An extension goes too. What is masked already stays as it is.
func mask(number string) string {
	code, rest, spaced := strings.Cut(number, " ")
	if !spaced {
		code, rest = "", number
	}
	rest, _, _ = strings.Cut(rest, "x")
	hidden := []rune(rest)
	for i := range max(0, len(hidden)-2) {
		if unicode.IsDigit(hidden[i]) {
			hidden[i] = 'X'
		}
	}
	if !spaced {
		return string(hidden)
	}
	return code + " " + string(hidden)
}

func (p *Phones) masked() *Phones {
	if p == nil {
		return nil
	}
	return &Phones{Mobile: mask(p.Mobile), AlternateMobile: mask(p.AlternateMobile), Office: mask(p.Office)}
}
