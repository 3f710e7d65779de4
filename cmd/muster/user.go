package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
)

func newUser(p *process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Look at one user and change one user",
		Long: `Look at one user and change one user, by object id or user principal name.

Changes take the same way as those of a file: the command goes through a queue in the
process to a worker, which reads what there is, writes only what differs, and refuses
with a reason what can never work. Numbers are masked unless --reveal is given.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newUserShow(p), newUserHistory(p), newUserSet(p), newUserRemove(p), newUserMFA(p), newUserDefault(p), newUserTemporary(p))
	return cmd
}

// subjectFlags say whose user it is and how to show them.
type subjectFlags struct {
	tenant         string
	reveal, asJSON bool
}

func (s *subjectFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&s.tenant, "tenant", "", "the user's tenant: its id or one of its domain names")
	fs.BoolVar(&s.reveal, "reveal", false, "show numbers in full")
	fs.BoolVar(&s.asJSON, "json", false, "print JSON")
}

// oneUser is for a command that takes a user and so many words besides.
func oneUser(words int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1+words || args[0] == "" {
			return usageError("%s takes %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

// missingPart is what of a user could not be read.
type missingPart struct {
	Part       string `json:"part"`
	Permission string `json:"permission"`
	RequestID  string `json:"requestId,omitempty"`
}

// userState is what Microsoft Graph holds of one user, as far as it may be read.
type userState struct {
	user          graphclient.User
	phones        []graphclient.PhoneMethod
	authenticator []graphclient.AuthenticatorMethod
	others        []graphclient.Method
	mfaState      graphclient.MFAState
	preferences   graphclient.SignInPreferences
	missing       []missingPart
	// What could not be read.
	noPhones, noAuthenticator, noSP bool
}

// id is how the user is best addressed.
func (s *userState) id(given string) string { return cmp.Or(s.user.ID, given) }

// readUser reads all that there is of a user. What the application may not read
// is noted and not an error; a user who is not there is one.
func readUser(ctx context.Context, dir *graphclient.Directory, user string) (*userState, error) {
	s := &userState{}
	var err error
	s.user, err = dir.User(ctx, user)
	if err := s.permit("the user", "User.Read.All", err); err != nil {
		return nil, err
	}
	id := s.id(user)
	s.phones, err = dir.Phones(ctx, id)
	s.noPhones = err != nil
	if err := s.permit("phones", "UserAuthMethod-Phone.Read.All", err); err != nil {
		return nil, err
	}
	s.authenticator, err = dir.AuthenticatorMethods(ctx, id)
	s.noAuthenticator = err != nil
	if err := s.permit("Microsoft Authenticator registrations", "UserAuthMethod-MicrosoftAuthApp.Read.All", err); err != nil {
		return nil, err
	}
	methods, err := dir.Methods(ctx, id)
	if err := s.permit("other methods", "UserAuthenticationMethod.Read.All", err); err != nil {
		return nil, err
	}
	for _, m := range methods {
		if m.Type != graphclient.MethodPhone && m.Type != graphclient.MethodAuthenticator {
			s.others = append(s.others, m)
		}
	}
	s.mfaState, err = dir.PerUserMFAState(ctx, id)
	if err := s.permit("per-user MFA state", "Policy.Read.All", err); err != nil {
		return nil, err
	}
	s.preferences, err = dir.SignInPreferences(ctx, id)
	s.noSP = err != nil
	return s, s.permit("default method", "UserAuthenticationMethod.Read.All", err)
}

// permit notes a part that the application may not read, and passes on any other
// error.
func (s *userState) permit(part, permission string, err error) error {
	switch graphclient.KindOf(err) {
	case graphclient.KindForbidden:
		var e *graphclient.Error
		errors.As(err, &e)
		s.missing = append(s.missing, missingPart{part, permission, e.RequestID})
		return nil
	case graphclient.KindNotFound:
		return noSuchUser(err)
	}
	return err
}

// noSuchUser says how a user is found who may well be there.
func noSuchUser(err error) error {
	return fmt.Errorf("the tenant has no such user (the object id finds everybody; a guest's user principal name has #EXT# in it): %w", err)
}

// newUserEvent wraps the command of a person.
func newUserEvent(c messages.Command) messages.Event {
	return messages.Event{ID: uuid.NewString(), Source: eventSource, Time: time.Now().UTC(), Command: c}
}
