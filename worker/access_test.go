package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// A tenant that refuses everybody is paused, the log says what is missing, and
// nothing is dead-lettered; once access is granted, all goes on.
func TestATenantWideRefusalPauses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		denial  tenant.Denial
		missing string
	}{
		"403 on users":      {tenant.Denial{Status: 403, Operation: "users"}, "User.Read.All"},
		"403 on reading":    {tenant.Denial{Status: 403, Operation: "phoneMethods.list"}, "UserAuthMethod-Phone.Read.All"},
		"403 on writing":    {tenant.Denial{Status: 403, Operation: "phoneMethods.add"}, "UserAuthMethod-Phone.ReadWrite.All"},
		"403 on everything": {tenant.Denial{Status: 403}, "User.Read.All"},
		"401":               {tenant.Denial{Status: 401}, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const many = 40
			users, names := people(many)
			r := newRig(t, config{
				users:  users,
				tenant: tenant.Options{Deny: []tenant.Denial{test.denial}},
				worker: worker.Options{Concurrency: 8, FirstPause: 20 * time.Millisecond},
			})
			var commands []messages.Command
			for i, name := range names {
				// Each user twice, so that commands wait for one another too.
				again := []string{strings.ToUpper(upn(name)), tenant.UserID(upn(name))}[i%2]
				commands = append(commands,
					messages.Command{User: upn(name), Phones: mobile(number(i))},
					messages.Command{User: again, Phones: mobile(number(100 + i))})
			}
			ids := r.publish(commands...)
			s := r.start()
			line := r.log.await(t, "tenant paused")
			if !strings.Contains(line, test.missing) || !strings.Contains(line, `"remedy":`) || !strings.Contains(line, domain) {
				t.Errorf("the log does not tell what to do about %s: %s", test.missing, line)
			}
			// The pause has grown, so a probe has been refused.
			r.log.await(t, `"next_try_in":"40ms"`)
			if got := s.worker.Status(); len(got.Paused) != 1 || got.Paused[0] != domain {
				t.Errorf("status %+v, want the tenant paused", got)
			}
			r.wantQueue(broker.Counts{Active: 2*many - 8, Locked: 8})
			r.tenant.Lift()
			s.wait()
			r.wantResults(messages.Applied, ids...)
			r.wantDeliveries(1, ids...)
			r.wantQueue(broker.Counts{})
			if got := s.worker.Status(); len(got.Paused) != 0 {
				t.Errorf("still paused: %+v", got)
			}
		})
	}
}

// A missing permission holds back the commands that need it and no others.
func TestOnlyWhatNeedsThePermissionWaits(t *testing.T) {
	t.Parallel()
	const many = 20
	users, names := people(many)
	phones := make(chan struct{}, many)
	r := newRig(t, config{
		users:  users,
		tenant: tenant.Options{Deny: []tenant.Denial{{Status: 403, Operation: "requirements"}}},
		worker: worker.Options{Concurrency: 4, Report: func(o messages.Outcome) { phones <- struct{}{} }},
	})
	states := r.publish(
		messages.Command{User: tenant.UserID(upn(names[0])), PerUserMFAState: messages.MFAEnforced},
		messages.Command{User: tenant.UserID(upn(names[1])), PerUserMFAState: messages.MFADisabled})
	var commands []messages.Command
	for i, name := range names[2:] {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	s := r.start()
	if line := r.log.await(t, "tenant paused"); !strings.Contains(line, "Policy.Read.All") {
		t.Errorf("the log does not name the permission: %s", line)
	}
	for range ids {
		<-phones
	}
	r.wantResults(messages.Applied, ids...)
	if got := r.reported(); len(got) != len(ids) || r.log.count("tenant paused") != 1 {
		t.Errorf("%d outcomes and %d pauses, want %d and 1", len(got), r.log.count("tenant paused"), len(ids))
	}
	s.stop()
	s.wait()
	r.wantNothingHeld(len(states))
}

// While a tenant is paused, it sees one request per probe, also when commands
// come that it has not heard of before.
func TestAPausedTenantIsLeftAlone(t *testing.T) {
	t.Parallel()
	const before = 5
	users, names := people(60)
	r := newRig(t, config{
		users:  users,
		tenant: tenant.Options{Deny: []tenant.Denial{{Operation: "phoneMethods"}}},
		worker: worker.Options{Concurrency: 60, FirstPause: 10 * time.Millisecond},
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: tenant.UserID(upn(name)), Phones: mobile(number(i))})
	}
	ids := r.publish(commands[:before]...)
	s := r.start()
	r.log.await(t, "tenant paused")
	ids = append(ids, r.publish(commands[before:]...)...)
	r.log.await(t, `"next_try_in":"640ms"`)
	if got, refused := len(r.front.requests()), r.log.count("tenant paused"); got > before+refused {
		t.Errorf("%d requests; want at most %d from before the pause and one per probe, %d", got, before, refused)
	}
	r.tenant.Lift()
	s.wait()
	r.wantResults(messages.Applied, ids...)
}

// One user to whom the application has no access is refused alone, once it is
// seen that others fare better.
func TestARefusalOfOneUserIsNotTheTenants(t *testing.T) {
	t.Parallel()
	users, names := people(30)
	r := newRig(t, config{users: users, worker: worker.Options{Concurrency: 4, FirstPause: 10 * time.Millisecond}})
	admin := tenant.UserID(upn(names[0]))
	r.front.use(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, admin+"/authentication/phoneMethods") && refuse(w, 403, "accessDenied")
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()
	if got := r.outcome(ids[0]); got.Result != messages.Refused || got.Reason != worker.ReasonAccessDenied {
		t.Errorf("the user without access: %+v", got)
	}
	r.wantResults(messages.Applied, ids[1:]...)
	if letters := r.deadLetters(); len(letters) != 1 || letters[ids[0]].Reason != worker.ReasonAccessDenied {
		t.Errorf("dead letters %+v, want the one", letters)
	}
}
