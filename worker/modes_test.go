package worker_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// writes are the methods and the last segments of the writes since the last use,
// in their order.
func (f *front) writes() []string {
	var writes []string
	for _, r := range f.requests() {
		if r.method != http.MethodGet {
			writes = append(writes, r.method+" "+r.path[strings.LastIndexByte(r.path, '/')+1:])
		}
	}
	return writes
}

const (
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
	alternateID = "b6332ec1-7057-4abe-9331-3d72feddfe41"
)

// The alternate mobile takes the mobile's place by one PATCH and one DELETE, and a
// number that moves to another type is there before it goes here: it is never
// missing.
func TestANumberThatMovesIsNeverMissing(t *testing.T) {
	t.Parallel()
	both := tenant.Phones{Mobile: number(1), AlternateMobile: number(2)}
	for name, test := range map[string]struct {
		before tenant.Phones
		wanted messages.Phones
		stays  string
		writes []string
	}{
		"the alternate becomes the mobile": {
			both, messages.Phones{messages.Mobile: number(2), messages.AlternateMobile: messages.Remove}, number(2),
			[]string{"PATCH " + mobileID, "DELETE " + alternateID},
		},
		"the mobile becomes the office phone": {
			tenant.Phones{Mobile: number(1)}, messages.Phones{messages.Mobile: messages.Remove, messages.Office: number(1)}, number(1),
			[]string{"POST phoneMethods", "DELETE " + mobileID},
		},
		"the mobile becomes the alternate of a new one": {
			tenant.Phones{Mobile: number(1)}, messages.Phones{messages.Mobile: number(3), messages.AlternateMobile: number(1)}, number(1),
			[]string{"POST phoneMethods", "PATCH " + mobileID},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada"), Phones: test.before}}})
			r.front.watch(func(id string) {
				if p := r.user("ada").Phones; !slices.Contains([]string{p.Mobile, p.AlternateMobile, p.Office}, test.stays) {
					t.Error("the number is missing for a moment")
				}
			})
			ids := r.publish(messages.Command{User: upn("ada"), Phones: test.wanted})
			r.work()
			r.wantResults(messages.Applied, ids...)
			if diff := cmp.Diff(test.writes, r.front.writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

// What a command's modes keep is kept, and the outcome says so.
func TestWhatIsKeptIsSaid(t *testing.T) {
	t.Parallel()
	ada := tenant.User{
		UserPrincipalName: upn("ada"), SystemPreferred: true,
		Phones:        tenant.Phones{Mobile: number(1)},
		Authenticator: []tenant.Authenticator{{ID: authenticatorID}}, DefaultMethod: "push",
	}
	r := newRig(t, config{users: []tenant.User{ada}})
	ids := r.publish(
		messages.Command{User: upn("ada"), Phones: mobile(number(2)), PhoneMode: messages.PhoneModeAddOnly},
		messages.Command{User: upn("ada"), Phones: mobile(number(2)), PhoneMode: messages.PhoneModeRemove},
		messages.Command{User: upn("ada"), DefaultMethod: messages.DefaultSMS},
		messages.Command{User: upn("ada"), Authenticator: messages.Authenticator{RemoveOlderThanDays: 1}},
	)
	r.work()
	for i, want := range [][]string{
		{worker.WarningNumberKept}, {worker.WarningNumberKept},
		{worker.WarningSystemPreferredMethod, worker.WarningDefaultMethodKept}, {worker.WarningRegistrationDateUnknown},
	} {
		got := r.outcome(ids[i])
		if diff := cmp.Diff(want, got.Warnings); diff != "" || got.Result != messages.Unchanged {
			t.Errorf("command %d: %s; warnings (-want +got):\n%s", i, got.Result, diff)
		}
	}
}

// A number that the policy would never write is removed where it is there.
func TestAnyRegisteredNumberCanBeRemoved(t *testing.T) {
	t.Parallel()
	const premium = "+31 9001234"
	ada := tenant.User{UserPrincipalName: upn("ada"), Phones: tenant.Phones{Mobile: premium}}
	r := newRig(t, config{users: []tenant.User{ada}})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile("+31 900 1234"), PhoneMode: messages.PhoneModeRemove})[0]
	r.foreign = append(r.foreign, premium)
	r.work()
	if got := r.outcome(id); got.Result != messages.Applied || r.user("ada").Phones.Mobile != "" {
		t.Errorf("%+v; the directory holds %+v", got, r.user("ada").Phones)
	}
}

// A user without their phone gets another number for a while. It is set back only
// if nobody has changed it since; formatting is no change.
func TestATemporaryNumberIsSetBack(t *testing.T) {
	t.Parallel()
	users, names := people(3)
	for i := range users {
		users[i].Phones.Mobile = number(i)
	}
	users[2].Phones.Mobile = number(77) // somebody was here in the meantime
	r := newRig(t, config{users: users})
	var there, back []messages.Command
	for i, name := range names {
		there = append(there, messages.Command{
			User: upn(name), Phones: mobile(number(50 + i)), Expect: &messages.Expectation{Phones: mobile(strings.ReplaceAll(number(i), " ", ""))},
		})
		back = append(back, messages.Command{User: upn(name), Phones: mobile(number(i)), Expect: &messages.Expectation{Phones: mobile(number(50 + i))}})
	}
	ids := r.publish(there...)
	r.work()
	r.wantResults(messages.Applied, ids[:2]...)
	r.wantDeadLetter(ids[2], worker.ReasonChangedSince)

	again := r.publish(there[0]) // an applied command that comes once more
	ids = r.publish(back...)
	r.work()
	r.wantResults(messages.Unchanged, again...)
	r.wantResults(messages.Applied, ids[:2]...)
	r.wantDeadLetter(ids[2], worker.ReasonChangedSince)
	for i, want := range []string{number(0), number(1), number(77)} {
		if got := r.user(names[i]).Phones.Mobile; got != want {
			t.Errorf("%s has another mobile than they should", names[i])
		}
	}
}

// A command that expects something and is interrupted after its first write still
// comes to its end: what it has written itself is no change.
func TestAnExpectationSurvivesTheCommandsOwnWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{
		UserPrincipalName: upn("ada"), SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: number(1)}, DefaultMethod: "sms",
	}}})
	second := once("POST", "/phoneMethods")
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		return second(req) && refuse(w, http.StatusBadRequest, "badRequest")
	})
	ids := r.publish(messages.Command{
		User:   upn("ada"),
		Phones: messages.Phones{messages.Mobile: number(2), messages.Office: number(3)},
		// Writing the mobile registers it for SMS sign-in, which is then not as it was.
		Expect: &messages.Expectation{Phones: mobile(number(1)), SMSSignIn: new(false), DefaultMethod: messages.DefaultSMS},
	})
	r.work()
	r.wantResults(messages.Applied, ids...)
	if got := r.user("ada").Phones; got.Mobile != number(2) || got.Office != number(3) {
		t.Error("the command has not come to its end")
	}
}

// Registrations go by device name, by age or all together; the last method that
// multi-factor authentication can use stays, unless the command says otherwise.
func TestRegistrationsAreRemovedBySelection(t *testing.T) {
	t.Parallel()
	apps := func(name string) []tenant.Authenticator {
		return []tenant.Authenticator{
			{ID: tenant.UserID(name + "/old"), DisplayName: "Nexus 5", CreatedDateTime: time.Now().AddDate(-3, 0, 0)},
			{ID: tenant.UserID(name + "/new"), DisplayName: "Pixel 8", CreatedDateTime: time.Now().AddDate(0, 0, -3)},
		}
	}
	tests := []struct {
		name   string
		others []string
		a      messages.Authenticator
		guard  *bool
		left   int
		reason string
	}{
		{"by-name", nil, messages.Authenticator{RemoveNamed: []string{"nexus 5"}}, nil, 1, ""},
		{"by-age", nil, messages.Authenticator{RemoveOlderThanDays: 365}, nil, 1, ""},
		{"all", nil, messages.Authenticator{RemoveAll: true}, nil, 2, worker.ReasonLastMethod},
		{"all-unguarded", nil, messages.Authenticator{RemoveAll: true}, new(false), 0, ""},
		{"all-beside-a-key", []string{"fido2"}, messages.Authenticator{RemoveAll: true}, nil, 0, ""},
		{"all-beside-a-pass", []string{"email", "temporaryAccessPass"}, messages.Authenticator{RemoveAll: true}, nil, 2, worker.ReasonLastMethod},
	}
	var users []tenant.User
	var commands []messages.Command
	for _, test := range tests {
		users = append(users, tenant.User{UserPrincipalName: upn(test.name), Authenticator: apps(test.name), OtherMethods: test.others})
		commands = append(commands, messages.Command{User: upn(test.name), Authenticator: test.a, ProtectLastMethod: test.guard})
	}
	r := newRig(t, config{users: users})
	ids := r.publish(commands...)
	r.work()
	for i, test := range tests {
		if test.reason != "" {
			r.wantDeadLetter(ids[i], test.reason)
		} else {
			r.wantResults(messages.Applied, ids[i])
		}
		if got := len(r.user(test.name).Authenticator); got != test.left {
			t.Errorf("%s: %d registrations left, want %d", test.name, got, test.left)
		}
	}
}

// Where the default method is a phone that goes, one-time codes that a token makes
// can take its place: Graph refuses to remove the default while there are others.
// Nobody else's other methods are read.
func TestATokenTakesThePlaceOfThePhone(t *testing.T) {
	t.Parallel()
	ada := tenant.User{UserPrincipalName: upn("ada"), Phones: tenant.Phones{Mobile: number(1)}, DefaultMethod: "sms", OtherMethods: []string{"softwareOath"}}
	bob := tenant.User{UserPrincipalName: upn("bob"), Phones: tenant.Phones{Mobile: number(2)}, OtherMethods: []string{"softwareOath"}}
	r := newRig(t, config{users: []tenant.User{ada, bob}})
	ids := r.publish(messages.Command{User: upn("ada"), Phones: mobile(messages.Remove)}, messages.Command{User: upn("bob"), Phones: mobile(messages.Remove)})
	r.work()
	r.wantResults(messages.Applied, ids...)
	if u := r.user("ada"); u.Phones.Mobile != "" || u.DefaultMethod != "oath" {
		t.Errorf("the directory holds %+v, want no mobile and the default oath", u)
	}
	for _, req := range r.front.requests() {
		if strings.HasSuffix(req.path, "/methods") && req.user() == tenant.UserID(upn("bob")) {
			t.Error("the methods of a user without a default were read")
		}
	}
}

// Where Graph shows numbers in part, nothing is compared and nothing is written
// over; what needs no comparison goes on.
func TestHiddenNumbersAreNotCompared(t *testing.T) {
	t.Parallel()
	users, names := people(3)
	for i := range users {
		users[i].Phones.Mobile = number(i)
	}
	r := newRig(t, config{users: users, tenant: tenant.Options{HideNumbers: true}})
	ids := r.publish(
		messages.Command{User: upn(names[0]), Phones: mobile(number(0))},
		messages.Command{User: upn(names[1]), Phones: mobile(messages.Remove)},
		messages.Command{User: upn(names[2]), Phones: messages.Phones{messages.Office: number(9)}},
	)
	r.work()
	r.wantDeadLetter(ids[0], worker.ReasonNumbersHidden)
	r.wantResults(messages.Applied, ids[1:]...)
}

// An office phone that is mastered on-premises is told from another refusal.
func TestAnOfficePhoneMasteredElsewhereIsTold(t *testing.T) {
	t.Parallel()
	users, names := people(3)
	users[0].OnPremisesSyncEnabled, users[0].OfficeMastered = new(true), true
	users[1].OnPremisesSyncEnabled = new(true)
	r := newRig(t, config{users: users})
	cloudOnly := tenant.UserID(upn(names[2]))
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		return req.Method == http.MethodPost && strings.Contains(req.URL.Path, cloudOnly) && refuse(w, http.StatusBadRequest, "badRequest")
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: messages.Phones{messages.Office: number(i)}})
	}
	ids := r.publish(commands...)
	r.work()
	r.wantDeadLetter(ids[0], worker.ReasonOfficePhoneSynced)
	r.wantResults(messages.Applied, ids[1])
	r.wantDeadLetter(ids[2], worker.ReasonRefusedByGraph)
}

// Graph registers a new mobile for SMS sign-in by itself where the policy allows it.
// That is said, unless the number is taken, which is said instead, or the command
// says what it wants.
func TestSMSSignInThatTurnsItselfOnIsTold(t *testing.T) {
	t.Parallel()
	var users []tenant.User
	for n, name := range []string{"ada", "bob", "eve", "kim", "owner"} {
		u := tenant.User{UserPrincipalName: upn(name), SMSSignInAllowed: true}
		if name != "ada" && name != "kim" {
			u.Phones.Mobile = number(n)
		}
		u.SMSSignIn = name == "owner"
		users = append(users, u)
	}
	r := newRig(t, config{users: users, graph: graphclient.Options{MaxTries: 1}})
	fails := once("PATCH", "/requirements")
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		return fails(req) && refuse(w, 500, "generalException")
	})
	ids := r.publish(
		messages.Command{User: upn("ada"), Phones: mobile(number(11))},
		// It is tried again after the number is written.
		messages.Command{User: upn("bob"), Phones: mobile(number(12)), PerUserMFAState: messages.MFAEnforced},
		messages.Command{User: upn("eve"), Phones: mobile(number(4))}, // the owner's
		messages.Command{User: upn("kim"), Phones: mobile(number(13)), SMSSignIn: new(true)},
	)
	r.work()
	for i, want := range [][]string{{worker.WarningSMSSignInTurnedOn}, {worker.WarningSMSSignInTurnedOn}, {worker.WarningNumberNotUnique}, nil} {
		got := r.outcome(ids[i])
		if diff := cmp.Diff(want, got.Warnings); diff != "" || got.Result != messages.Applied {
			t.Errorf("command %d: %s; warnings (-want +got):\n%s", i, got.Result, diff)
		}
	}
}

// A number that another user signed in with can be used once that one has given it
// up.
func TestANumberThatWasGivenUpCanSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{
		{UserPrincipalName: upn("owner"), Phones: tenant.Phones{Mobile: number(1)}, SMSSignInAllowed: true, SMSSignIn: true},
		{UserPrincipalName: upn("ada"), SMSSignInAllowed: true},
	}})
	on := messages.Command{User: upn("ada"), Phones: mobile(number(1)), SMSSignIn: new(true)}
	taken := r.publish(on)[0]
	r.work()
	if got := r.outcome(taken); got.Reason != worker.ReasonSMSSignInNotUnique {
		t.Fatalf("%+v, want %s", got, worker.ReasonSMSSignInNotUnique)
	}
	released := r.publish(messages.Command{User: upn("owner"), SMSSignIn: new(false)})[0]
	r.work()
	again := r.publish(on)[0]
	r.work()
	r.wantResults(messages.Applied, released, again)
	if !r.user("ada").SMSSignIn {
		t.Error("SMS sign-in is off")
	}
}

// The policy may be found out only when Graph refuses to enable SMS sign-in.
func TestSMSSignInDisabledByPolicyIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada"), SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: number(1)}}}})
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		return strings.HasSuffix(req.URL.Path, "/enableSmsSignIn") && refuse(w, http.StatusForbidden, "disabledByPolicy")
	})
	ids := r.publish(messages.Command{User: upn("ada"), SMSSignIn: new(true)})
	r.work()
	r.wantDeadLetter(ids[0], worker.ReasonSMSSignInNotAllowed)
}
