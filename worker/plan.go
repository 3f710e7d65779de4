package worker

import (
	"fmt"
	"slices"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Wanted is a command with its numbers in the form that Graph takes.
type Wanted struct {
	// Phones holds the wanted number per type; "" asks for removal.
	Phones              map[messages.PhoneType]phone.Number
	SMSSignIn           *bool
	MFAState            messages.MFAState
	DefaultMethod       messages.DefaultMethod
	RemoveAuthenticator []string
}

// removesMethod tells whether the command takes any method away.
func (w Wanted) removesMethod() bool {
	for _, number := range w.Phones {
		if number == messages.Remove {
			return true
		}
	}
	return len(w.RemoveAuthenticator) > 0
}

// Plan is the ordered list of Graph writes that takes a user from what is to
// what is wanted; empty when nothing is to do.
type Plan struct {
	Steps []Step
	// Recheck says that the state must be read again before all is decided:
	// writing a mobile number may have turned SMS sign-in on by itself
	// (resource type phoneAuthenticationMethod: a number is registered for
	// sign-in where the policy allows it).
	Recheck bool
}

// Refusal is why a command can never work for this user.
type Refusal struct {
	// Reason is a stable code, listed in docs/reasons.md.
	Reason string
	// Hint says what a person can do about it.
	Hint string
}

// Error names the reason and the hint; neither holds personal data.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Hint }

// MakePlan decides what has to be written, in the order that Graph demands:
// numbers added or changed first, a mobile before an alternate mobile; then the
// default method, so that it rests on nothing that goes; then removals, the
// alternate mobile before the mobile; then SMS sign-in and the per-user state.
// A number that differs is changed in place, never removed and added again.
func MakePlan(is State, wanted Wanted) (Plan, error) {
	p := planner{is: is, will: is.clone(), wanted: wanted}
	for _, decide := range []func() error{p.phones, p.defaultMethod, p.removals, p.smsSignIn, p.mfaState} {
		if err := decide(); err != nil {
			return Plan{}, err
		}
	}
	return p.plan, nil
}

// planner carries the plan while it grows; will is the state that it leads to.
type planner struct {
	is, will State
	wanted   Wanted
	plan     Plan
}

func (p *planner) add(s Step) {
	p.plan.Steps = append(p.plan.Steps, s)
	p.will = p.will.After(s)
}

func (p *planner) phones() error {
	for _, t := range messages.PhoneTypes {
		number, named := p.wanted.Phones[t]
		if !named || number == messages.Remove {
			continue
		}
		if t == messages.AlternateMobile && !p.mobileStays() {
			return &Refusal{ReasonAlternateNeedsMobile, "Graph takes an alternate mobile only where a mobile is registered: give a mobile number too."}
		}
		have, exists := p.will.Phones[t]
		switch {
		case !exists:
			p.add(Step{Kind: AddPhone, Phone: t, Number: number})
		case !phone.Equal(have.Number, string(number)):
			p.add(Step{Kind: ChangePhone, Phone: t, Number: number})
		}
	}
	return nil
}

// mobileStays tells whether the user has a mobile once the command is done.
func (p *planner) mobileStays() bool {
	if number, named := p.wanted.Phones[messages.Mobile]; named {
		return number != messages.Remove
	}
	_, exists := p.will.Phones[messages.Mobile]
	return exists
}

// defaultMethod comes before removals: Graph refuses to delete the method that
// is the default while others remain.
func (p *planner) defaultMethod() error {
	wanted := p.wanted.DefaultMethod
	if wanted == "" {
		return p.keepDefaultAlive()
	}
	if !p.survives(wanted) {
		return &Refusal{ReasonDefaultMethodUnavailable, "The wanted default method needs a method that the user does not have, or that the same command removes."}
	}
	if p.is.Default != wanted {
		p.add(Step{Kind: SetDefault, Default: wanted})
	}
	return nil
}

// keepDefaultAlive finds a default method of at least the same strength where
// the present one is about to go.
func (p *planner) keepDefaultAlive() error {
	current := p.is.Default
	if !p.wanted.removesMethod() || current == "" || p.survives(current) || !p.exists(current) {
		return nil
	}
	for _, next := range []messages.DefaultMethod{messages.DefaultPush, messages.DefaultSMS, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice} {
		if !p.survives(next) {
			continue
		}
		if phoneOf(current) == "" && phoneOf(next) != "" {
			return &Refusal{ReasonDefaultMethodProtected, "Removing this method would leave a weaker default method: name the defaultMethod that is to take its place."}
		}
		p.add(Step{Kind: SetDefault, Default: next})
		return nil
	}
	// Nothing that we know of remains. Graph lets the default go as the last
	// method, which the alternate mobile can't be: the mobile outlives it.
	if phoneOf(current) == messages.AlternateMobile && p.exists(messages.DefaultSMS) {
		p.add(Step{Kind: SetDefault, Default: messages.DefaultSMS})
	}
	return nil
}

// exists tells whether the user has the method behind a default now.
func (p *planner) exists(m messages.DefaultMethod) bool {
	if t := phoneOf(m); t != "" {
		_, ok := p.will.Phones[t]
		return ok
	}
	return len(p.is.Authenticator) > 0
}

// survives tells whether the user still has the method behind a default once the
// command is done. For a one-time code it can't be told where there is no
// Authenticator, since other generators aren't read: Graph then decides.
func (p *planner) survives(m messages.DefaultMethod) bool {
	if t := phoneOf(m); t != "" {
		if number, named := p.wanted.Phones[t]; named && number == messages.Remove {
			return false
		}
		return p.exists(m)
	}
	if m == messages.DefaultOath && len(p.is.Authenticator) == 0 {
		return true
	}
	return slices.ContainsFunc(p.is.Authenticator, func(id string) bool {
		return !slices.Contains(p.wanted.RemoveAuthenticator, id)
	})
}

// phoneOf is the phone type that a default method rests on, "" for none.
func phoneOf(m messages.DefaultMethod) messages.PhoneType {
	switch m {
	case messages.DefaultSMS, messages.DefaultVoiceMobile:
		return messages.Mobile
	case messages.DefaultVoiceAlternateMobile:
		return messages.AlternateMobile
	case messages.DefaultVoiceOffice:
		return messages.Office
	}
	return ""
}

// removals takes away what is to go, the alternate mobile before the mobile. A
// method that is still the default by now goes last, for nothing is left to take
// its place.
func (p *planner) removals() error {
	var steps []Step
	for _, t := range []messages.PhoneType{messages.AlternateMobile, messages.Office, messages.Mobile} {
		if !p.removes(t) {
			continue
		}
		if _, alternate := p.will.Phones[messages.AlternateMobile]; t == messages.Mobile && alternate && !p.removes(messages.AlternateMobile) {
			return &Refusal{ReasonMobileNeededByAlternate, "Graph keeps the mobile while an alternate mobile is registered: remove the alternate mobile too."}
		}
		steps = append(steps, Step{Kind: DeletePhone, Phone: t})
	}
	for _, id := range p.wanted.RemoveAuthenticator {
		step := Step{Kind: DeleteAuthenticator, MethodID: id}
		if slices.Contains(p.will.Authenticator, id) && !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	current := p.will.Default
	for _, last := range []bool{false, true} {
		for _, step := range steps {
			if step.removesMethodOf(current) == last {
				p.add(step)
			}
		}
	}
	return nil
}

// removes tells whether the user has a phone of the type that is to go.
func (p *planner) removes(t messages.PhoneType) bool {
	number, named := p.wanted.Phones[t]
	_, exists := p.will.Phones[t]
	return named && number == messages.Remove && exists
}

func (p *planner) smsSignIn() error {
	if p.wanted.SMSSignIn == nil {
		return nil
	}
	mobile, exists := p.will.Phones[messages.Mobile]
	if !exists {
		if *p.wanted.SMSSignIn {
			return &Refusal{ReasonSMSSignInNeedsMobile, "SMS sign-in works on the mobile number only: give a mobile number too."}
		}
		return nil
	}
	if mobile.SMSSignIn == SMSUnknown {
		p.plan.Recheck = true
		return nil
	}
	on := mobile.SMSSignIn == SMSReady
	switch {
	case on == *p.wanted.SMSSignIn:
		return nil
	case on:
		p.add(Step{Kind: DisableSMS})
		return nil
	}
	switch mobile.SMSSignIn {
	case SMSNotAllowedByPolicy:
		return &Refusal{ReasonSMSSignInNotAllowed, "The tenant's SMS sign-in policy does not cover this user: add the user to it, or leave SmsSignIn out."}
	case SMSNotUnique:
		return &Refusal{ReasonSMSSignInNotUnique, "Another user of the tenant signs in with the same number, and a number can be used by one user only."}
	case SMSNotSupported:
		return &Refusal{ReasonSMSSignInNotSupported, "SMS sign-in is not supported for this number."}
	}
	p.add(Step{Kind: EnableSMS})
	return nil
}

// mfaState takes enforced for enabled: Entra ID turns the latter into the former
// by itself once the user has registered a method.
func (p *planner) mfaState() error {
	wanted, is := p.wanted.MFAState, p.is.MFAState
	if wanted == "" || wanted == is || (wanted == messages.MFAEnabled && is == messages.MFAEnforced) {
		return nil
	}
	p.add(Step{Kind: SetMFAState, MFAState: wanted})
	return nil
}

// removesMethodOf tells whether the step takes away what a default rests on.
func (s Step) removesMethodOf(m messages.DefaultMethod) bool {
	if s.Kind == DeletePhone {
		return s.Phone == phoneOf(m)
	}
	return s.Kind == DeleteAuthenticator && (m == messages.DefaultPush || m == messages.DefaultOath)
}

// StepKind is a kind of Graph write.
type StepKind string

// The kinds of Graph write.
const (
	AddPhone            StepKind = "add phone"
	ChangePhone         StepKind = "change phone"
	DeletePhone         StepKind = "delete phone"
	SetDefault          StepKind = "set default method"
	DeleteAuthenticator StepKind = "delete authenticator"
	EnableSMS           StepKind = "enable sms sign-in"
	DisableSMS          StepKind = "disable sms sign-in"
	SetMFAState         StepKind = "set per-user mfa state"
)

// Step is one Graph write. Which fields count depends on its kind.
type Step struct {
	Kind     StepKind
	Phone    messages.PhoneType
	Number   phone.Number
	Default  messages.DefaultMethod
	MethodID string
	MFAState messages.MFAState
}

// String names the step without the number.
func (s Step) String() string {
	switch s.Kind {
	case AddPhone, ChangePhone, DeletePhone:
		return fmt.Sprintf("%s (%s)", s.Kind, s.Phone)
	case SetDefault:
		return fmt.Sprintf("%s (%s)", s.Kind, s.Default)
	case SetMFAState:
		return fmt.Sprintf("%s (%s)", s.Kind, s.MFAState)
	}
	return string(s.Kind)
}
