package worker

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Plan is the ordered list of Graph writes that takes a user from what is to
// what is wanted; empty when nothing is to do.
type Plan struct {
	Steps []Step
	// Warnings are codes of what is worth knowing about it, listed in
	// docs/reasons.md.
	Warnings []string
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
// numbers added or changed first; then the default method, so that it rests on
// nothing that goes; then removals, the alternate mobile before the mobile; then
// SMS sign-in and the per-user state. A number that differs is changed in place,
// never removed and added again. The time is that to which the age of a
// registration is counted.
func MakePlan(is State, wanted Wanted, now time.Time) (Plan, error) {
	p := planner{is: is, will: is.clone(), now: now}
	err := p.decide(wanted)
	if wanted.Expect != nil && (err != nil || len(p.plan.Steps) > 0) {
		if changed := p.meets(wanted.Expect); changed != nil {
			return Plan{}, changed
		}
		if p.unsure(wanted.Expect) {
			return Plan{Recheck: true}, nil
		}
	}
	if err != nil {
		return Plan{}, err
	}
	if p.plan.Recheck && !p.writes(messages.Mobile) {
		// What SMS sign-in is of a number that is there already only has to be read:
		// if it is refused, then before anything is written.
		return Plan{Recheck: true}, nil
	}
	return p.plan, nil
}

// planner carries the plan while it grows; will is the state that it leads to.
type planner struct {
	is, will State
	now      time.Time
	// wanted is what the command asks of this user: its modes are applied, so that
	// a phone that stays as it is is not among Phones.
	wanted Wanted
	// going lists the ids of the Authenticator registrations that are removed.
	going []string
	plan  Plan
}

func (p *planner) decide(wanted Wanted) error {
	p.wanted = wanted
	for _, decide := range []func() error{
		p.applyPhoneMode, p.selectRegistrations, p.phones, p.defaultMethod, p.removals, p.lastMethod, p.smsSignIn, p.mfaState,
	} {
		if err := decide(); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) add(s Step) {
	p.plan.Steps = append(p.plan.Steps, s)
	p.will = p.will.After(s)
}

// writes tells whether the plan writes a number of the type.
func (p *planner) writes(t messages.PhoneType) bool {
	return slices.ContainsFunc(p.plan.Steps, func(s Step) bool { return s.Phone == t && (s.Kind == AddPhone || s.Kind == ChangePhone) })
}

func (p *planner) warn(code string) {
	if !slices.Contains(p.plan.Warnings, code) {
		p.plan.Warnings = append(p.plan.Warnings, code)
	}
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
			return &Refusal{ReasonMobileNeededByAlternate, "Graph keeps the mobile while an alternate mobile is registered: remove the alternate mobile too; to keep its number, make it the mobile's."}
		}
		steps = append(steps, Step{Kind: DeletePhone, Phone: t})
	}
	for _, id := range p.going {
		steps = append(steps, Step{Kind: DeleteAuthenticator, MethodID: id})
	}
	current := p.will.Default
	for _, last := range []bool{false, true} {
		for _, step := range steps {
			if step.removesMethodOf(current) != last {
				continue
			}
			if p.will.has(current) && !p.will.After(step).has(current) {
				step.Default = current
			}
			p.add(step)
		}
	}
	return nil
}

// lastMethod refuses a plan that takes something away and leaves nothing.
func (p *planner) lastMethod() error {
	removes := slices.ContainsFunc(p.plan.Steps, Step.removes)
	if !p.wanted.protectsLastMethod() || !removes || p.will.hasFactor() {
		return nil
	}
	return &Refusal{ReasonLastMethod, "The user would be left without any method for multi-factor authentication: register another one first, or set protectLastMethod to false."}
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
		return &Refusal{ReasonSMSSignInNotAllowed, hintSMSSignInNotAllowed}
	case SMSNotSupported:
		return &Refusal{ReasonSMSSignInNotSupported, "SMS sign-in is not supported for this number."}
	}
	// One that was not unique when it was registered may be by now: Graph decides.
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

// removes tells whether the user has a phone of the type that is to go.
func (p *planner) removes(t messages.PhoneType) bool {
	number, named := p.wanted.Phones[t]
	_, exists := p.will.Phones[t]
	return named && number == messages.Remove && exists
}

// selectRegistrations finds the Authenticator registrations that are to go.
func (p *planner) selectRegistrations() error {
	for _, r := range p.is.Authenticator {
		switch {
		case p.selected(r):
			p.going = append(p.going, r.ID)
		case p.wanted.Authenticator.RemoveOlderThanDays > 0 && r.Created.IsZero():
			p.warn(WarningRegistrationDateUnknown)
		}
	}
	return nil
}

// selected tells whether a registration is to go.
func (p *planner) selected(r Registration) bool {
	a := p.wanted.Authenticator
	age := time.Duration(a.RemoveOlderThanDays) * 24 * time.Hour
	old := age > 0 && !r.Created.IsZero() && p.now.Sub(r.Created) > age
	// An id is a GUID, which some write in capitals.
	return a.RemoveAll || old ||
		slices.ContainsFunc(a.Remove, func(id string) bool { return strings.EqualFold(id, r.ID) }) ||
		slices.ContainsFunc(a.RemoveNamed, func(name string) bool { return strings.EqualFold(name, r.Name) })
}

// equal compares a number that Graph returned with a wanted one. A number of
// which only a part is shown can't be compared.
func equal(registered string, wanted phone.Number) (bool, error) {
	if phone.IsMasked(registered) {
		return false, &Refusal{ReasonNumbersHidden, "Microsoft Graph shows numbers only in part to this credential: use an application permission, or the role Privileged Authentication Administrator."}
	}
	return phone.Equal(registered, string(wanted)), nil
}
