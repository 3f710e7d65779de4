package worker

import (
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// meets tells why Graph does not hold what the command expects: nil where it
// does. A part that is as the command wants it already is no reason, or else a
// command that was interrupted could never be finished.
func (p *planner) meets(e *messages.Expectation) error {
	for _, t := range messages.PhoneTypes {
		expected, named := e.Phones[t]
		if !named {
			continue
		}
		met, err := p.holds(t, phone.Number(expected))
		if wanted, asked := p.wanted.Phones[t]; err == nil && !met && asked {
			met, err = p.holds(t, wanted)
		}
		if err != nil {
			return err
		}
		if !met {
			return changed(string(t) + " phone")
		}
	}
	if e.SMSSignIn != nil && !p.unsure(e) {
		on := p.is.Phones[messages.Mobile].SMSSignIn == SMSReady
		if on != *e.SMSSignIn && (p.wanted.SMSSignIn == nil || on != *p.wanted.SMSSignIn) {
			return changed("SMS sign-in")
		}
	}
	if e.PerUserMFAState != "" && p.is.MFAState != e.PerUserMFAState && p.is.MFAState != p.wanted.MFAState {
		return changed("per-user MFA state")
	}
	expected := e.DefaultMethod
	if expected == messages.DefaultNone {
		expected = ""
	}
	if e.DefaultMethod != "" && p.is.Default != expected && (p.is.Default == "" || p.is.Default != p.wanted.DefaultMethod) {
		return changed("default method")
	}
	return nil
}

// holds tells whether the user has this number of the type, or none where it is
// [messages.Remove].
func (p *planner) holds(t messages.PhoneType, number phone.Number) (bool, error) {
	have, exists := p.is.Phones[t]
	if !exists || number == messages.Remove {
		return !exists && number == messages.Remove, nil
	}
	return equal(have.Number, number)
}

// unsure tells that SMS sign-in is expected to be in some state and which it is
// in can't be told yet.
func (p *planner) unsure(e *messages.Expectation) bool {
	mobile, exists := p.is.Phones[messages.Mobile]
	return e.SMSSignIn != nil && exists && mobile.SMSSignIn == SMSUnknown
}

func changed(what string) *Refusal {
	return &Refusal{ReasonChangedSince, "The user's " + what + " is not what the command expects: somebody has changed it since. Look at the user, and publish again what is to hold now."}
}
