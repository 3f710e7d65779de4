package worker

import (
	"slices"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// applyPhoneMode turns the numbers of the command into what they ask of this
// user: a number that the type shall have, or its removal. A type that stays as
// it is is left out.
func (p *planner) applyPhoneMode() error {
	mode := p.wanted.PhoneMode
	if mode != messages.PhoneModeAddOnly && mode != messages.PhoneModeRemove {
		return nil
	}
	phones := make(map[messages.PhoneType]phone.Number, len(p.wanted.Phones))
	for _, t := range messages.PhoneTypes {
		number, named := p.wanted.Phones[t]
		have, exists := p.is.Phones[t]
		switch {
		case !named:
		case number == messages.Remove:
			phones[t] = messages.Remove
		case mode == messages.PhoneModeAddOnly && (!exists || phone.Equal(have.Number, string(number))):
			phones[t] = number
		case mode == messages.PhoneModeAddOnly:
			p.warn(WarningNumberKept)
		case !exists:
			phones[t] = messages.Remove
		default:
			same, err := equal(have.Number, number)
			switch {
			case err != nil:
				return err
			case same:
				phones[t] = messages.Remove
			default:
				p.warn(WarningNumberKept)
			}
		}
	}
	p.wanted.Phones = phones
	return nil
}

// phones adds and changes numbers.
func (p *planner) phones() error {
	var pending []messages.PhoneType
	for _, t := range messages.PhoneTypes {
		number, named := p.wanted.Phones[t]
		if !named || number == messages.Remove {
			continue
		}
		if t == messages.AlternateMobile && !p.mobileStays() {
			return &Refusal{ReasonAlternateNeedsMobile, "Graph takes an alternate mobile only where a mobile is registered: give a mobile number too."}
		}
		have, exists := p.is.Phones[t]
		if exists {
			if same, err := equal(have.Number, number); err != nil {
				return err
			} else if same {
				continue
			}
		}
		pending = append(pending, t)
	}
	for len(pending) > 0 {
		t := p.nextOf(pending)
		pending = slices.DeleteFunc(pending, func(other messages.PhoneType) bool { return other == t })
		kind := AddPhone
		if have, exists := p.will.Phones[t]; exists {
			kind = ChangePhone
			if t == messages.Mobile && p.wanted.SMSSignIn == nil && have.SMSSignIn.turnsOn() {
				p.warn(WarningSMSSignInTurnedOn)
			}
		}
		p.add(Step{Kind: kind, Phone: t, Number: p.wanted.Phones[t]})
	}
	return nil
}

// nextOf chooses the type to write next: the first whose writing leaves the user
// with every number that they keep. Where two numbers change places there is no
// such type, and no way that does without a third.
func (p *planner) nextOf(pending []messages.PhoneType) messages.PhoneType {
	for _, t := range pending {
		if !p.loses(t, pending) && p.mayWrite(t) {
			return t
		}
	}
	return pending[0]
}

// loses tells whether writing the type would take away a number that the user has
// nowhere else now, and that another type is still to get.
func (p *planner) loses(t messages.PhoneType, pending []messages.PhoneType) bool {
	have, exists := p.will.Phones[t]
	if !exists {
		return false
	}
	for other, held := range p.will.Phones {
		if other != t && phone.Equal(held.Number, have.Number) {
			return false
		}
	}
	return slices.ContainsFunc(pending, func(other messages.PhoneType) bool {
		return other != t && phone.Equal(have.Number, string(p.wanted.Phones[other]))
	})
}

// mayWrite tells whether Graph takes a number of the type now.
func (p *planner) mayWrite(t messages.PhoneType) bool {
	_, mobile := p.will.Phones[messages.Mobile]
	return t != messages.AlternateMobile || mobile
}

// mobileStays tells whether the user has a mobile once the command is done.
func (p *planner) mobileStays() bool {
	if number, named := p.wanted.Phones[messages.Mobile]; named {
		return number != messages.Remove
	}
	_, exists := p.will.Phones[messages.Mobile]
	return exists
}
