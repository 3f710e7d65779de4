package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// userView is what is shown of a user. Its JSON form is what --json prints.
type userView struct {
	ID                    string              `json:"id,omitempty"`
	UserPrincipalName     string              `json:"userPrincipalName,omitempty"`
	DisplayName           string              `json:"displayName,omitempty"`
	UserType              string              `json:"userType,omitempty"`
	AccountEnabled        *bool               `json:"accountEnabled,omitempty"`
	OnPremisesSyncEnabled bool                `json:"onPremisesSyncEnabled"`
	Phones                []phoneView         `json:"phones"`
	Authenticator         []authenticatorView `json:"authenticator"`
	OtherMethods          []methodView        `json:"otherMethods"`
	PerUserMFAState       string              `json:"perUserMfaState,omitempty"`
	DefaultMethod         string              `json:"defaultMethod,omitempty"`
	SystemPreferred       *bool               `json:"systemPreferred,omitempty"`
	// Missing lists what the application may not read.
	Missing []missingPart `json:"missing"`

	phonesRead, preferencesRead bool
}

type phoneView struct {
	Type           string `json:"type"`
	ID             string `json:"id"`
	Number         string `json:"number"`
	SMSSignInState string `json:"smsSignInState,omitempty"`
}

type authenticatorView struct {
	ID         string     `json:"id"`
	Device     string     `json:"device,omitempty"`
	Registered *time.Time `json:"registered,omitempty"`
	AppVersion string     `json:"appVersion,omitempty"`
}

// name is the device's name.
func (a authenticatorView) name() string { return cmp.Or(a.Device, "a device without a name") }

type methodView struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func newUserView(s *userState, reveal bool) userView {
	v := userView{
		ID: s.user.ID, UserPrincipalName: s.user.UserPrincipalName, DisplayName: s.user.DisplayName, UserType: s.user.UserType,
		AccountEnabled: s.user.AccountEnabled, OnPremisesSyncEnabled: s.user.OnPremisesSyncEnabled,
		Phones: []phoneView{}, Authenticator: []authenticatorView{}, OtherMethods: []methodView{}, Missing: []missingPart{},
		PerUserMFAState: string(s.mfaState), phonesRead: !s.noPhones, preferencesRead: !s.noSP,
	}
	for _, m := range s.phones {
		number := m.Number
		if !reveal {
			number = graphclient.MaskNumber(number)
		}
		v.Phones = append(v.Phones, phoneView{string(m.Type), m.ID, number, string(m.SMSSignInState)})
	}
	for _, m := range s.authenticator {
		v.Authenticator = append(v.Authenticator, authenticatorView{m.ID, m.DisplayName, m.Created, m.PhoneAppVersion})
	}
	for _, m := range s.others {
		v.OtherMethods = append(v.OtherMethods, methodView{string(m.Type), m.ID})
	}
	if !s.noSP {
		v.DefaultMethod, v.SystemPreferred = string(s.preferences.DefaultMethod), &s.preferences.SystemPreferred
	}
	v.Missing = append(v.Missing, s.missing...)
	return v
}

// none stands for what is not there, unread for what could not be read.
const (
	none   = "none"
	unread = "not read"
)

// phone is the number of that type.
func (v userView) phone(t graphclient.PhoneType) string {
	for _, p := range v.Phones {
		if p.Type == string(t) {
			return p.Number
		}
	}
	if !v.phonesRead {
		return unread
	}
	return none
}

// smsSignIn says in words whether the mobile can be signed in with.
func (v userView) smsSignIn() string {
	for _, p := range v.Phones {
		if p.Type == string(graphclient.Mobile) {
			return smsInWords(p.SMSSignInState)
		}
	}
	if !v.phonesRead {
		return unread
	}
	return "off: there is no mobile"
}

// smsInWords explains a state of SMS sign-in (resource type
// phoneAuthenticationMethod, smsSignInState).
func smsInWords(state string) string {
	switch graphclient.SMSSignInState(state) {
	case graphclient.SMSReady:
		return "on: the number and a code are enough to sign in"
	case graphclient.SMSNotConfigured, graphclient.SMSNotEnabled, "":
		return "off"
	case graphclient.SMSNotAllowedByPolicy:
		return "off: the tenant's SMS sign-in policy does not cover the user"
	case graphclient.SMSNumberNotUnique:
		return "off: another user signs in with the same number"
	case graphclient.SMSNotSupported:
		return "off: this number can't be used for it"
	}
	return state
}

func (v userView) mfa() string {
	switch graphclient.MFAState(v.PerUserMFAState) {
	case "":
		return unread
	case graphclient.MFADisabled:
		return "disabled: left to Conditional Access or security defaults"
	case graphclient.MFAEnabled:
		return "enabled: asked to register, enforced once a method is there"
	case graphclient.MFAEnforced:
		return "enforced: asked for a second factor at sign-in"
	}
	return v.PerUserMFAState
}

func (v userView) defaultMethod() string {
	switch {
	case !v.preferencesRead:
		return unread
	case v.DefaultMethod == "":
		return none
	}
	return v.DefaultMethod
}

func (v userView) systemPreferred() string {
	switch {
	case v.SystemPreferred == nil:
		return unread
	case *v.SystemPreferred:
		return "on: sign-in asks for the strongest method there is, whatever the default (only the NPS extension and the AD FS adapter still go by the default)"
	}
	return "off: sign-in goes by the default method"
}

// title names the user.
func (v userView) title() string {
	switch {
	case v.DisplayName != "" && v.UserPrincipalName != "":
		return v.DisplayName + " (" + v.UserPrincipalName + ")"
	case v.UserPrincipalName != "":
		return v.UserPrincipalName
	}
	return "User"
}

// account says what kind of account it is.
func (v userView) account() string {
	words := []string{strings.ToLower(v.UserType)}
	if v.AccountEnabled != nil && !*v.AccountEnabled {
		words = append(words, "disabled")
	}
	if v.OnPremisesSyncEnabled {
		words = append(words, "synchronised from Active Directory")
	}
	return strings.TrimPrefix(strings.Join(words, ", "), ", ")
}

// text prints everything for a person.
func (v userView) text(w io.Writer) error {
	fmt.Fprintln(w, v.title())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value, id string) {
		if id != "" {
			id = "\tid " + id
		}
		fmt.Fprintf(t, "  %s\t%s%s\n", name, value, id)
	}
	if v.ID != "" {
		line("object id", v.ID, "")
		line("account", v.account(), "")
	}
	for _, p := range phoneNames {
		line(p.name, v.phone(p.kind), v.phoneID(p.kind))
	}
	line("SMS sign-in", v.smsSignIn(), "")
	v.methods(line)
	line("per-user MFA", v.mfa(), "")
	line("default method", v.defaultMethod(), "")
	line("system-preferred", v.systemPreferred(), "")
	if err := t.Flush(); err != nil {
		return err
	}
	return v.tellMissing(w)
}

// methods lists the methods that are no phones.
func (v userView) methods(line func(name, value, id string)) {
	for _, a := range v.Authenticator {
		registered := ", date unknown"
		if a.Registered != nil {
			registered = ", since " + a.Registered.Format(time.DateOnly)
		}
		line("Authenticator", a.name()+registered, a.ID)
	}
	if len(v.Authenticator) == 0 {
		value := none
		for _, m := range v.Missing {
			if strings.HasPrefix(m.Part, "Microsoft Authenticator") {
				value = unread
			}
		}
		line("Authenticator", value, "")
	}
	for _, m := range v.OtherMethods {
		line("other method", m.Type, m.ID)
	}
}

// phoneNames are the phone types as people call them.
var phoneNames = []struct {
	kind graphclient.PhoneType
	name string
}{{graphclient.Mobile, "mobile"}, {graphclient.AlternateMobile, "alternate mobile"}, {graphclient.Office, "office"}}

func (v userView) phoneID(t graphclient.PhoneType) string {
	for _, p := range v.Phones {
		if p.Type == string(t) {
			return p.ID
		}
	}
	return ""
}

// tellMissing says what could not be read, and what would have to be granted.
func (v userView) tellMissing(w io.Writer) error {
	for i, m := range v.Missing {
		if i == 0 {
			fmt.Fprintln(w, "\nNot read, because the application may not:")
		}
		fmt.Fprintf(w, "  %s: grant %s\n", m.Part, m.Permission)
	}
	if len(v.Missing) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "As an application permission with admin consent: Entra admin centre > App registrations > the application > API permissions > Microsoft Graph.")
	return err
}
