package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/messages"
)

// The waits between two looks of a verification: short at first, since replicas
// mostly agree within a second.
const (
	firstLook = 200 * time.Millisecond
	maxLook   = 5 * time.Second
)

// verify reads back what the command has written until Graph shows it, for as
// long as a read may lag behind a write. It goes by what Graph says alone, not by
// the worker's memory, and one reading that agrees will do. Later commands of the
// user wait meanwhile: they would make this one look wrong.
func (w *Worker) verify(working, waiting context.Context, c *command) Verdict {
	wanted, _ := w.memory.newer(c.key(), c.wanted, c.delivery.SequenceNumber)
	expected := expectedOf(c.taken, wanted)
	if !w.opts.Verify || len(expected) == 0 {
		return Verdict{Action: Complete}
	}
	// A gate of its own: while it waits for Graph it must not be anybody's probe.
	needed := needsToVerify(expected)
	for look := firstLook; ; look = min(2*look, maxLook) {
		var missing []Step
		left := time.Until(c.wrote.Add(w.opts.Consistency))
		v := w.passGate(working, waiting, c, needed.reads(), func() (err error) {
			missing, err = w.look(working, c, needed, expected)
			if err == nil && len(missing) > 0 && left <= 0 {
				err = &mismatch{missing, w.opts.Consistency}
			}
			return err
		})
		if v.Action != Complete || len(missing) == 0 {
			return v
		}
		if err := sleep(working, min(look, max(left, 0))); err != nil {
			return judge(err, c.tries, false)
		}
	}
}

// look reads once and returns what is not there.
func (w *Worker) look(ctx context.Context, c *command, needed needs, expected []Step) ([]Step, error) {
	ctx, span := w.telemetry.stage(ctx, "verify")
	defer span.End()
	state, err := w.reading(c).read(ctx, needed)
	if err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(slices.Clone(expected), func(s Step) bool {
		if state.hides(s) {
			c.warn(WarningNumberNotVerified)
			return true
		}
		return state.Holds(s)
	})
	if len(missing) > 0 {
		span.SetAttributes(attrNotShown.String(partsOf(missing)))
	}
	return missing, nil
}

// expectedOf is what a reading must show of the steps that were taken: the effect
// of each that no later one replaced, and the state of SMS sign-in that a mobile
// number was to have.
func expectedOf(taken []Step, wanted Wanted) []Step {
	var expected []Step
	for i, s := range taken {
		if !slices.ContainsFunc(taken[i+1:], func(later Step) bool { return later.replaces(s) }) {
			expected = append(expected, s)
		}
	}
	mobile := func(s Step) bool { return (s.Kind == AddPhone || s.Kind == ChangePhone) && s.Phone == messages.Mobile }
	if wanted.SMSSignIn != nil && slices.ContainsFunc(expected, mobile) && !slices.ContainsFunc(expected, Step.onSMSSignIn) {
		kind := DisableSMS
		if *wanted.SMSSignIn {
			kind = EnableSMS
		}
		expected = append(expected, Step{Kind: kind})
	}
	return expected
}

// needsToVerify says what must be read to see the effect of the steps.
func needsToVerify(steps []Step) (n needs) {
	for _, s := range steps {
		switch s.access() {
		case writePhones:
			n.phones = true
		case writePreferences:
			n.preferences = true
		case writeAuthenticator:
			n.authenticator = true
		case writeMFAState:
			n.mfaState = true
		}
	}
	return n
}

// reads lists the accesses that reading takes.
func (n needs) reads() []access {
	list := []access{signIn}
	for _, part := range []struct {
		needed bool
		read   access
	}{{n.phones, readPhones}, {n.preferences, readPreferences}, {n.authenticator, readAuthenticator}, {n.mfaState, readMFAState}} {
		if part.needed {
			list = append(list, part.read)
		}
	}
	return list
}

// mismatch is that Graph took writes and does not show them.
type mismatch struct {
	missing []Step
	after   time.Duration
}

func (m *mismatch) Error() string { return "not shown: " + partsOf(m.missing) }

func (m *mismatch) verdict() Verdict {
	return Verdict{
		Action: DeadLetter, Result: messages.Failed, Reason: ReasonVerificationMismatch,
		Hint: fmt.Sprintf("Microsoft Graph accepted the change but did not show it within %v: %s. See what the user has now, and who else changes it; publish the command again if it still holds.", m.after, partsOf(m.missing)),
	}
}

// partsOf names the parts of a user's state that the steps change, each once.
func partsOf(steps []Step) string {
	var parts []string
	for _, s := range steps {
		part := string(s.Phone)
		switch s.Kind {
		case EnableSMS, DisableSMS:
			part = "SMS sign-in"
		case SetDefault:
			part = "default method"
		case SetMFAState:
			part = "per-user MFA state"
		case DeleteAuthenticator:
			part = "Authenticator registrations"
		}
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}
