package worker

import (
	"fmt"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

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
	Kind   StepKind
	Phone  messages.PhoneType
	Number phone.Number
	// Default is the default method that is set, or that goes with the last method
	// behind it where that is removed.
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

// removes tells whether the step takes a method away.
func (s Step) removes() bool { return s.Kind == DeletePhone || s.Kind == DeleteAuthenticator }

// removesMethodOf tells whether the step takes away what a default rests on.
func (s Step) removesMethodOf(m messages.DefaultMethod) bool {
	if s.Kind == DeletePhone {
		return s.Phone == phoneOf(m)
	}
	return s.Kind == DeleteAuthenticator && (m == messages.DefaultPush || m == messages.DefaultOath)
}
