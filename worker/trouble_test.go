package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// Graph carries a write out and the reply is lost. The end is right all the same,
// and a POST is not sent twice.
func TestALostReplyLeavesTheRightState(t *testing.T) {
	t.Parallel()
	on := true
	before := tenant.User{
		UserPrincipalName: upn("ada"), SMSSignInAllowed: true,
		Phones:        tenant.Phones{Mobile: number(1), Office: number(2)},
		Authenticator: []tenant.Authenticator{{ID: authenticatorID}},
	}
	for _, test := range []struct {
		method, path string
		wanted       messages.Command
		holds        func(tenant.User) bool
		writes       int64 // that the tenant may see
	}{
		{"POST", "/phoneMethods", messages.Command{Phones: messages.Phones{messages.AlternateMobile: number(3)}},
			func(u tenant.User) bool { return u.Phones.AlternateMobile == number(3) }, 1},
		{"PATCH", "/phoneMethods/", messages.Command{Phones: mobile(number(3))},
			func(u tenant.User) bool { return u.Phones.Mobile == number(3) }, 2},
		{"DELETE", "/phoneMethods/", messages.Command{Phones: messages.Phones{messages.Office: messages.Remove}},
			func(u tenant.User) bool { return u.Phones.Office == "" }, 2},
		{"DELETE", "/microsoftAuthenticatorMethods/", messages.Command{Authenticator: messages.Authenticator{Remove: []string{authenticatorID}}},
			func(u tenant.User) bool { return len(u.Authenticator) == 0 }, 2},
		{"PATCH", "/signInPreferences", messages.Command{DefaultMethod: messages.DefaultVoiceOffice},
			func(u tenant.User) bool { return u.DefaultMethod == "voiceOffice" }, 2},
		{"PATCH", "/requirements", messages.Command{PerUserMFAState: messages.MFAEnforced},
			func(u tenant.User) bool { return u.PerUserMFAState == "enforced" }, 2},
		{"POST", "/enableSmsSignIn", messages.Command{SMSSignIn: &on},
			func(u tenant.User) bool { return u.SMSSignIn }, 2},
	} {
		for _, tries := range []int{0, 1} { // one try: the whole command begins anew
			if tries == 1 && !strings.HasPrefix(test.path, "/phoneMethods") {
				continue
			}
			t.Run(fmt.Sprintf("%s %s, %d tries", test.method, test.path, tries), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, config{users: []tenant.User{before}, graph: graphclient.Options{MaxTries: tries}})
				first := once(test.method, test.path)
				r.front.use(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
					return first(req) && r.front.lose(req)
				})
				wanted := test.wanted
				wanted.User = upn("ada")
				id := r.publish(wanted)[0]
				r.work()
				if got := r.outcome(id); got.Result != messages.Applied && !(tries == 1 && got.Result == messages.Unchanged) {
					t.Errorf("outcome %+v", got)
				}
				if u := r.user("ada"); !test.holds(u) {
					t.Errorf("the directory holds %+v", u)
				}
				if got := r.tenant.Stats().Writes; got > test.writes {
					t.Errorf("%d writes, want at most %d", got, test.writes)
				}
				r.wantDeliveries(1, id)
				r.wantQueue(broker.Counts{})
			})
		}
	}
}

// A Retry-After halts everybody in the tenant. Waiting is not failing: nothing is
// dead-lettered and no delivery is used up.
func TestRetryAfterHaltsAll(t *testing.T) {
	t.Parallel()
	const concurrency, pause = 8, 2 * time.Second
	users, names := people(60)
	r := newRig(t, config{users: users, worker: worker.Options{Concurrency: concurrency}})
	throttled := make(chan time.Time, 1)
	r.front.use(func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n != 40 {
			return false
		}
		throttled <- time.Now()
		w.Header().Set("Retry-After", "2")
		return refuse(w, 429, "TooManyRequests")
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()

	began := <-throttled
	atOnce, halted, later := 0, 0, 0
	for _, req := range r.front.requests()[40:] {
		switch since := req.at.Sub(began); {
		case since >= pause:
			later++
		case since > pause/2:
			halted++
		default:
			atOnce++
		}
	}
	if atOnce > 3*concurrency || halted > 0 || later == 0 {
		t.Errorf("%d requests came right after the 429, %d well into the halt, %d after it; want at most %d, none and the rest",
			atOnce, halted, later, 3*concurrency)
	}
	r.wantResults(messages.Applied, ids...)
	r.wantDeliveries(1, ids...)
	r.wantQueue(broker.Counts{})
}

// While Graph fails for everybody, commands wait; none is dead-lettered.
func TestTroubleForEverybodyIsWaitedOut(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(http.ResponseWriter) bool{
		"500":              func(w http.ResponseWriter) bool { return refuse(w, 500, "generalException") },
		"503":              func(w http.ResponseWriter) bool { return refuse(w, 503, "serviceNotAvailable") },
		"no reply":         func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		"a proxy's answer": func(w http.ResponseWriter) bool { http.Error(w, "<html>bad gateway</html>", 502); return true },
		"a proxy's 404":    func(w http.ResponseWriter) bool { http.NotFound(w, nil); return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users, names := people(20)
			r := newRig(t, config{users: users, graph: graphclient.Options{MaxTries: 1}})
			r.front.use(func(n int, w http.ResponseWriter, _ *http.Request) bool { return n <= 20 && fail(w) })
			var commands []messages.Command
			for i, name := range names {
				commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
			}
			ids := r.publish(commands...)
			r.work()
			r.wantResults(messages.Applied, ids...)
			r.wantDeliveries(1, ids...)
			r.wantQueue(broker.Counts{})
		})
	}
}

// Reads lag behind writes, always as far as they may. Duplicate commands cost one
// write, and what came last is what is there in the end.
func TestStaleReadsMislead(t *testing.T) {
	t.Parallel()
	const lag = 700 * time.Millisecond
	off := false
	for _, test := range []struct {
		name     string
		before   tenant.User
		commands []messages.Command
		want     tenant.Phones
		sms      bool
		writes   int64
	}{
		{"duplicates", tenant.User{}, []messages.Command{
			{Phones: mobile(number(1))}, {Phones: mobile(number(1))}, {Phones: mobile(number(1))},
		}, tenant.Phones{Mobile: number(1)}, false, 1},
		{"one after the other", tenant.User{}, []messages.Command{
			{Phones: mobile(number(1))}, {Phones: mobile(number(2))}, {Phones: mobile(number(1))}, {Phones: mobile(number(3))},
		}, tenant.Phones{Mobile: number(3)}, false, 4},
		{"there and away", tenant.User{Phones: tenant.Phones{Mobile: number(1)}}, []messages.Command{
			{Phones: messages.Phones{messages.Office: number(4)}}, {Phones: messages.Phones{messages.Office: messages.Remove}},
			{Phones: messages.Phones{messages.AlternateMobile: number(5)}}, {Phones: messages.Phones{messages.AlternateMobile: messages.Remove}},
		}, tenant.Phones{Mobile: number(1)}, false, 4},
		{"mobile, then alternate", tenant.User{}, []messages.Command{
			{Phones: mobile(number(1))}, {Phones: messages.Phones{messages.AlternateMobile: number(2)}},
		}, tenant.Phones{Mobile: number(1), AlternateMobile: number(2)}, false, 2},
		{"SMS sign-in off", tenant.User{SMSSignInAllowed: true}, []messages.Command{
			{Phones: mobile(number(1)), SMSSignIn: &off}, {Phones: mobile(number(2)), SMSSignIn: &off}, {SMSSignIn: &off},
		}, tenant.Phones{Mobile: number(2)}, false, 4},
		{"default before removal", tenant.User{Phones: tenant.Phones{Mobile: number(1), Office: number(2)}, DefaultMethod: "voiceOffice"}, []messages.Command{
			{DefaultMethod: messages.DefaultSMS}, {Phones: messages.Phones{messages.Office: messages.Remove}},
		}, tenant.Phones{Mobile: number(1)}, false, 2},
		{"a default that went with its method", tenant.User{Authenticator: []tenant.Authenticator{{ID: authenticatorID}}, DefaultMethod: "push"}, []messages.Command{
			{Authenticator: messages.Authenticator{RemoveAll: true}, ProtectLastMethod: &off}, {Phones: mobile(number(1)), DefaultMethod: messages.DefaultSMS},
		}, tenant.Phones{Mobile: number(1)}, false, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.before.UserPrincipalName = upn("ada")
			r := newRig(t, config{
				users:  []tenant.User{test.before},
				tenant: tenant.Options{Probabilities: &tenant.Probabilities{Stale: 1}, Lag: lag},
			})
			for i := range test.commands {
				test.commands[i].User = upn("ada")
			}
			ids := r.publish(test.commands...)
			began := time.Now()
			r.work()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v, want not much longer than the lag of %v", took, lag)
			}
			for _, id := range ids {
				if got := r.outcome(id); got.Result != messages.Applied && got.Result != messages.Unchanged {
					t.Errorf("%s: %+v", id, got)
				}
			}
			if u := r.user("ada"); u.Phones != test.want || u.SMSSignIn != test.sms {
				t.Errorf("the directory holds %+v, want %+v, SMS sign-in %v", u, test.want, test.sms)
			}
			if s := r.tenant.Stats(); s.Writes != test.writes || s.RedundantWrites != 0 {
				t.Errorf("%d writes, %d of them redundant; want %d", s.Writes, s.RedundantWrites, test.writes)
			}
		})
	}
}

// Another worker has written a moment ago what this one can't see yet. What Graph
// then refuses is looked at again before it is dead-lettered.
func TestARefusalThatRestsOnAStaleReadIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	users := []tenant.User{{UserPrincipalName: upn("ada")}}
	r := newRig(t, config{
		users:  users,
		tenant: tenant.Options{Probabilities: &tenant.Probabilities{Stale: 1}, Lag: 500 * time.Millisecond},
		worker: worker.Options{FirstRetry: 300 * time.Millisecond},
	})
	first := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})
	r.work()
	second := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(2))})
	r.work() // a new worker, which remembers nothing
	r.wantResults(messages.Applied, append(first, second...)...)
	if got := r.user("ada").Phones.Mobile; got != number(2) {
		t.Errorf("the directory holds %q, want what came last", got)
	}
}
