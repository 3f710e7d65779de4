package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Action is what becomes of the message.
type Action int

// The actions.
const (
	// Complete removes the message: Graph holds what the command asked for.
	Complete Action = iota
	// DeadLetter sets the message aside with a reason.
	DeadLetter
	// NotNow keeps the message locked and tries again after a while.
	NotNow
	// GiveBack returns the message: the worker stops.
	GiveBack
	// Nothing leaves the message alone: its lock is lost.
	Nothing
)

// Verdict is what a stage's error, or the lack of one, means for the message.
type Verdict struct {
	Action Action
	// Result is what is reported once the message is settled.
	Result messages.Result
	// Reason and Hint explain a dead letter. They hold no personal data.
	Reason, Hint string
	// After is how long a NotNow waits.
	After time.Duration
	// Pause says that nobody's command will fare better in this tenant.
	Pause bool
}

// errInterrupted is the cause with which the worker ends contexts when it stops.
var errInterrupted = errors.New("worker is stopping")

const (
	// looks is how often Graph is asked before its refusal counts. A user who was
	// created a moment ago may not be everywhere yet, and a plan may rest on a
	// read that did not show what another worker had written.
	looks = 3
	// newcomerLooks is how often a user is looked for whom an event names: events
	// come right after the creation of a user, loads of files seldom do.
	newcomerLooks = 5
	// patience is how many tries a command gets whose trouble is its own.
	patience = 8

	// A verdict's waits are multiples of the default of [Options.FirstRetry].
	firstRetry = time.Second
	maxRetry   = 30 * time.Second
)

// judge decides from what went wrong, after so many tries, and from whether the
// same access has worked for another user since this command first met trouble.
// As long as it has not, the trouble is the tenant's and not the command's: it
// waits, for waiting is not failing.
func judge(err error, tries int, elsewhere bool) Verdict {
	var decoding *messages.DecodeError
	var number *phone.Refusal
	var restricted *restriction
	var missing *mismatch
	var plan *Refusal
	var graph *graphclient.Error
	switch {
	case err == nil:
		return Verdict{Action: Complete}
	case errors.Is(err, messages.ErrLockLost):
		return Verdict{Action: Nothing}
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return Verdict{Action: GiveBack}
	case errors.As(err, &decoding):
		return refused(decoding.Reason, decoding.Error())
	case errors.As(err, &number):
		return refused(number.Reason, number.Hint)
	case errors.As(err, &restricted):
		return refused(restricted.reason, restricted.hint)
	case errors.As(err, &missing):
		return missing.verdict()
	case errors.As(err, &plan):
		if tries < looks {
			return troubled(tries, elsewhere, "refused")
		}
		return refused(plan.Reason, plan.Hint)
	case errors.As(err, &graph):
		return judgeGraph(err, graph, tries, elsewhere)
	}
	return troubled(tries, elsewhere, "an unexpected error")
}

func judgeGraph(err error, e *graphclient.Error, tries int, elsewhere bool) Verdict {
	var at *stepError
	errors.As(err, &at)
	if at != nil && tries < looks && (e.Kind == graphclient.KindInvalid || e.Kind == graphclient.KindDefaultMethod) {
		return troubled(tries, elsewhere, "refused")
	}
	switch e.Kind {
	case graphclient.KindUnauthorized, graphclient.KindForbidden, graphclient.KindLicence:
		if !elsewhere {
			return Verdict{Action: NotNow, Pause: true}
		}
		// A permission just granted is not known everywhere at once.
		if tries >= looks {
			return refused(ReasonAccessDenied, "Microsoft Graph lets the application do this for other users but not for this one; an administrator's account may need a more privileged role.")
		}
		return troubled(tries, elsewhere, "refused")
	case graphclient.KindNotFound:
		if at != nil || tries < looks {
			return troubled(tries, elsewhere, "not found")
		}
		return refused(ReasonUnknownUser, "The tenant has no such user.")
	case graphclient.KindPolicy:
		if at != nil && at.step.onSMSSignIn() {
			if e.Code == graphclient.CodeNotInCloud {
				return refused(ReasonSMSSignInNotSupported, "Microsoft Graph in this cloud has no SMS sign-in.")
			}
			return refused(ReasonSMSSignInNotAllowed, hintSMSSignInNotAllowed)
		}
		return refused(ReasonRefusedByPolicy, "A policy of the tenant does not allow this method for the user.")
	case graphclient.KindDefaultMethod:
		return refused(ReasonDefaultMethodProtected, "The method is the user's default and can't be removed while others remain: name the defaultMethod that is to take its place.")
	case graphclient.KindNumberNotUnique:
		// After a number is written it may not show at once, see confirm.
		if at != nil && at.step.Kind == EnableSMS || tries >= looks {
			return refused(ReasonSMSSignInNotUnique, hintSMSSignInNotUnique)
		}
	case graphclient.KindConflict:
		// It is about this user, however others fare.
		if tries >= patience {
			return failed("Microsoft Graph refused %d times because the user's methods were not what the write assumed (%s).", tries, origin(e))
		}
	case graphclient.KindInvalid:
		if at != nil && at.step.Kind == SetDefault {
			return refused(ReasonDefaultMethodUnavailable, "Microsoft Graph refused the default method: the user does not have it.")
		}
		return refused(ReasonRefusedByGraph, refusalHint(at, e))
	}
	return troubled(tries, elsewhere, origin(e))
}

// origin leads to the request in Microsoft's logs.
func origin(e *graphclient.Error) string {
	return fmt.Sprintf("status %d, code %s, request-id %s", e.StatusCode, e.Code, e.RequestID)
}

// refusalHint says what Graph refused, what may be the cause, and by which id
// Microsoft's support finds the request.
func refusalHint(at *stepError, e *graphclient.Error) string {
	doing, advice := "answer a read", "look the code up."
	if at != nil {
		doing = string(at.step.Kind)
		if at.step.onPhone() && at.step.Kind != DeletePhone {
			advice = "check the number, and whether the authentication methods policy lets the user have a phone."
		}
	}
	return fmt.Sprintf("Microsoft Graph refused to %s with %s: %s", doing, origin(e), advice)
}

func refused(reason, hint string) Verdict {
	return Verdict{Action: DeadLetter, Result: messages.Refused, Reason: reason, Hint: hint}
}

func failed(format string, args ...any) Verdict {
	return Verdict{Action: DeadLetter, Result: messages.Failed, Reason: ReasonGraphFailed, Hint: fmt.Sprintf(format, args...)}
}

// troubled is not now, until it is clear that others fare better.
func troubled(tries int, elsewhere bool, what string) Verdict {
	if tries >= patience && elsewhere {
		return failed("Microsoft Graph failed %d times for this user (%s) while it worked for others.", tries, what)
	}
	return Verdict{Action: NotNow, After: min(firstRetry<<min(tries-1, 10), maxRetry)}
}
