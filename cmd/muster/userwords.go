package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

// warningInWords says what a warning about one command means for the person who
// gave it.
func warningInWords(code string, c messages.Command) string {
	switch code {
	case worker.WarningNumberNotUnique:
		return "the number is registered for MFA, but another user signs in with it, so this one can't"
	case worker.WarningNumberKept:
		return "another number is registered, or one that is hidden, and --phone-mode leaves it alone"
	case worker.WarningDefaultMethodKept:
		if c.DefaultMethodMode == messages.DefaultModeOnlyIfNone {
			return "the user has a default method, and --mode only-if-none leaves it alone"
		}
		return "the default method stays, for it is stronger than " + string(c.DefaultMethod) + "; --mode force sets it all the same"
	case worker.WarningSystemPreferredMethod:
		return "system-preferred authentication is on for this user: sign-in asks for the strongest method there is and passes over the default method"
	case worker.WarningRegistrationDateUnknown:
		return "a registration stays, because Microsoft Graph does not tell when it was made: name it by its id"
	}
	return "docs/reasons.md says what it means"
}

// refusedNumbers says of each number that the policy refuses which one it is and
// what to do; nothing where none is refused for that reason.
func refusedNumbers(phones messages.Phones, policy phone.Policy, reason string) string {
	var words []string
	found := false
	for _, t := range messages.PhoneTypes {
		number, given := phones[t]
		if !given || number == messages.Remove {
			continue
		}
		var refusal *phone.Refusal
		if _, err := policy.Parse(number, phone.Use(t)); errors.As(err, &refusal) {
			words = append(words, "--"+numberFlags[t]+": "+hint(refusal))
			found = found || refusal.Reason == reason
		}
	}
	if !found {
		return ""
	}
	return strings.Join(words, "; ")
}

// hint is that of the refusal, or where that speaks of a file, of the flags.
func hint(r *phone.Refusal) string {
	switch r.Reason {
	case phone.ReasonMissingCountry:
		return "write the number with + and its country code, or give the country by --region"
	case phone.ReasonExtension:
		return "leave the extension out, or give the number as --office"
	}
	return r.Hint
}

// notThere lists the registrations that were to go and that the user did not
// have: perhaps a name misspelt.
func (c *changed) notThere() []string {
	if c.state.noAuthenticator {
		return nil
	}
	var missing []string
	asked := c.event.Command.Authenticator
	for _, id := range asked.Remove {
		if !slices.ContainsFunc(c.Before.Authenticator, func(a authenticatorView) bool { return strings.EqualFold(a.ID, id) }) {
			missing = append(missing, id)
		}
	}
	for _, name := range asked.RemoveNamed {
		if !slices.ContainsFunc(c.Before.Authenticator, func(a authenticatorView) bool { return strings.EqualFold(a.Device, name) }) {
			missing = append(missing, name)
		}
	}
	return missing
}
