package worker_test

import (
	"slices"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// Graph answers 409 when the number serves another user's SMS sign-in, and has
// written it for MFA nevertheless. Nobody asked for SMS sign-in: that is success.
func TestANumberTakenForSMSSignInIsAppliedWithAWarning(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]tenant.Phones{"added": {}, "changed": {Mobile: number(6)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config{users: []tenant.User{
				{UserPrincipalName: upn("owner"), Phones: tenant.Phones{Mobile: number(5)}, SMSSignInAllowed: true, SMSSignIn: true},
				{UserPrincipalName: upn("rival"), Phones: before, SMSSignInAllowed: true},
			}})
			id := r.publish(messages.Command{User: upn("rival"), Phones: mobile(number(5))})[0]
			r.work()
			got := r.outcome(id)
			if got.Result != messages.Applied || !slices.Equal(got.Warnings, []string{worker.WarningNumberNotUnique}) || got.Writes != 1 {
				t.Errorf("outcome %+v, want applied by one write with the warning", got)
			}
			if u := r.user("rival"); u.Phones.Mobile != number(5) || u.SMSSignIn {
				t.Errorf("the directory holds %+v", u)
			}
			if !r.user("owner").SMSSignIn {
				t.Error("the other user lost SMS sign-in")
			}
			if writes := r.tenant.Stats().Writes; writes != 1 {
				t.Errorf("%d writes, want 1", writes)
			}
		})
	}
}

// Where the policy allows it, writing a mobile number turns SMS sign-in on by
// itself. Who wants it off gets it off, and who wants it on pays no write for it.
func TestSMSSignInEndsAsAskedWhateverThePolicyDoes(t *testing.T) {
	t.Parallel()
	on, off := true, false
	for _, test := range []struct {
		name   string
		before tenant.User
		wanted messages.Command
		sms    bool
		writes int
	}{
		{"off with a new mobile", tenant.User{SMSSignInAllowed: true}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &off}, false, 2},
		{"off with a changed mobile", tenant.User{SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: number(2)}}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &off}, false, 2},
		{"off where policy does nothing", tenant.User{}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &off}, false, 1},
		{"off alone", tenant.User{SMSSignInAllowed: true, SMSSignIn: true, Phones: tenant.Phones{Mobile: number(1)}}, messages.Command{SMSSignIn: &off}, false, 1},
		{"on with a new mobile", tenant.User{SMSSignInAllowed: true}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &on}, true, 1},
		{"on alone", tenant.User{SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: number(1)}}, messages.Command{SMSSignIn: &on}, true, 1},
		{"left alone with a new mobile", tenant.User{SMSSignInAllowed: true}, messages.Command{Phones: mobile(number(1))}, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.before.UserPrincipalName, test.wanted.User = upn("ada"), upn("ada")
			r := newRig(t, config{users: []tenant.User{test.before}})
			id := r.publish(test.wanted)[0]
			r.work()
			if got := r.outcome(id); got.Result != messages.Applied || got.Writes != test.writes {
				t.Errorf("outcome %+v, want applied by %d writes", got, test.writes)
			}
			if u := r.user("ada"); u.SMSSignIn != test.sms || u.Phones.Mobile != number(1) {
				t.Errorf("the directory holds %+v, want SMS sign-in %v", u, test.sms)
			}
			again := r.publish(test.wanted)[0]
			r.work()
			r.wantResults(messages.Unchanged, again)
		})
	}
}
