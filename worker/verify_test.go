package worker_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

// Whatever a command asks for is read back, however stale the tenant's answers
// are, and counts as applied once Graph shows it.
func TestVerificationWaitsForGraphToShowIt(t *testing.T) {
	t.Parallel()
	on, off := true, false
	full := tenant.User{
		UserPrincipalName: upn("ada"), SMSSignInAllowed: true, SMSSignIn: true, DefaultMethod: "sms",
		Phones: tenant.Phones{Mobile: number(1), AlternateMobile: number(2), Office: number(3)}, Authenticator: []tenant.Authenticator{{ID: authenticatorID}},
	}
	voice := tenant.User{DefaultMethod: "voiceAlternateMobile", Phones: tenant.Phones{Mobile: number(1), AlternateMobile: number(2)}}
	for name, test := range map[string]struct {
		before tenant.User
		wanted messages.Command
	}{
		"a new mobile":              {tenant.User{}, messages.Command{Phones: mobile(number(1))}},
		"written without its space": {tenant.User{}, messages.Command{Phones: mobile(strings.ReplaceAll(number(1), " ", ""))}},
		"another mobile":            {full, messages.Command{Phones: mobile(number(4))}},
		"removals":                  {full, messages.Command{Phones: messages.Phones{messages.AlternateMobile: messages.Remove, messages.Office: messages.Remove}}},
		"the last methods":          {voice, messages.Command{Phones: messages.Phones{messages.Mobile: messages.Remove, messages.AlternateMobile: messages.Remove}}},
		"enabled becomes enforced":  {full, messages.Command{PerUserMFAState: messages.MFAEnabled}},
		"default method":            {full, messages.Command{DefaultMethod: messages.DefaultPush}},
		"sms sign-in off":           {full, messages.Command{SMSSignIn: &off}},
		"a mobile that signs in":    {tenant.User{SMSSignInAllowed: true}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &on}},
		"a mobile that does not":    {tenant.User{SMSSignInAllowed: true}, messages.Command{Phones: mobile(number(1)), SMSSignIn: &off}},
		"authenticator":             {full, messages.Command{Authenticator: messages.Authenticator{Remove: []string{authenticatorID}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.before.UserPrincipalName, test.wanted.User = upn("ada"), tenant.UserID(upn("ada"))
			r := newRig(t, config{
				users:  []tenant.User{test.before},
				tenant: tenant.Options{Lag: 150 * time.Millisecond, Probabilities: &tenant.Probabilities{Stale: 1}},
				worker: worker.Options{Verify: true},
			})
			id := r.publish(test.wanted)[0]
			r.work()
			got := r.outcome(id)
			if got.Result != messages.Applied || got.Reason != "" {
				t.Errorf("outcome %+v, want applied", got)
			}
			least := 2
			if test.wanted.SMSSignIn != nil && test.wanted.Phones != nil {
				least = 1 // to see the state of SMS sign-in, the worker has waited already
			}
			if looks := r.looks(); looks < least {
				t.Errorf("%d looks at a tenant whose first answer is stale", looks)
			}
			// The state is what was wanted: asking again changes nothing.
			again := r.publish(test.wanted)[0]
			before := r.looks()
			r.work()
			r.wantResults(messages.Unchanged, again)
			if r.looks() != before {
				t.Error("something was read back although nothing was written")
			}
		})
	}
}

// looks counts the readings of verifications.
func (r *rig) looks() int {
	n := 0
	for _, s := range r.spans.Ended() {
		if s.Name() == "verify" {
			n++
		}
	}
	return n
}

// Of a number that is shown only in part it can't be told whether it is the one that
// was written. That is no mismatch, but it is said.
func TestAHiddenNumberIsNoMismatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada")}},
		tenant: tenant.Options{HideNumbers: true},
		worker: worker.Options{Verify: true, Consistency: 300 * time.Millisecond},
	})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})[0]
	r.work()
	if got := r.outcome(id); got.Result != messages.Applied || !slices.Equal(got.Warnings, []string{worker.WarningNumberNotVerified}) {
		t.Errorf("outcome %+v, want applied with the warning %s", got, worker.WarningNumberNotVerified)
	}
}

// What Graph goes on not showing is an outcome of its own, which names the part
// and no number.
func TestAMismatchThatStaysIsAnOutcome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wanted messages.Command
		hide   string // the path whose readings do not show the write
		answer string
		says   string
	}{
		"phones":     {messages.Command{Phones: messages.Phones{messages.Mobile: number(1), messages.Office: number(2)}}, "/phoneMethods", `{"value":[]}`, ": mobile, office."},
		"mfa state":  {messages.Command{PerUserMFAState: messages.MFAEnforced}, "/requirements", `{"perUserMfaState":"disabled"}`, ": per-user MFA state."},
		"everything": {messages.Command{Phones: mobile(number(1)), PerUserMFAState: messages.MFAEnforced}, "/requirements", `{"perUserMfaState":"enabled"}`, ": per-user MFA state."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config{
				users:  []tenant.User{{UserPrincipalName: upn("ada")}},
				worker: worker.Options{Verify: true, Consistency: 300 * time.Millisecond},
			})
			r.front.use(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, test.hide) {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.Write([]byte(test.answer))
				return true
			})
			test.wanted.User = tenant.UserID(upn("ada"))
			id := r.publish(test.wanted)[0]
			started := time.Now()
			r.work()
			if took := time.Since(started); took < 300*time.Millisecond {
				t.Errorf("given up after %v, want to wait for as long as a read may lag", took)
			}
			got := r.outcome(id)
			if got.Result != messages.Failed || got.Reason != worker.ReasonVerificationMismatch || !strings.Contains(got.Detail, test.says) {
				t.Errorf("outcome %+v, want a mismatch%s", got, test.says)
			}
			if strings.ContainsFunc(got.Detail[strings.Index(got.Detail, "ms"):], func(r rune) bool { return '0' <= r && r <= '9' }) {
				t.Errorf("the detail has digits: %s", got.Detail)
			}
			r.wantDeadLetter(id, worker.ReasonVerificationMismatch)
			r.wantDeliveries(1, id)
			r.wantQueue(broker.Counts{DeadLettered: 1})
		})
	}
}

// A number that serves another user's SMS sign-in is written, verified, and
// carries its warning.
func TestVerificationKeepsTheWarning(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users: []tenant.User{
			{UserPrincipalName: upn("owner"), Phones: tenant.Phones{Mobile: number(5)}, SMSSignInAllowed: true, SMSSignIn: true},
			{UserPrincipalName: upn("rival"), SMSSignInAllowed: true},
		},
		worker: worker.Options{Verify: true},
	})
	id := r.publish(messages.Command{User: upn("rival"), Phones: mobile(number(5))})[0]
	r.work()
	if got := r.outcome(id); got.Result != messages.Applied || !slices.Equal(got.Warnings, []string{worker.WarningNumberNotUnique}) {
		t.Errorf("outcome %+v, want applied with the warning", got)
	}
}

// The trace of a command shows how its scope was decided and each look of its
// verification, and what was not shown yet.
func TestScopeAndVerificationShowInTheTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users: []tenant.User{{UserPrincipalName: upn("ada")}},
		worker: worker.Options{
			Verify: true, Consistency: 50 * time.Millisecond,
			Scope: readScope(t, "exclude: [{name: a, groups: ["+pilots+"]}, {name: b, admins: true}]"),
		},
	})
	r.front.use(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/phoneMethods") && r.Method == http.MethodGet && none(w)
	})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})[0]
	r.work()
	tree := r.trace(r.outcome(id).TraceID)
	tree.wantChildren(t, tree.only(t, "scope"), "GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole", "POST /users/{id}/checkMemberGroups", "wait budget", "wait budget")
	process := tree.only(t, "process commands")
	looks := slices.Repeat([]string{"verify"}, max(1, r.looks()))
	tree.wantChildren(t, process, append([]string{"apply", "dead_letter commands", "decode", "plan", "read", "resolve", "scope"}, looks...)...)
	wantAttributes(t, process, map[string]string{"muster.reason": worker.ReasonVerificationMismatch, "muster.result": "failed", "muster.writes": "1"})
	for _, s := range tree.spans {
		if s.Name() == "verify" {
			wantAttributes(t, s, map[string]string{"muster.not_shown": "mobile"})
		}
	}
}

// While one user's change is not shown yet, other users' commands go on, and a
// later command of the same user waits.
func TestVerificationHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	users, names := people(12)
	slow := tenant.UserID(upn(names[0]))
	others := make(chan struct{}, len(users))
	release := make(chan struct{})
	r := newRig(t, config{users: users, worker: worker.Options{Verify: true, Concurrency: 4, Report: func(o messages.Outcome) {
		if o.UserID != slow {
			others <- struct{}{}
		}
	}}})
	r.front.use(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
			return false
		default:
		}
		return strings.Contains(r.URL.Path, slow) && r.Method == http.MethodGet && none(w)
	})
	first := r.publish(
		messages.Command{User: slow, Phones: mobile(number(0))},
		messages.Command{User: slow, Phones: mobile(number(50))})
	var commands []messages.Command
	for i, name := range names[1:] {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i + 1))})
	}
	ids := r.publish(commands...)
	s := r.start()
	for range ids {
		<-others
	}
	if got := r.user(names[0]).Phones.Mobile; got != number(0) {
		t.Errorf("the slow user has %q, want the first command's number", got)
	}
	close(release)
	s.wait()
	r.wantResults(messages.Applied, append(ids, first...)...)
	if got := r.user(names[0]).Phones.Mobile; got != number(50) {
		t.Errorf("the slow user has %q in the end", got)
	}
}

// none answers a listing that shows nothing.
func none(w http.ResponseWriter) bool {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"value":[]}`))
	return true
}

// A command that is interrupted while it is verified is given back and not
// failed; the next worker finds it done.
func TestAnInterruptedVerificationIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada")}},
		worker: worker.Options{Verify: true, Grace: 50 * time.Millisecond},
	})
	user := tenant.UserID(upn("ada"))
	looked := make(chan struct{}, 100)
	r.front.use(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if r.tenant.Stats().Writes == 0 {
			return false
		}
		looked <- struct{}{}
		return none(w)
	})
	id := r.publish(messages.Command{User: user, Phones: mobile(number(1))})[0]
	s := r.start()
	<-looked
	s.stop()
	s.wait()
	if got := r.reported(); len(got) != 0 {
		t.Errorf("outcomes %+v, want none", got)
	}
	r.wantNothingHeld(1)
	r.front.use(nil)
	r.work()
	r.wantResults(messages.Unchanged, id)
	if got := r.tenant.Stats().Writes; got != 1 {
		t.Errorf("%d writes, want one", got)
	}
	if u := r.user("ada"); !phone.Equal(u.Phones.Mobile, number(1)) {
		t.Errorf("the directory holds %q", u.Phones.Mobile)
	}
}

// Trouble on the way to a reading is no mismatch.
func TestVerificationSurvivesABadDay(t *testing.T) {
	t.Parallel()
	users, names := people(20)
	r := newRig(t, config{users: users, tenant: tenant.Options{Faults: tenant.FaultsDefault, Seed: 5}, worker: worker.Options{Verify: true}})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i)), PerUserMFAState: messages.MFAEnabled})
	}
	ids := r.publish(commands...)
	r.work()
	r.wantResults(messages.Applied, ids...)
}
