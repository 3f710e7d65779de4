package worker

import (
	"context"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// confirmations are the waits between looks for a number that Graph has written
// although it answered 409. Replicas agree within seconds.
var confirmations = [...]time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 2 * time.Second}

// apply carries the steps out in their order and stops at the first error. What
// was done until then stays done: the next plan begins from what Graph holds.
func (w *Worker) apply(ctx context.Context, c *command, steps []Step) error {
	if len(steps) == 0 {
		return nil
	}
	ctx, span := w.telemetry.stage(ctx, "apply")
	defer span.End()
	for _, step := range steps {
		err := w.call(ctx, c, step.access(), func(ctx context.Context) error { return w.take(ctx, c, step) })
		if err != nil {
			return &stepError{step: step, err: w.explain(ctx, c, step, err)}
		}
		c.writes++
		c.taken, c.wrote = append(c.taken, step), time.Now()
		w.memory.note(c.key(), step, c.wrote)
	}
	return nil
}

// explain looks at the user where Graph refuses to write an office phone: that of
// a synchronised user is mastered on-premises (Microsoft Entra, "Phone
// authentication methods": the office phone of a synchronised user). An error of
// this look says nothing about the step.
func (w *Worker) explain(ctx context.Context, c *command, s Step, err error) error {
	kind := graphclient.KindOf(err)
	if !s.onPhone() || s.Phone != messages.Office || kind != graphclient.KindInvalid && kind != graphclient.KindPolicy {
		return err
	}
	var user graphclient.User
	looking := w.call(ctx, c, readUsers, func(ctx context.Context) (err error) {
		user, err = w.graph.Directory(c.event.Command.Tenant).User(ctx, c.userID)
		return err
	})
	if looking != nil || !user.OnPremisesSyncEnabled {
		return err
	}
	return &Refusal{ReasonOfficePhoneSynced, "Microsoft Graph refuses to write the office phone of a user who is synchronised from an on-premises directory, which masters it: change it there."}
}

// stepError is the error of one step.
type stepError struct {
	step Step
	err  error
}

func (e *stepError) Error() string { return e.step.String() + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// take carries one step out.
func (w *Worker) take(ctx context.Context, c *command, s Step) error {
	dir := w.graph.Directory(c.event.Command.Tenant)
	switch s.Kind {
	case AddPhone:
		added, err := dir.AddPhone(ctx, c.userID, graphclient.PhoneType(s.Phone), string(s.Number))
		if err == nil && added.SMSSignInState == graphclient.SMSReady && c.wanted.SMSSignIn == nil {
			c.warn(WarningSMSSignInTurnedOn)
		}
		return w.confirm(ctx, c, dir, s, err)
	case ChangePhone:
		err := dir.ChangePhone(ctx, c.userID, graphclient.PhoneType(s.Phone), string(s.Number))
		if err == nil && s.Phone == messages.Mobile && c.forgetPlanned(WarningSMSSignInTurnedOn) {
			c.warn(WarningSMSSignInTurnedOn) // a plan made after this write would not hold it
		}
		return w.confirm(ctx, c, dir, s, err)
	case DeletePhone:
		return dir.DeletePhone(ctx, c.userID, graphclient.PhoneType(s.Phone))
	case SetDefault:
		return dir.SetDefaultMethod(ctx, c.userID, graphclient.DefaultMethod(s.Default))
	case DeleteAuthenticator:
		return dir.DeleteAuthenticatorMethod(ctx, c.userID, s.MethodID)
	case EnableSMS:
		return dir.EnableSMSSignIn(ctx, c.userID)
	case DisableSMS:
		return dir.DisableSMSSignIn(ctx, c.userID)
	default:
		return dir.SetPerUserMFAState(ctx, c.userID, graphclient.MFAState(s.MFAState))
	}
}

// confirm looks again where Graph answered that the number is not unique: it
// refuses to register it for SMS sign-in, but has normally written it for MFA.
func (w *Worker) confirm(ctx context.Context, c *command, dir *graphclient.Directory, s Step, err error) error {
	if graphclient.KindOf(err) != graphclient.KindNumberNotUnique {
		return err
	}
	for _, wait := range confirmations {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		methods, reading := dir.Phones(ctx, c.userID)
		if reading != nil {
			return reading
		}
		for _, m := range methods {
			if messages.PhoneType(m.Type) == s.Phone && phone.Equal(m.Number, string(s.Number)) {
				c.warn(WarningNumberNotUnique)
				c.forgetPlanned(WarningSMSSignInTurnedOn)
				return nil
			}
		}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	return until(ctx, d, nil)
}
