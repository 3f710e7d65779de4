package worker

import (
	"cmp"
	"context"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
)

// reading reads one user's state. It stops at the first error.
type reading struct {
	dir    *graphclient.Directory
	userID string
	call   func(context.Context, access, func(context.Context) error) error
}

// read fetches the parts that the plan rests on, and no others: a worker whose
// commands never touch the per-user state needs no permission for it.
func (r reading) read(ctx context.Context, n needs) (State, error) {
	s := State{Phones: make(map[messages.PhoneType]Phone)}
	for _, part := range []struct {
		needed func() bool
		access access
		fetch  func(context.Context, *State) error
	}{
		{func() bool { return n.phones }, readPhones, r.phones},
		{func() bool { return n.preferences }, readPreferences, r.preferences},
		{func() bool { return n.authenticator }, readAuthenticator, r.authenticator},
		{func() bool { return n.methods || n.codes(s) }, readMethods, r.methods},
		{func() bool { return n.mfaState }, readMFAState, r.mfaState},
	} {
		if !part.needed() {
			continue
		}
		if err := r.call(ctx, part.access, func(ctx context.Context) error { return part.fetch(ctx, &s) }); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

func (r reading) phones(ctx context.Context, s *State) error {
	methods, err := r.dir.Phones(ctx, r.userID)
	for _, m := range methods {
		// The property may be missing, which is not the same as unknown: it was
		// read, and there is nothing.
		sms := cmp.Or(SMSState(m.SMSSignInState), SMSNotConfigured)
		s.Phones[messages.PhoneType(m.Type)] = Phone{Number: m.Number, SMSSignIn: sms}
	}
	return err
}

func (r reading) preferences(ctx context.Context, s *State) error {
	p, err := r.dir.SignInPreferences(ctx, r.userID)
	if p.DefaultMethod != graphclient.DefaultMethod(messages.DefaultNone) {
		s.Default = messages.DefaultMethod(p.DefaultMethod)
	}
	s.SystemPreferred = p.SystemPreferred
	return err
}

func (r reading) authenticator(ctx context.Context, s *State) error {
	methods, err := r.dir.AuthenticatorMethods(ctx, r.userID)
	for _, m := range methods {
		known := Registration{ID: m.ID, Name: m.DisplayName}
		if m.Created != nil {
			known.Created = *m.Created
		}
		s.Authenticator = append(s.Authenticator, known)
	}
	return err
}

// methods reads which other methods there are. Phones and registrations have
// reads of their own, which tell more.
func (r reading) methods(ctx context.Context, s *State) error {
	methods, err := r.dir.Methods(ctx, r.userID)
	for _, m := range methods {
		if m.Type != graphclient.MethodPhone && m.Type != graphclient.MethodAuthenticator {
			s.Other = append(s.Other, m.Type)
		}
	}
	return err
}

func (r reading) mfaState(ctx context.Context, s *State) error {
	state, err := r.dir.PerUserMFAState(ctx, r.userID)
	s.MFAState = messages.MFAState(state)
	return err
}
