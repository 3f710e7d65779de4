package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

func graphError(kind graphclient.Kind, status int, code string) error {
	return fmt.Errorf("call: %w", &graphclient.Error{Op: "do", Kind: kind, StatusCode: status, Code: code, RequestID: "request-1"})
}

func atStep(kind StepKind, err error) error {
	s := Step{Kind: kind}
	return &stepError{s, &accessError{s.access(), err}}
}

func TestVerdicts(t *testing.T) {
	const alone, others = false, true
	notNow := func(after time.Duration) Verdict { return Verdict{Action: NotNow, After: after} }
	pause := Verdict{Action: NotNow, Pause: true}
	deadLetter := func(result messages.Result, reason string) Verdict {
		return Verdict{Action: DeadLetter, Result: result, Reason: reason}
	}
	invalid := graphError(graphclient.KindInvalid, 400, "badRequest")
	forbidden := graphError(graphclient.KindForbidden, 403, "accessDenied")
	unknown := graphError(graphclient.KindNotFound, 404, "Request_ResourceNotFound")
	transient := graphError(graphclient.KindTransient, 503, "serviceNotAvailable")
	notUnique := graphError(graphclient.KindNumberNotUnique, 409, "phoneNumberNotUnique")
	protected := graphError(graphclient.KindDefaultMethod, 400, "badRequest")
	for _, test := range []struct {
		name      string
		err       error
		tries     int
		elsewhere bool
		want      Verdict
	}{
		{"done", nil, 1, alone, Verdict{Action: Complete}},
		{"lock lost", fmt.Errorf("renew: %w", messages.ErrLockLost), 1, alone, Verdict{Action: Nothing}},
		{"lock lost in a step", atStep(AddPhone, messages.ErrLockLost), 1, alone, Verdict{Action: Nothing}},
		{"stopping", errInterrupted, 1, alone, Verdict{Action: GiveBack}},
		{"stopping in a step, late", atStep(AddPhone, errInterrupted), 100, others, Verdict{Action: GiveBack}},
		{"cancelled", fmt.Errorf("wait: %w", context.Canceled), 1, alone, Verdict{Action: GiveBack}},

		{"malformed", &messages.DecodeError{Reason: messages.ReasonMalformed, Path: "$.data", Problem: "must be an object"}, 1, alone, deadLetter(messages.Refused, messages.ReasonMalformed)},
		{"bad number", fmt.Errorf("read mobile number: %w", &phone.Refusal{Reason: phone.ReasonInvalid, Hint: "too short"}), 1, alone, deadLetter(messages.Refused, phone.ReasonInvalid)},
		{"refused by the plan, which may rest on a stale read", &Refusal{ReasonAlternateNeedsMobile, "hint"}, 1, alone, notNow(time.Second)},
		{"refused by the plan", &Refusal{ReasonAlternateNeedsMobile, "hint"}, looks, alone, deadLetter(messages.Refused, ReasonAlternateNeedsMobile)},

		{"401", graphError(graphclient.KindUnauthorized, 401, ""), 1, alone, pause},
		{"401 again", graphError(graphclient.KindUnauthorized, 401, ""), 50, alone, pause},
		{"403", forbidden, 1, alone, pause},
		{"403 for ever", forbidden, 1000, alone, pause},
		{"403 twice, others fare better", forbidden, 2, others, notNow(2 * time.Second)},
		{"403, others fare better", forbidden, looks, others, deadLetter(messages.Refused, ReasonAccessDenied)},
		{"403 on a step, others fare better", atStep(AddPhone, forbidden), looks, others, deadLetter(messages.Refused, ReasonAccessDenied)},
		{"no licence", graphError(graphclient.KindLicence, 403, ""), 3, alone, pause},

		{"unknown user, first look", unknown, 1, others, notNow(time.Second)},
		{"unknown user, last look", unknown, looks, alone, deadLetter(messages.Refused, ReasonUnknownUser)},
		{"method gone meanwhile", atStep(ChangePhone, unknown), looks, alone, notNow(4 * time.Second)},
		{"disabled by policy", atStep(AddPhone, graphError(graphclient.KindPolicy, 403, "disabledByPolicy")), 1, alone, deadLetter(messages.Refused, ReasonRefusedByPolicy)},
		{"SMS sign-in disabled by policy", atStep(EnableSMS, graphError(graphclient.KindPolicy, 403, "disabledByPolicy")), 1, alone, deadLetter(messages.Refused, ReasonSMSSignInNotAllowed)},
		{"no SMS sign-in in the cloud", atStep(EnableSMS, graphError(graphclient.KindPolicy, 0, graphclient.CodeNotInCloud)), 1, alone, deadLetter(messages.Refused, ReasonSMSSignInNotSupported)},
		{"office phone of a synchronised user", &stepError{Step{Kind: ChangePhone, Phone: messages.Office}, &Refusal{ReasonOfficePhoneSynced, "hint"}}, looks, alone, deadLetter(messages.Refused, ReasonOfficePhoneSynced)},
		{"default can't go, first look", atStep(DeletePhone, protected), 1, alone, notNow(time.Second)},
		{"default can't go", atStep(DeletePhone, protected), looks, alone, deadLetter(messages.Refused, ReasonDefaultMethodProtected)},
		{"invalid, first look", atStep(AddPhone, invalid), 1, alone, notNow(time.Second)},
		{"invalid", atStep(AddPhone, invalid), looks, alone, deadLetter(messages.Refused, ReasonRefusedByGraph)},
		{"invalid read", invalid, 1, alone, deadLetter(messages.Refused, ReasonRefusedByGraph)},
		{"default not available", atStep(SetDefault, invalid), looks, alone, deadLetter(messages.Refused, ReasonDefaultMethodUnavailable)},
		{"number not unique for SMS sign-in", atStep(EnableSMS, notUnique), 1, alone, deadLetter(messages.Refused, ReasonSMSSignInNotUnique)},
		{"number not unique and not seen yet", atStep(AddPhone, notUnique), 1, alone, notNow(time.Second)},
		{"number not unique and never written", atStep(AddPhone, notUnique), looks, alone, deadLetter(messages.Refused, ReasonSMSSignInNotUnique)},
		{"conflict without end, with nobody to compare", atStep(AddPhone, graphError(graphclient.KindConflict, 409, "")), patience, alone, deadLetter(messages.Failed, ReasonGraphFailed)},
		{"conflict", atStep(AddPhone, graphError(graphclient.KindConflict, 409, "")), 2, others, notNow(2 * time.Second)},
		{"locked", atStep(AddPhone, graphError(graphclient.KindLocked, 423, "")), 1, alone, notNow(time.Second)},

		{"transient, first", transient, 1, others, notNow(time.Second)},
		{"transient, one before the last", transient, patience - 1, others, notNow(30 * time.Second)},
		{"transient, others fare better", transient, patience, others, deadLetter(messages.Failed, ReasonGraphFailed)},
		{"transient for everybody, for long", transient, 10 * patience, alone, notNow(30 * time.Second)},
		{"unexpected", errors.New("boom"), 1, alone, notNow(time.Second)},
		{"unexpected, for ever", errors.New("boom"), 1 << 40, alone, notNow(30 * time.Second)},
		{"unexpected, others fare better", errors.New("boom"), patience, others, deadLetter(messages.Failed, ReasonGraphFailed)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := judge(test.err, test.tries, test.elsewhere)
			if got.Action == DeadLetter && got.Hint == "" {
				t.Error("a dead letter without a hint")
			}
			got.Hint = ""
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// What a dead letter says of Graph's refusal leads to the request in Microsoft's
// logs, and to nobody's number.
func TestHintsNameTheRequest(t *testing.T) {
	for _, err := range []error{
		atStep(AddPhone, graphError(graphclient.KindInvalid, 400, "badRequest")),
		atStep(AddPhone, graphError(graphclient.KindTransient, 400, "badRequest")),
	} {
		hint := judge(err, patience, true).Hint
		for _, want := range []string{"400", "badRequest", "request-1"} {
			if !strings.Contains(hint, want) {
				t.Errorf("%q does not name %s", hint, want)
			}
		}
	}
}
