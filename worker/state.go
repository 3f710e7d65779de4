package worker

import (
	"maps"
	"slices"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// State is what Graph holds for one user, as far as a command needs it.
type State struct {
	Phones   map[messages.PhoneType]Phone
	MFAState messages.MFAState
	// Default is the default method, empty for none.
	Default messages.DefaultMethod
	// SystemPreferred: the system picks the method, and Default is ignored nearly
	// everywhere (resource type signInPreferences,
	// isSystemPreferredAuthenticationMethodEnabled).
	SystemPreferred bool
	Authenticator   []Registration
	// Other lists the kinds of the methods that are neither phones nor
	// Authenticator registrations, as far as they were read.
	Other []graphclient.MethodType
}

// Registration is one registration of Microsoft Authenticator.
type Registration struct {
	ID string
	// Name is the device's display name.
	Name string
	// Created is zero where Graph does not tell.
	Created time.Time
}

// factors are the kinds of other methods that multi-factor authentication can
// use (Microsoft Entra, "What authentication and verification methods are
// available"). A kind that we do not know is none: who relies on it can lose more
// by our mistake than by a refusal.
var factors = []graphclient.MethodType{
	graphclient.MethodExternal, graphclient.MethodFIDO2, graphclient.MethodHardwareOath, graphclient.MethodPlatformCredential,
	graphclient.MethodSoftwareOath, graphclient.MethodWindowsHello,
}

// hasFactor tells whether the user has any method that multi-factor
// authentication can use, as far as methods were read.
func (s State) hasFactor() bool {
	return len(s.Phones) > 0 || len(s.Authenticator) > 0 ||
		slices.ContainsFunc(s.Other, func(m graphclient.MethodType) bool { return slices.Contains(factors, m) })
}

// generatesCodes tells whether something other than Authenticator is known to
// make one-time codes for the user.
func (s State) generatesCodes() bool {
	return slices.Contains(s.Other, graphclient.MethodSoftwareOath) || slices.Contains(s.Other, graphclient.MethodHardwareOath)
}

// Phone is one registered number.
type Phone struct {
	Number    string
	SMSSignIn SMSState
}

// SMSState is a number's state for sign-in by text message (resource type
// phoneAuthenticationMethod, property smsSignInState).
type SMSState string

// The SMS sign-in states that a plan tells apart. The number was written a
// moment ago and its state not read yet: SMSUnknown.
const (
	SMSUnknown            SMSState = ""
	SMSReady              SMSState = "ready"
	SMSNotEnabled         SMSState = "notEnabled"
	SMSNotConfigured      SMSState = "notConfigured"
	SMSNotAllowedByPolicy SMSState = "notAllowedByPolicy"
	SMSNotUnique          SMSState = "phoneNumberNotUnique"
	SMSNotSupported       SMSState = "notSupported"
)

// turnsOn tells whether SMS sign-in is off, and Graph turns it on by itself for
// another number. Of a number that is added Graph tells.
func (s SMSState) turnsOn() bool {
	return s == SMSNotEnabled || s == SMSNotConfigured || s == SMSNotUnique
}

func (s State) clone() State {
	s.Phones = maps.Clone(s.Phones)
	if s.Phones == nil {
		s.Phones = make(map[messages.PhoneType]Phone)
	}
	s.Authenticator = slices.Clone(s.Authenticator)
	s.Other = slices.Clone(s.Other)
	return s
}

// After is the state that a step leads to.
func (s State) After(step Step) State {
	s = s.clone()
	switch step.Kind {
	case AddPhone, ChangePhone:
		if have, ok := s.Phones[step.Phone]; !ok || !phone.Equal(have.Number, string(step.Number)) {
			s.Phones[step.Phone] = Phone{Number: string(step.Number)}
		}
	case DeletePhone:
		delete(s.Phones, step.Phone)
		s = s.withoutDefault(step)
	case SetDefault:
		s.Default = step.Default
	case DeleteAuthenticator:
		s.Authenticator = slices.DeleteFunc(s.Authenticator, func(r Registration) bool { return r.ID == step.MethodID })
		s = s.withoutDefault(step)
	case EnableSMS, DisableSMS:
		if mobile, ok := s.Phones[messages.Mobile]; ok {
			mobile.SMSSignIn = SMSNotEnabled
			if step.Kind == EnableSMS {
				mobile.SMSSignIn = SMSReady
			}
			s.Phones[messages.Mobile] = mobile
		}
	case SetMFAState:
		s.MFAState = step.MFAState
	}
	return s
}

// withoutDefault is the state without the default method that the step takes
// along.
func (s State) withoutDefault(step Step) State {
	if s.Default == step.Default {
		s.Default = ""
	}
	return s
}

// has tells whether there is a method behind the default.
func (s State) has(m messages.DefaultMethod) bool {
	if t := phoneOf(m); t != "" {
		_, ok := s.Phones[t]
		return ok
	}
	return len(s.Authenticator) > 0 || m == messages.DefaultOath && s.generatesCodes()
}

// Holds tells whether a step would change nothing. Of a change of the default
// method or the per-user state that was not read it can't be told: false.
func (s State) Holds(step Step) bool {
	have, exists := s.Phones[step.Phone]
	switch step.Kind {
	case AddPhone, ChangePhone:
		return exists && phone.Equal(have.Number, string(step.Number))
	case DeletePhone:
		return !exists && (s.Default == "" || s.Default != step.Default)
	case SetDefault:
		return s.Default == step.Default
	case DeleteAuthenticator:
		return !slices.ContainsFunc(s.Authenticator, func(r Registration) bool { return r.ID == step.MethodID }) &&
			(s.Default == "" || s.Default != step.Default)
	case EnableSMS:
		return s.Phones[messages.Mobile].SMSSignIn == SMSReady
	case DisableSMS:
		state := s.Phones[messages.Mobile].SMSSignIn
		return state != SMSReady && state != SMSUnknown
	case SetMFAState:
		return s.MFAState == step.MFAState || (step.MFAState == messages.MFAEnabled && s.MFAState == messages.MFAEnforced)
	}
	return false
}

// hides tells whether there is a number where the step has written one, of which
// only a part is shown.
func (s State) hides(step Step) bool {
	return (step.Kind == AddPhone || step.Kind == ChangePhone) && phone.IsMasked(s.Phones[step.Phone].Number)
}

// replaces tells whether nothing of an earlier step's effect is left after this
// one.
func (s Step) replaces(earlier Step) bool {
	if s.removes() && s.Default != "" && earlier.Kind == SetDefault {
		return earlier.Default == s.Default
	}
	switch s.Kind {
	case AddPhone, ChangePhone, DeletePhone:
		return earlier.onPhone() && earlier.Phone == s.Phone || earlier.onSMSSignIn() && s.Phone == messages.Mobile
	case EnableSMS, DisableSMS:
		return earlier.onSMSSignIn()
	case DeleteAuthenticator:
		return earlier == s
	}
	return earlier.Kind == s.Kind
}

func (s Step) onPhone() bool {
	return s.Kind == AddPhone || s.Kind == ChangePhone || s.Kind == DeletePhone
}

func (s Step) onSMSSignIn() bool { return s.Kind == EnableSMS || s.Kind == DisableSMS }

// needs says which parts of a user's state a command's plan rests on.
type needs struct {
	phones, mfaState, preferences, authenticator, methods bool
	// going lists the phones that may go without a word on the default method:
	// methods are needed too where it rests on one of them, see codes.
	going []messages.PhoneType
}

// codes tells whether one-time codes could take the place of the default method,
// which only the other methods tell.
func (n needs) codes(s State) bool {
	return slices.Contains(n.going, phoneOf(s.Default)) && len(s.Authenticator) == 0
}

func needsOf(w Wanted) needs {
	removal := w.removesMethod()
	expect := w.Expect
	if expect == nil {
		expect = &messages.Expectation{}
	}
	return needs{
		phones:        len(w.Phones) > 0 || w.SMSSignIn != nil || w.setsDefault() || removal || len(expect.Phones) > 0 || expect.SMSSignIn != nil,
		mfaState:      w.MFAState != "" || expect.PerUserMFAState != "",
		preferences:   w.setsDefault() || removal || expect.DefaultMethod != "",
		authenticator: removal || w.choosesDefault() || w.DefaultMethod == messages.DefaultPush || w.DefaultMethod == messages.DefaultOath,
		going:         w.replaceable(),
		methods:       removal && w.protectsLastMethod() || w.Authenticator.Removes() || w.choosesDefault() || w.DefaultMethod == messages.DefaultOath,
	}
}
