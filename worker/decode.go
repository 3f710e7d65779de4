package worker

import (
	"errors"
	"fmt"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// numbers reads the command's numbers by the policy. The first that is refused
// refuses the command: half a command is not what the publisher asked for.
func numbers(c messages.Command, policy phone.Policy) (Wanted, error) {
	w := Wanted{
		PhoneMode:         c.PhoneMode,
		SMSSignIn:         c.SMSSignIn,
		MFAState:          c.PerUserMFAState,
		DefaultMethod:     c.DefaultMethod,
		DefaultMethodMode: c.DefaultMethodMode,
		Authenticator:     c.Authenticator,
		ProtectLastMethod: c.ProtectLastMethod,
		Expect:            readable(c.Expect, policy),
	}
	if len(c.Phones) > 0 {
		w.Phones = make(map[messages.PhoneType]phone.Number, len(c.Phones))
	}
	for _, t := range messages.PhoneTypes {
		raw, named := c.Phones[t]
		if !named {
			continue
		}
		if raw == messages.Remove {
			w.Phones[t] = messages.Remove
			continue
		}
		number, err := policy.Parse(raw, phone.Use(t))
		if c.PhoneMode == messages.PhoneModeRemove {
			number, err = policy.ParseRegistered(raw) // it is compared and not written
		}
		if err != nil {
			return Wanted{}, refusedNumber(t, err)
		}
		w.Phones[t] = number
	}
	return w, nil
}

// refusedNumber says of which phone a number is refused.
func refusedNumber(t messages.PhoneType, err error) error {
	var refusal *phone.Refusal
	if !errors.As(err, &refusal) {
		return fmt.Errorf("read %s number: %w", t, err)
	}
	return &phone.Refusal{Reason: refusal.Reason, Hint: string(t) + " phone: " + refusal.Hint}
}

// readable is an expectation with its numbers read by the policy, so that those
// without a country code can be compared. One that the policy refuses stays as it
// is: the directory may hold what the policy would not write.
func readable(e *messages.Expectation, policy phone.Policy) *messages.Expectation {
	if e == nil || len(e.Phones) == 0 {
		return e
	}
	read := *e
	read.Phones = make(messages.Phones, len(e.Phones))
	for t, raw := range e.Phones {
		read.Phones[t] = raw
		if number, err := policy.Parse(raw, phone.Use(t)); err == nil {
			read.Phones[t] = string(number)
		}
	}
	return &read
}

// traceContext finds the W3C trace context that the publisher sent: in the
// application properties, where instrumentation of AMQP senders puts it, or in
// the event.
func traceContext(d messages.Delivery, e messages.Event) map[string]string {
	for _, name := range [...]string{"traceparent", "Diagnostic-Id"} {
		if parent, ok := d.Properties[name].(string); ok && parent != "" {
			state, _ := d.Properties["tracestate"].(string)
			return map[string]string{"traceparent": parent, "tracestate": state}
		}
	}
	return map[string]string{"traceparent": e.TraceParent, "tracestate": e.TraceState}
}
