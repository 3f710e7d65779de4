package worker_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

func TestEachCapabilityNamesItsLeastPermissions(t *testing.T) {
	t.Parallel()
	got := make(map[string][]string)
	for _, c := range worker.Capabilities() {
		got[c.Name] = c.Permissions
	}
	want := map[string][]string{
		"phones":         {"User.Read.All", "UserAuthMethod-Phone.ReadWrite.All"},
		"sms-sign-in":    {"User.Read.All", "UserAuthMethod-Phone.ReadWrite.All"},
		"mfa-state":      {"User.Read.All", "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod"},
		"default-method": {"User.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
		"authenticator":  {"User.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}

// A permission with more privilege stands for one with less, never the other way.
func TestMissingPermissions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		needed, granted, want []string
	}{
		{[]string{"User.Read.All"}, nil, []string{"User.Read.All"}},
		{[]string{"User.Read.All"}, []string{"Directory.Read.All"}, nil},
		{[]string{"UserAuthMethod-Phone.ReadWrite.All"}, []string{"UserAuthMethod-Phone.Read.All"}, []string{"UserAuthMethod-Phone.ReadWrite.All"}},
		{[]string{"UserAuthMethod-Phone.ReadWrite.All"}, []string{"UserAuthenticationMethod.ReadWrite.All"}, nil},
		{[]string{"UserAuthenticationMethod.ReadWrite.All"}, []string{"UserAuthMethod-Phone.ReadWrite.All"}, []string{"UserAuthenticationMethod.ReadWrite.All"}},
		{[]string{"Policy.Read.All"}, []string{"Policy.Read.All"}, nil},
		{[]string{"Nothing.Known"}, []string{"Directory.Read.All"}, []string{"Nothing.Known"}},
	} {
		if got := (worker.Capability{Permissions: test.needed}).Missing(test.granted); !slices.Equal(got, test.want) {
			t.Errorf("of %v with %v granted, missing %v, want %v", test.needed, test.granted, got, test.want)
		}
	}
}

func TestAnUnknownCapabilityIsAnErrorThatListsTheKnown(t *testing.T) {
	t.Parallel()
	_, err := worker.New(nil, nil, worker.Options{Allow: []string{"phones", "passkeys", "fax"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{`"passkeys", "fax"`, "phones, sms-sign-in, mfa-state, default-method, authenticator"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %s", err, part)
		}
	}
}

// What a worker is not allowed to do it refuses before any request, and names
// the capability; what it is allowed it does.
func TestAWorkerDoesOnlyWhatItIsAllowed(t *testing.T) {
	t.Parallel()
	on := true
	commands := []struct {
		command messages.Command
		needs   []string // the refusal names the first that is missing
	}{
		{messages.Command{Phones: mobile(number(1))}, []string{"phones"}},
		{messages.Command{Phones: mobile(messages.Remove)}, []string{"phones", "default-method"}},
		{messages.Command{SMSSignIn: &on}, []string{"sms-sign-in"}},
		{messages.Command{Phones: mobile(number(1)), SMSSignIn: &on}, []string{"phones", "sms-sign-in"}},
		{messages.Command{PerUserMFAState: messages.MFAEnforced}, []string{"mfa-state"}},
		{messages.Command{DefaultMethod: messages.DefaultSMS}, []string{"default-method"}},
		{messages.Command{Authenticator: messages.Authenticator{Remove: []string{authenticatorID}}}, []string{"authenticator"}},
	}
	for _, allow := range [][]string{{"phones"}, {"sms-sign-in"}, {"mfa-state"}, {"default-method", "phones"}, {"authenticator"}} {
		t.Run(strings.Join(allow, ","), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config{
				users: []tenant.User{{
					UserPrincipalName: upn("ada"), SMSSignInAllowed: true, DefaultMethod: "push",
					Phones: tenant.Phones{Mobile: number(1)}, Authenticator: []tenant.Authenticator{{ID: authenticatorID}},
				}},
				worker: worker.Options{Allow: allow},
			})
			refused := 0
			for _, c := range commands {
				missing := slices.DeleteFunc(slices.Clone(c.needs), func(n string) bool { return slices.Contains(allow, n) })
				if len(missing) == 0 {
					continue
				}
				c.command.User = upn("ada")
				id := r.publish(c.command)[0]
				r.work()
				refused++
				got := r.outcome(id)
				if got.Result != messages.Refused || got.Reason != worker.ReasonNotAllowedHere || !strings.Contains(got.Detail, " "+missing[0]+",") {
					t.Errorf("%+v: outcome %+v, want refused for %s", c.needs, got, missing[0])
				}
				r.wantDeadLetter(id, worker.ReasonNotAllowedHere)
			}
			if got := r.front.requests(); len(got) != 0 {
				t.Errorf("%d requests, want none", len(got))
			}
			r.wantQueue(broker.Counts{DeadLettered: refused})
		})
	}
}

func TestAllowedCommandsAreApplied(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada")}},
		worker: worker.Options{Allow: []string{worker.AllowPhones, worker.AllowMFAState}},
	})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1)), PerUserMFAState: messages.MFADisabled})[0]
	r.work()
	r.wantResults(messages.Applied, id)
}
