package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/messages"
)

const changeHelp = `
Prints what was before, what was done and what is after. A refusal comes with a
reason and a hint, and exit code 3; docs/reasons.md has all of them. With --ledger
the values before are kept, for muster rollback.

`

// numbersOf are numbers given as flags, per type.
type numbersOf map[messages.PhoneType]*string

// numberFlags are the flags for numbers.
var numberFlags = map[messages.PhoneType]string{
	messages.Mobile: "mobile", messages.AlternateMobile: "alternate-mobile", messages.Office: "office",
}

func (n numbersOf) add(cmd *cobra.Command) {
	for t, name := range numberFlags {
		n[t] = cmd.Flags().String(name, "", strings.ReplaceAll(name, "-", " ")+" number")
	}
}

// phones are the numbers that were given. An empty one on the command line, as a
// script gives that found none, is a fault and no wish.
func (n numbersOf) phones(cmd *cobra.Command) (messages.Phones, error) {
	var phones messages.Phones
	for t, number := range n {
		if *number == "" {
			if name := numberFlags[t]; onCommandLine(cmd, name) {
				return nil, usageError("--%s is empty: give a number; muster user remove takes one away", name)
			}
			continue
		}
		if phones == nil {
			phones = make(messages.Phones)
		}
		phones[t] = *number
	}
	return phones, nil
}

func newUserSet(p *process) *cobra.Command {
	var f changeFlags
	var mode, sms string
	numbers := numbersOf{}
	cmd := &cobra.Command{
		Use:   "set USER",
		Short: "Set numbers and SMS sign-in of one user",
		Long: `Set numbers and SMS sign-in of one user. What is not named stays.

  muster user set ada@contoso.example --tenant contoso.example --mobile "+1 206 555 0100"
` + changeHelp + exitCodes,
		Args: oneUser(0, "one user, by object id or user principal name"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			phones, err := numbers.phones(cmd)
			if err != nil {
				return err
			}
			c := messages.Command{Phones: phones, PhoneMode: messages.PhoneMode(mode)}
			switch sms {
			case "":
			case "on", "off":
				c.SMSSignIn = new(sms == "on")
			default:
				return usageError("--sms-sign-in is %q: use on or off", sms)
			}
			if len(c.Phones) == 0 && c.SMSSignIn == nil {
				return usageError("say what to set: --mobile, --alternate-mobile, --office or --sms-sign-in")
			}
			return changeUser(cmd, p, args[0], &f, c)
		}),
	}
	f.add(cmd)
	f.addNumbers(cmd)
	numbers.add(cmd)
	cmd.Flags().StringVar(&mode, "phone-mode", "", "ensure (the number is there in the end) or add-only (a number of the type that is there stays); default: ensure")
	cmd.Flags().StringVar(&sms, "sms-sign-in", "", "SMS sign-in: on or off")
	return cmd
}

func newUserRemove(p *process) *cobra.Command {
	var f changeFlags
	var phones [len(messages.PhoneTypes)]bool
	var registrations messages.Authenticator
	var unprotected bool
	var next string
	cmd := &cobra.Command{
		Use:   "remove USER",
		Short: "Remove numbers and Authenticator registrations of one user",
		Long: `Remove numbers and Microsoft Authenticator registrations of one user.

  muster user remove ada@contoso.example --tenant contoso.example --alternate-mobile
  muster user remove ada@contoso.example --tenant contoso.example --authenticator-named "Pixel 8"

Removing registrations is refused where it would leave the user without any method,
unless --last-method is given. A registration that was removed can't be brought back:
the user has to register the device again. Where the default method goes and what
would take its place is weaker, name that by --default-method.
` + changeHelp + exitCodes,
		Args: oneUser(0, "one user, by object id or user principal name"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			c := messages.Command{Authenticator: registrations}
			for i, t := range messages.PhoneTypes {
				if phones[i] {
					if c.Phones == nil {
						c.Phones = make(messages.Phones)
					}
					c.Phones[t] = messages.Remove
				}
			}
			if len(c.Phones) == 0 && !c.Authenticator.Removes() && registrations.RemoveOlderThanDays == 0 {
				return usageError("say what to remove: --mobile, --alternate-mobile, --office, or Authenticator registrations")
			}
			if unprotected {
				c.ProtectLastMethod = new(false)
			}
			if next != "" {
				c.DefaultMethod, c.DefaultMethodMode = messages.DefaultMethod(next), messages.DefaultModeForce
			}
			return changeUser(cmd, p, args[0], &f, c)
		}),
	}
	f.add(cmd)
	fs := cmd.Flags()
	for i, t := range messages.PhoneTypes {
		name := numberFlags[t]
		fs.BoolVar(&phones[i], name, false, "remove the "+strings.ReplaceAll(name, "-", " ")+" number")
	}
	fs.StringArrayVar(&registrations.Remove, "authenticator", nil, "remove the registration with this method id; may be repeated")
	fs.StringArrayVar(&registrations.RemoveNamed, "authenticator-named", nil, "remove registrations of devices with this name; may be repeated")
	fs.IntVar(&registrations.RemoveOlderThanDays, "authenticator-older-than", 0, "remove registrations that are older than so many days")
	fs.BoolVar(&registrations.RemoveAll, "all-authenticators", false, "remove every registration")
	fs.StringVar(&next, "default-method", "", "the default method from then on, also if it is weaker")
	fs.BoolVar(&unprotected, "last-method", false, "remove registrations even if the user is left without any method")
	return cmd
}

func newUserMFA(p *process) *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "mfa USER disabled|enabled|enforced",
		Short: "Set the per-user MFA state of one user",
		Long: `Set the per-user MFA state of one user. Entra ID turns enabled into enforced by itself
for a user who has a method; both count as enabled.
` + changeHelp + exitCodes,
		Args: oneUser(1, "a user and a state: disabled, enabled or enforced"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			return changeUser(cmd, p, args[0], &f, messages.Command{PerUserMFAState: messages.MFAState(strings.ToLower(args[1]))})
		}),
	}
	f.add(cmd)
	return cmd
}

func newUserDefault(p *process) *cobra.Command {
	var f changeFlags
	var mode string
	cmd := &cobra.Command{
		Use:   "default USER METHOD",
		Short: "Set the default method of one user",
		Long: `Set the default method of one user: push, oath, voiceMobile, voiceAlternateMobile,
voiceOffice or sms. The user must have the method behind it.

A default that is stronger stays, with a warning, unless --mode is force. Where
system-preferred authentication is on, sign-in passes over the default method.
` + changeHelp + exitCodes,
		Args: oneUser(1, "a user and a method: push, oath, voiceMobile, voiceAlternateMobile, voiceOffice or sms"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			return changeUser(cmd, p, args[0], &f, messages.Command{
				DefaultMethod: messages.DefaultMethod(args[1]), DefaultMethodMode: messages.DefaultMethodMode(mode),
			})
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&mode, "mode", "", "only-if-none, most-secure or force; default: most-secure")
	return cmd
}
