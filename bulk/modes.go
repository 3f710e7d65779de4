package bulk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/muster-mfa/muster/messages"
)

// Modes say how the rows of a file are meant, where a row's own cells do not say
// it. The zero value leaves it to the message contract.
type Modes struct {
	// Phone is the mode of rows without a PhoneMode.
	Phone messages.PhoneMode
	// DefaultMethod is the mode of rows without a DefaultMethodMode.
	DefaultMethod messages.DefaultMethodMode
	// ProtectLastMethod goes into every command.
	ProtectLastMethod *bool
}

var (
	phoneModes         = []messages.PhoneMode{messages.PhoneModeEnsure, messages.PhoneModeAddOnly, messages.PhoneModeRemove}
	defaultMethodModes = []messages.DefaultMethodMode{
		messages.DefaultModeKeep, messages.DefaultModeOnlyIfNone, messages.DefaultModeMostSecure, messages.DefaultModeForce,
	}
)

// Validate reports every fault of the modes at once.
func (m Modes) Validate() error {
	var faults []error
	if m.Phone != "" && !slices.Contains(phoneModes, m.Phone) {
		faults = append(faults, fmt.Errorf("phone mode %q: use ensure, add-only or remove", m.Phone))
	}
	if m.DefaultMethod != "" && !slices.Contains(defaultMethodModes, m.DefaultMethod) {
		faults = append(faults, fmt.Errorf("default method mode %q: use keep, only-if-none, most-secure or force", m.DefaultMethod))
	}
	return errors.Join(faults...)
}

// applyModes gives the command the modes of its row or of the file; that of its
// phones is settled already. A mode of
// something that the row does not ask for is left out: a column is easily filled
// down to its end.
func (c *interpreter) applyModes(command *messages.Command, m Modes) {
	command.ProtectLastMethod = m.ProtectLastMethod
	if mode := word(c, DefaultMethodMode, defaultMethodModes, ReasonInvalidDefaultMethodMode, hintDefaultMethodMode); mode != "" {
		m.DefaultMethod = mode
	}
	if len(command.Phones) > 0 {
		command.PhoneMode = m.Phone
	}
	for _, column := range phoneColumns {
		number, named := command.Phones[column.kind]
		// What could not be read is no number either.
		if named && number == messages.Remove && m.Phone == messages.PhoneModeAddOnly && isRemoval(c.cell(column.field)) {
			c.fail(column.field, ReasonRemovalUnderAddOnly, hintRemovalUnderAddOnly)
		}
	}
	switch needsMethod := m.DefaultMethod == messages.DefaultModeForce || m.DefaultMethod == messages.DefaultModeOnlyIfNone; {
	case needsMethod && command.DefaultMethod == "":
	case m.DefaultMethod == messages.DefaultModeKeep && command.DefaultMethod != "":
		c.fail(DefaultMethodMode, ReasonDefaultMethodKept, hintDefaultMethodKept)
	default:
		command.DefaultMethodMode = m.DefaultMethod
	}
}

// asksNothing tells whether a command asks for nothing.
func asksNothing(c *messages.Command) bool {
	return len(c.Phones) == 0 && c.SMSSignIn == nil && c.PerUserMFAState == "" && c.DefaultMethod == "" &&
		c.DefaultMethodMode != messages.DefaultModeMostSecure && !c.Authenticator.Removes()
}
