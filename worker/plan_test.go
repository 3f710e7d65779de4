package worker_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

const (
	one   = "+1 2065550101"
	two   = "+1 2065550102"
	three = "+1 2065550103"
)

type phones = map[messages.PhoneType]worker.Phone

func state(edit func(*worker.State)) worker.State {
	s := worker.State{Phones: make(phones)}
	if edit != nil {
		edit(&s)
	}
	return s
}

func has(t messages.PhoneType, number string) func(*worker.State) {
	return func(s *worker.State) {
		s.Phones[t] = worker.Phone{Number: number, SMSSignIn: worker.SMSNotEnabled}
	}
}

func all(edits ...func(*worker.State)) worker.State {
	return state(func(s *worker.State) {
		for _, edit := range edits {
			edit(s)
		}
	})
}

func defaults(m messages.DefaultMethod) func(*worker.State) {
	return func(s *worker.State) { s.Default = m }
}

func authenticators(ids ...string) func(*worker.State) {
	return func(s *worker.State) { s.Authenticator = ids }
}

func sms(to worker.SMSState) func(*worker.State) {
	return func(s *worker.State) { s.Phones[messages.Mobile] = worker.Phone{Number: one, SMSSignIn: to} }
}

type numbers = map[messages.PhoneType]phone.Number

func TestMakePlan(t *testing.T) {
	yes, no := true, false
	add := func(p messages.PhoneType, n phone.Number) worker.Step {
		return worker.Step{Kind: worker.AddPhone, Phone: p, Number: n}
	}
	change := func(p messages.PhoneType, n phone.Number) worker.Step {
		return worker.Step{Kind: worker.ChangePhone, Phone: p, Number: n}
	}
	remove := func(p messages.PhoneType) worker.Step { return worker.Step{Kind: worker.DeletePhone, Phone: p} }
	setDefault := func(m messages.DefaultMethod) worker.Step {
		return worker.Step{Kind: worker.SetDefault, Default: m}
	}
	for _, test := range []struct {
		name    string
		is      worker.State
		wanted  worker.Wanted
		steps   []worker.Step
		recheck bool
		reason  string
	}{
		{name: "a new mobile is added", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}, steps: []worker.Step{add(messages.Mobile, one)}},
		{name: "the same mobile is left alone", is: all(has(messages.Mobile, one)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}},
		{name: "formatting does not make a difference", is: all(has(messages.Mobile, "+12065550101")), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}},
		{name: "another mobile is changed in place", is: all(has(messages.Mobile, one)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}}, steps: []worker.Step{change(messages.Mobile, two)}},
		{name: "an extension makes a difference", is: all(has(messages.Office, one)), wanted: worker.Wanted{Phones: numbers{messages.Office: one + "x12"}}, steps: []worker.Step{change(messages.Office, one+"x12")}},
		{
			name: "mobile before alternate before office", is: state(nil),
			wanted: worker.Wanted{Phones: numbers{messages.Office: three, messages.AlternateMobile: two, messages.Mobile: one}},
			steps:  []worker.Step{add(messages.Mobile, one), add(messages.AlternateMobile, two), add(messages.Office, three)},
		},
		{name: "an alternate alone needs a mobile", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.AlternateMobile: two}}, reason: worker.ReasonAlternateNeedsMobile},
		{
			name: "an alternate needs a mobile that stays", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove, messages.AlternateMobile: two}}, reason: worker.ReasonAlternateNeedsMobile,
		},
		{
			name: "alternate removed before mobile", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two), has(messages.Office, three)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove, messages.AlternateMobile: messages.Remove, messages.Office: messages.Remove}},
			steps:  []worker.Step{remove(messages.AlternateMobile), remove(messages.Office), remove(messages.Mobile)},
		},
		{
			name: "a mobile stays while there is an alternate", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}}, reason: worker.ReasonMobileNeededByAlternate,
		},
		{
			name: "the alternate becomes the mobile", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two, messages.AlternateMobile: messages.Remove}},
			steps:  []worker.Step{change(messages.Mobile, two), remove(messages.AlternateMobile)},
		},
		{name: "what is not there needs no removal", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Office: messages.Remove}}},
		{
			name: "the default is set after its phone is added", is: all(defaults(messages.DefaultPush), authenticators("a")),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}, DefaultMethod: messages.DefaultSMS},
			steps:  []worker.Step{add(messages.Mobile, one), setDefault(messages.DefaultSMS)},
		},
		{
			name: "a stronger default is left alone", is: all(defaults(messages.DefaultPush), authenticators("a")),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}, steps: []worker.Step{add(messages.Mobile, one)},
		},
		{
			name: "a default needs its method", is: state(nil),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultVoiceOffice}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "push needs an authenticator", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultPush}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "a default that the same command removes", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, DefaultMethod: messages.DefaultSMS}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "another default before the default's phone goes", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}},
			steps:  []worker.Step{setDefault(messages.DefaultVoiceOffice), remove(messages.Mobile)},
		},
		{
			name: "the authenticator is the first choice", is: all(has(messages.Mobile, one), has(messages.Office, two), authenticators("a"), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}},
			steps:  []worker.Step{setDefault(messages.DefaultPush), remove(messages.Mobile)},
		},
		{
			name: "the last method may go with its default", is: all(has(messages.Mobile, one), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}}, steps: []worker.Step{remove(messages.Mobile)},
		},
		{
			name: "a phone does not take over from the authenticator unasked", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{RemoveAuthenticator: []string{"a"}}, reason: worker.ReasonDefaultMethodProtected,
		},
		{
			name: "a phone takes over from the authenticator when told to", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{RemoveAuthenticator: []string{"a"}, DefaultMethod: messages.DefaultSMS},
			steps:  []worker.Step{setDefault(messages.DefaultSMS), {Kind: worker.DeleteAuthenticator, MethodID: "a"}},
		},
		{
			name: "one of two authenticators leaves the default alone", is: all(authenticators("a", "b"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{RemoveAuthenticator: []string{"a", "gone"}}, steps: []worker.Step{{Kind: worker.DeleteAuthenticator, MethodID: "a"}},
		},
		{name: "sms sign-in on", is: all(sms(worker.SMSNotEnabled)), wanted: worker.Wanted{SMSSignIn: &yes}, steps: []worker.Step{{Kind: worker.EnableSMS}}},
		{name: "sms sign-in is on", is: all(sms(worker.SMSReady)), wanted: worker.Wanted{SMSSignIn: &yes}},
		{name: "sms sign-in off", is: all(sms(worker.SMSReady)), wanted: worker.Wanted{SMSSignIn: &no}, steps: []worker.Step{{Kind: worker.DisableSMS}}},
		{name: "sms sign-in is off", is: all(sms(worker.SMSNotAllowedByPolicy)), wanted: worker.Wanted{SMSSignIn: &no}},
		{name: "sms sign-in not allowed", is: all(sms(worker.SMSNotAllowedByPolicy)), wanted: worker.Wanted{SMSSignIn: &yes}, reason: worker.ReasonSMSSignInNotAllowed},
		{name: "sms sign-in not unique", is: all(sms(worker.SMSNotUnique)), wanted: worker.Wanted{SMSSignIn: &yes}, reason: worker.ReasonSMSSignInNotUnique},
		{name: "sms sign-in without a mobile", is: state(nil), wanted: worker.Wanted{SMSSignIn: &yes}, reason: worker.ReasonSMSSignInNeedsMobile},
		{name: "no sms sign-in without a mobile", is: state(nil), wanted: worker.Wanted{SMSSignIn: &no}},
		{
			name: "sms sign-in of a new number is looked at again", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}, SMSSignIn: &no},
			steps: []worker.Step{add(messages.Mobile, one)}, recheck: true,
		},
		{name: "enforced is as good as enabled", is: state(func(s *worker.State) { s.MFAState = messages.MFAEnforced }), wanted: worker.Wanted{MFAState: messages.MFAEnabled}},
		{
			name: "enabled is not enforced", is: state(func(s *worker.State) { s.MFAState = messages.MFAEnabled }), wanted: worker.Wanted{MFAState: messages.MFAEnforced},
			steps: []worker.Step{{Kind: worker.SetMFAState, MFAState: messages.MFAEnforced}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := worker.MakePlan(test.is, test.wanted)
			var refusal *worker.Refusal
			if errors.As(err, &refusal); (refusal == nil) != (test.reason == "") || refusal != nil && refusal.Reason != test.reason {
				t.Fatalf("got refusal %v, want %q", err, test.reason)
			}
			if diff := cmp.Diff(test.steps, plan.Steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got, want := plan.Recheck, test.recheck; got != want {
				t.Errorf("recheck %v, want %v", got, want)
			}
		})
	}
}

// From any state, a plan either is refused, or leads in the fewest steps to a
// state in which nothing is left to do; and on the way no phone goes that was
// not to go, and no default rests on a method that is gone.
func TestAPlanArrivesAndIsSafe(t *testing.T) {
	const rounds = 200_000
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range rounds / 4 {
			is, wanted := randomState(r), randomWanted(r)
			plan, err := worker.MakePlan(is, wanted)
			if err != nil {
				continue
			}
			walk(t, is, wanted, plan)
			if t.Failed() {
				t.Fatalf("seed %d: from %+v wanted %+v plan %v", seed, is, wanted, plan.Steps)
			}
		}
	}
}

func walk(t *testing.T, s worker.State, wanted worker.Wanted, plan worker.Plan) {
	t.Helper()
	first := s
	seen := make(map[string]bool)
	for _, step := range plan.Steps {
		if s.Holds(step) {
			t.Errorf("%v changes nothing", step)
		}
		if seen[string(step.Kind)+string(step.Phone)+step.MethodID] {
			t.Errorf("%v stands in the plan twice", step)
		}
		seen[string(step.Kind)+string(step.Phone)+step.MethodID] = true
		s = s.After(step)
		if _, mobile := s.Phones[messages.Mobile]; !mobile {
			if _, alternate := s.Phones[messages.AlternateMobile]; alternate {
				t.Errorf("%v leaves an alternate mobile without a mobile", step)
			}
		}
		for p := range first.Phones {
			if _, still := s.Phones[p]; !still {
				if number, named := wanted.Phones[p]; !named || number != messages.Remove {
					t.Errorf("%v takes the %s away, which nobody asked for", step, p)
				}
			}
		}
		if strong(first.Default) && !strong(s.Default) && wanted.DefaultMethod == "" {
			t.Errorf("%v makes the default weaker, which nobody asked for", step)
		}
	}
	if plan.Recheck {
		mobile := s.Phones[messages.Mobile]
		mobile.SMSSignIn = worker.SMSNotEnabled
		s.Phones[messages.Mobile] = mobile
		if wanted.SMSSignIn != nil && *wanted.SMSSignIn {
			s = s.After(worker.Step{Kind: worker.EnableSMS})
		}
	}
	again, err := worker.MakePlan(s, wanted)
	if err != nil {
		t.Errorf("where it leads is refused: %v", err)
	}
	if len(again.Steps) > 0 {
		t.Errorf("where it leads there is more to do: %v", again.Steps)
	}
}

func strong(m messages.DefaultMethod) bool {
	return m == messages.DefaultPush || m == messages.DefaultOath
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomState(r *rand.Rand) worker.State {
	s := worker.State{Phones: make(phones), MFAState: pick(r, messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced)}
	states := []worker.SMSState{worker.SMSReady, worker.SMSNotEnabled, worker.SMSNotConfigured, worker.SMSNotAllowedByPolicy, worker.SMSNotUnique}
	for _, t := range messages.PhoneTypes {
		_, mobile := s.Phones[messages.Mobile]
		if r.IntN(2) == 0 && (t != messages.AlternateMobile || mobile) {
			s.Phones[t] = worker.Phone{Number: pick(r, one, two, three), SMSSignIn: pick(r, states...)}
		}
	}
	for _, id := range []string{"a", "b"} {
		if r.IntN(3) == 0 {
			s.Authenticator = append(s.Authenticator, id)
		}
	}
	s.Default = pick(r, "", messages.DefaultOath)
	if len(s.Authenticator) > 0 {
		s.Default = pick(r, s.Default, messages.DefaultPush)
	}
	for t := range s.Phones {
		by := map[messages.PhoneType]messages.DefaultMethod{messages.Mobile: messages.DefaultSMS, messages.AlternateMobile: messages.DefaultVoiceAlternateMobile, messages.Office: messages.DefaultVoiceOffice}
		s.Default = pick(r, s.Default, by[t])
	}
	return s
}

func randomWanted(r *rand.Rand) worker.Wanted {
	w := worker.Wanted{
		MFAState: pick(r, "", messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced),
		DefaultMethod: pick(r, "", "", "", messages.DefaultPush, messages.DefaultOath, messages.DefaultSMS,
			messages.DefaultVoiceMobile, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice),
		SMSSignIn: pick(r, nil, nil, new(true), new(false)),
	}
	for _, t := range messages.PhoneTypes {
		if r.IntN(2) == 0 {
			if w.Phones == nil {
				w.Phones = make(numbers)
			}
			w.Phones[t] = pick(r, phone.Number(messages.Remove), one, two, three)
		}
	}
	for _, id := range []string{"a", "b"} {
		if r.IntN(4) == 0 {
			w.RemoveAuthenticator = append(w.RemoveAuthenticator, id)
		}
	}
	return w
}
