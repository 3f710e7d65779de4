package worker

import (
	"slices"

	"github.com/muster-mfa/muster/messages"
)

// defaultMethod comes before removals: Graph refuses to delete the method that
// is the default while others remain.
func (p *planner) defaultMethod() error {
	if p.is.SystemPreferred && p.wanted.setsDefault() {
		p.warn(WarningSystemPreferredMethod)
	}
	wanted, mode := p.wanted.DefaultMethod, p.wanted.DefaultMethodMode
	current := p.is.Default
	taken := current != "" && p.will.has(current) && !p.survives(current)
	switch {
	case wanted != "" && mode == messages.DefaultModeForce:
		return p.setDefault(wanted)
	case wanted != "":
		return p.setDefaultUnlessStronger(taken)
	case mode == messages.DefaultModeKeep && taken:
		return &Refusal{ReasonDefaultMethodProtected, "Removing this method would take the default method away, which the command keeps."}
	case mode == messages.DefaultModeMostSecure && !taken:
		if best := p.strongest(); strength(best) > strength(current) {
			return p.setDefault(best)
		}
	case taken:
		return p.replaceDefault()
	}
	return nil
}

// setDefaultUnlessStronger sets the named default, unless the present one is to
// stay. One that the same command takes away can't stay, but neither may a phone
// take over from something stronger unless it is forced to.
func (p *planner) setDefaultUnlessStronger(taken bool) error {
	wanted, current := p.wanted.DefaultMethod, p.is.Default
	switch {
	case taken && phoneOf(current) == "" && phoneOf(wanted) != "":
		return &Refusal{ReasonDefaultMethodProtected, "Removing this method would leave a weaker default method, which is not done unasked: set the default method with the mode force."}
	case taken, current == "", current == wanted:
	case p.wanted.DefaultMethodMode == messages.DefaultModeOnlyIfNone, strength(current) > strength(wanted):
		p.warn(WarningDefaultMethodKept)
		return nil
	}
	return p.setDefault(wanted)
}

func (p *planner) setDefault(m messages.DefaultMethod) error {
	if !p.survives(m) {
		return &Refusal{ReasonDefaultMethodUnavailable, "The wanted default method needs a method that the user does not have, or that the same command removes."}
	}
	if p.is.Default != m {
		p.add(Step{Kind: SetDefault, Default: m})
	}
	return nil
}

// replaceDefault finds another default where the present one is about to go. A
// phone takes the place of a phone only.
func (p *planner) replaceDefault() error {
	current, next := p.is.Default, p.strongest()
	switch {
	case next != "" && phoneOf(current) == "" && phoneOf(next) != "":
		return &Refusal{ReasonDefaultMethodProtected, "Removing this method would leave a weaker default method: name the defaultMethod that is to take its place, with the mode force."}
	case next != "":
		p.add(Step{Kind: SetDefault, Default: next})
	case phoneOf(current) == messages.AlternateMobile && p.will.has(messages.DefaultSMS):
		// Nothing that we know of remains. Graph lets the default go as the last
		// method, which the alternate mobile can't be: the mobile outlives it.
		p.add(Step{Kind: SetDefault, Default: messages.DefaultSMS})
	}
	return nil
}

// strongest is the strongest default that the user can have once the command is
// done, as far as we know; "" for none. A voice call to the mobile is never it,
// for a text message to the mobile is stronger.
func (p *planner) strongest() messages.DefaultMethod {
	for _, m := range []messages.DefaultMethod{
		messages.DefaultPush, messages.DefaultOath, messages.DefaultSMS, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice,
	} {
		if m == messages.DefaultOath && !p.is.generatesCodes() {
			continue // Authenticator makes codes too, but then push is stronger
		}
		if p.survives(m) {
			return m
		}
	}
	return ""
}

// strength orders default methods. One that we do not know could be anything, so
// none is stronger.
func strength(m messages.DefaultMethod) int {
	switch m {
	case "":
		return 0
	case messages.DefaultVoiceMobile, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice:
		return 1
	case messages.DefaultSMS:
		return 2
	case messages.DefaultOath:
		return 3
	case messages.DefaultPush:
		return 4
	}
	return 5
}

// survives tells whether the user still has the method behind a default once the
// command is done.
func (p *planner) survives(m messages.DefaultMethod) bool {
	if t := phoneOf(m); t != "" {
		if number, named := p.wanted.Phones[t]; named && number == messages.Remove {
			return false
		}
		return p.will.has(m)
	}
	if m == messages.DefaultOath && p.is.generatesCodes() {
		return true
	}
	return slices.ContainsFunc(p.is.Authenticator, func(r Registration) bool { return !slices.Contains(p.going, r.ID) })
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
