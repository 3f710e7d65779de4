package worker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

// Plans alone, held against the model: from whatever a user has, each leads where
// the model says, by the least number of writes that Graph's rules allow, safely
// after each of them, and nothing is left to do then.
func TestAPlanIsTheShortestWay(t *testing.T) {
	t.Parallel()
	campaign(t, 1, func(t *testing.T, seed uint64) {
		i := &invention{Rand: rand.New(rand.NewPCG(seed, 8)), now: time.Now()}
		refused, late, applied := 0, 0, 0
		for n := range 4000 {
			i.numbers = 0
			u := i.user("person")
			c := i.command(u.ID, u)
			m := expect(u, c, i.now)
			if fault := (&walker{model: m, now: i.now, user: u}).walk(); fault != "" {
				t.Fatalf("case %d: %s\n%+v asked\n%+v\nwant refused %v, late %v, %d writes to %+v", n, fault, u, c, m.refused, m.late, m.writes, m.after)
			}
			switch {
			case m.late:
				late++
			case m.refused:
				refused++
			case m.writes > 1:
				applied++
			}
		}
		if refused < 200 || late < 40 || applied < 800 {
			t.Errorf("%d refused at once, %d late, %d applied by more than one write: too few of a kind", refused, late, applied)
		}
	})
}

// walker carries plans out on a world.
type walker struct {
	model model
	user  tenant.User
	now   time.Time
	world world
	steps int
}

// walk says what is wrong with the way, "" for nothing.
func (w *walker) walk() string {
	w.world = w.model.before
	refusal, fault := w.change(wantedOf(w.model.command))
	switch {
	case fault != "":
		return fault
	case w.model.late && refusal == "":
		return "it is done, though Graph can't allow it"
	case w.model.late:
		return ""
	case w.model.refused && refusal == "":
		return "it is done, though it can't be"
	case w.model.refused && w.steps > 0:
		return "it is refused after a write: " + refusal
	case w.model.refused:
		return ""
	case refusal != "":
		return "it is refused: " + refusal
	case w.steps != w.model.writes:
		return fmt.Sprintf("it takes %d writes", w.steps)
	case !w.model.arrived(w.world):
		return fmt.Sprintf("it leads to %+v", w.world)
	}
	w.steps = 0
	if refusal, fault = w.change(wantedOf(w.model.command)); refusal+fault != "" || w.steps > 0 {
		return fmt.Sprintf("once more it makes %d writes, and is refused: %s%s", w.steps, refusal, fault)
	}
	return ""
}

// change plans and carries out until nothing has to be looked at again, as the
// worker does. It returns why that is refused.
func (w *walker) change(wanted worker.Wanted) (refusal, fault string) {
	for range 3 {
		plan, err := worker.MakePlan(w.state(wanted), wanted, w.now)
		if err != nil {
			return err.Error(), ""
		}
		for _, step := range plan.Steps {
			next, allowed := w.world.after(w.model.nature, w.write(step))
			if !allowed {
				return "Graph refuses to " + step.String(), ""
			}
			if next == w.world {
				return "", step.String() + " changes nothing"
			}
			if wrong := w.model.wrong(next); wrong != "" {
				return "", step.String() + ": " + wrong
			}
			w.world = next
			w.steps++
			wanted.Expect = nil
		}
		if !plan.Recheck {
			return "", ""
		}
	}
	return "", "it never ends"
}

// state is what the worker reads of the world.
func (w *walker) state(wanted worker.Wanted) worker.State {
	u := w.world.user(w.user)
	s := worker.State{
		Phones: make(phones), MFAState: messages.MFAState(u.PerUserMFAState),
		Default: messages.DefaultMethod(u.DefaultMethod), SystemPreferred: u.SystemPreferred,
	}
	for i, t := range messages.PhoneTypes {
		if number := w.world.phones[i]; number != "" {
			s.Phones[t] = worker.Phone{Number: number, SMSSignIn: worker.SMSNotSupported}
		}
	}
	if mobile, ok := s.Phones[messages.Mobile]; ok {
		mobile.SMSSignIn = w.signIn()
		s.Phones[messages.Mobile] = mobile
	}
	for _, a := range u.Authenticator {
		s.Authenticator = append(s.Authenticator, worker.Registration{ID: a.ID, Name: a.DisplayName, Created: a.CreatedDateTime})
	}
	if wanted.ReadsMethods(s) {
		for _, kind := range u.OtherMethods {
			s.Other = append(s.Other, graphclient.MethodType(kind))
		}
	}
	return s
}

// signIn is the state of SMS sign-in that Graph shows.
func (w *walker) signIn() worker.SMSState {
	number := w.world.phones[0]
	switch {
	case w.world.sms:
		return worker.SMSReady
	case !w.model.nature.smsAllowed:
		return worker.SMSNotAllowedByPolicy
	case number != w.model.before.phones[0] && slices.Contains(takenNumbers[:], number):
		return worker.SMSNotUnique
	}
	return worker.SMSNotConfigured
}

func (w *walker) write(s worker.Step) write {
	place := slices.Index(messages.PhoneTypes[:], s.Phone) + 1
	switch s.Kind {
	case worker.AddPhone, worker.ChangePhone:
		return write{phone: place, number: string(s.Number)}
	case worker.DeletePhone:
		return write{phone: place}
	case worker.SetDefault:
		return write{method: string(s.Default)}
	case worker.DeleteAuthenticator:
		return write{app: 1 << slices.Index(w.model.apps, s.MethodID)}
	case worker.EnableSMS, worker.DisableSMS:
		return write{sms: new(s.Kind == worker.EnableSMS)}
	}
	return write{mfa: string(s.MFAState)}
}

// wantedOf is the command as the worker decodes it.
func wantedOf(c messages.Command) worker.Wanted {
	w := worker.Wanted{
		PhoneMode: c.PhoneMode, SMSSignIn: c.SMSSignIn, MFAState: c.PerUserMFAState,
		DefaultMethod: c.DefaultMethod, DefaultMethodMode: c.DefaultMethodMode,
		Authenticator: c.Authenticator, ProtectLastMethod: c.ProtectLastMethod, Expect: c.Expect,
	}
	for t, n := range c.Phones {
		if w.Phones == nil {
			w.Phones = make(numbers)
		}
		w.Phones[t] = phone.Number(n)
	}
	return w
}
