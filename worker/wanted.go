package worker

import (
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Wanted is a command with its numbers in the form that Graph takes. Its modes
// are those of the command, see [messages.Command].
type Wanted struct {
	// Phones holds the wanted number per type; "" asks for removal.
	Phones            map[messages.PhoneType]phone.Number
	PhoneMode         messages.PhoneMode
	SMSSignIn         *bool
	MFAState          messages.MFAState
	DefaultMethod     messages.DefaultMethod
	DefaultMethodMode messages.DefaultMethodMode
	Authenticator     messages.Authenticator
	ProtectLastMethod *bool
	Expect            *messages.Expectation
}

// replaceable lists the phones that the command may take away while it leaves it
// to us which default method takes the place of one that rests on them.
func (w Wanted) replaceable() []messages.PhoneType {
	var types []messages.PhoneType
	for _, t := range messages.PhoneTypes {
		number, named := w.Phones[t]
		if named && (number == messages.Remove || w.PhoneMode == messages.PhoneModeRemove) && w.DefaultMethod == "" && w.DefaultMethodMode != messages.DefaultModeKeep {
			types = append(types, t)
		}
	}
	return types
}

// removesMethod tells whether the command may take any method away.
func (w Wanted) removesMethod() bool {
	for _, number := range w.Phones {
		if number == messages.Remove || w.PhoneMode == messages.PhoneModeRemove {
			return true
		}
	}
	return w.Authenticator.Removes()
}

// choosesDefault tells whether the command leaves it to us which default is set.
func (w Wanted) choosesDefault() bool {
	return w.DefaultMethod == "" && w.DefaultMethodMode == messages.DefaultModeMostSecure
}

// setsDefault tells whether the command asks for a default method, by name or
// not.
func (w Wanted) setsDefault() bool { return w.DefaultMethod != "" || w.choosesDefault() }

// protectsLastMethod tells whether the command must leave the user with a method.
func (w Wanted) protectsLastMethod() bool {
	if w.ProtectLastMethod != nil {
		return *w.ProtectLastMethod
	}
	return w.Authenticator.Removes()
}
