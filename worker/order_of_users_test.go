package worker_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// Many commands of few users, named by id and by several spellings of their
// names, worked on by many at once: in the end each part of each user is what the
// last command that named it asked for, and no two writes of a user overlap.
func TestCommandsOfAUserTakeEffectInOrder(t *testing.T) {
	t.Parallel()
	const perUser = 60
	users, names := people(5)
	r := newRig(t, config{
		users: users,
		// Answers take long enough for writes to overlap, were they not in order.
		tenant: tenant.Options{Probabilities: &tenant.Probabilities{Slow: 1, SlowMin: time.Millisecond, SlowMax: 4 * time.Millisecond}},
		worker: worker.Options{Concurrency: 64},
	})
	random := rand.New(rand.NewPCG(3, 4))
	want := make(map[string]tenant.User)
	var commands []messages.Command
	for i := range perUser * len(names) {
		name := names[random.IntN(len(names))]
		u := want[name]
		c := messages.Command{User: spelling(random, name), Phones: mobile(number(i))}
		u.Phones.Mobile = number(i)
		switch random.IntN(3) {
		case 0:
			c.Phones[messages.Office], u.Phones.Office = number(500+i), number(500+i)
		case 1:
			c.Phones[messages.Office], u.Phones.Office = messages.Remove, ""
		}
		if state := []messages.MFAState{"", messages.MFADisabled, messages.MFAEnforced}[random.IntN(3)]; state != "" {
			c.PerUserMFAState, u.PerUserMFAState = state, string(state)
		}
		want[name] = u
		commands = append(commands, c)
	}
	ids := r.publish(commands...)
	r.work()
	for name, u := range want {
		if got := r.user(name); got.Phones != u.Phones || got.PerUserMFAState != u.PerUserMFAState {
			t.Errorf("%s has %+v, %s; want %+v, %s", name, got.Phones, got.PerUserMFAState, u.Phones, u.PerUserMFAState)
		}
	}
	for _, id := range ids {
		if got := r.outcome(id); got.Result != messages.Applied && got.Result != messages.Unchanged {
			t.Errorf("%s: %+v", id, got)
		}
	}
	r.wantDeliveries(1, ids...)
}

// spelling names a user by object id or by one of the forms of the name that
// Entra ID takes for the same.
func spelling(random *rand.Rand, name string) string {
	switch random.IntN(4) {
	case 0:
		return tenant.UserID(upn(name))
	case 1:
		return strings.ToUpper(tenant.UserID(upn(name)))
	case 2:
		return strings.ToUpper(upn(name))
	}
	return upn(name)
}

// Commands of a user named in two ways stay in order while another user's name
// takes long to look up: the one that names the user by a name that is known
// already does not overtake the one that waits for its turn.
func TestAKnownNameDoesNotOvertake(t *testing.T) {
	t.Parallel()
	users, names := people(2)
	slow, ada := upn(names[0]), upn(names[1])
	r := newRig(t, config{users: users, worker: worker.Options{Concurrency: 4}})
	r.front.use(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, "/users/"+slow) {
			<-time.After(500 * time.Millisecond) // much longer than all the rest takes
		}
		return false
	})
	ids := r.publish(
		messages.Command{User: ada, Phones: mobile(number(1))},
		messages.Command{User: slow, Phones: mobile(number(9))},
		messages.Command{User: tenant.UserID(ada), Phones: mobile(number(2))},
		messages.Command{User: ada, Phones: mobile(number(3))},
	)
	r.work()
	var order []string
	for _, o := range r.reported() {
		if o.UserID == tenant.UserID(ada) {
			order = append(order, o.CommandID)
		}
		if len(o.Warnings) > 0 {
			t.Errorf("%s has warnings %v", o.CommandID, o.Warnings)
		}
	}
	if want := []string{ids[0], ids[2], ids[3]}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

// While a user can't be looked up, the commands that name the user so keep their
// order, and those of others pass.
func TestAUserWhoIsNotFoundAtOnceIsPassed(t *testing.T) {
	t.Parallel()
	users, names := people(10)
	late := upn(names[0])
	r := newRig(t, config{users: users, graph: graphclient.Options{MaxTries: 1}, worker: worker.Options{Concurrency: 12}})
	lookUp, again := once("GET", "/users/"+late), newHold("/users/"+late)
	r.front.use(func(n int, w http.ResponseWriter, req *http.Request) bool {
		if lookUp(req) {
			return refuse(w, 500, "generalException")
		}
		return again.meddle(n, w, req)
	})
	commands := []messages.Command{
		{User: late, Phones: mobile(number(1))},
		{User: late, Phones: messages.Phones{messages.AlternateMobile: number(2)}}, // needs the mobile
	}
	for i, name := range names[1:] {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(10 + i))})
	}
	ids := r.publish(commands...)
	s := r.startAwaiting(len(names) - 1)
	again.release()
	s.wait()
	r.wantResults(messages.Applied, ids...)
	order := r.reported()
	if last := order[len(order)-2:]; last[0].CommandID != ids[0] || last[1].CommandID != ids[1] {
		t.Errorf("the last outcomes are %+v, want those of the user who was found late, in order", last)
	}
}

// A command of a user is not held up by one of another user that can't go on.
func TestUsersDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	users, names := people(20)
	r := newRig(t, config{users: users, worker: worker.Options{Concurrency: 4}})
	stuck := newHold(tenant.UserID(upn(names[0])) + "/authentication/phoneMethods")
	r.front.use(stuck.meddle)
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	s := r.startAwaiting(len(names) - 1)
	stuck.release()
	s.wait()
	r.wantResults(messages.Applied, ids...)
	if last := r.reported()[len(ids)-1].CommandID; last != ids[0] {
		t.Errorf("the last outcome is that of %s, want %s", last, fmt.Sprint(ids[0]))
	}
}

// A name that was known stands for another account by now: the user was deleted,
// and somebody else got the name.
func TestANameThatChangedHandsIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada")}}})
	lookUp := once("GET", "/users/"+upn("ada"))
	gone := tenant.UserID("gone")
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if !lookUp(req) {
			return false
		}
		fmt.Fprintf(w, `{"id":%q}`, gone)
		return true
	})
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})[0]
	r.work()
	if got := r.outcome(id); got.Result != messages.Applied || got.UserID != tenant.UserID(upn("ada")) {
		t.Errorf("outcome %+v, want applied to the account that has the name now", got)
	}
}
