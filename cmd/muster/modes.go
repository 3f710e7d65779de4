package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
)

// modeFlags say how commands are meant.
type modeFlags struct {
	phone, defaultMethod string
	protectLastMethod    bool
}

func (m *modeFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&m.phone, "phone-mode", "", "what numbers ask for: ensure (the type has this number), add-only (another one stays) or remove (this one goes); default: ensure")
	fs.StringVar(&m.defaultMethod, "default-method-mode", "", "when the default method is changed: keep (never), only-if-none, most-secure (unless the present one is stronger) or force; default: most-secure for a default method that is named")
	fs.BoolVar(&m.protectLastMethod, "protect-last-method", false, "refuse what would leave a user without any method for multi-factor authentication; default: true where Authenticator registrations are removed, false otherwise")
}

// modes are the flags as the rows of a file take them.
func (m *modeFlags) modes(cmd *cobra.Command) bulk.Modes {
	modes := bulk.Modes{Phone: messages.PhoneMode(m.phone), DefaultMethod: messages.DefaultMethodMode(m.defaultMethod)}
	if cmd.Flags().Changed("protect-last-method") {
		modes.ProtectLastMethod = &m.protectLastMethod
	}
	return modes
}
