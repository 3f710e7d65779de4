package worker_test

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

// From any state, a plan either is refused, or leads to a state in which nothing
// is left to do; and on the way no phone goes that was not to go, no number that
// the user keeps is missing, and no default becomes weaker unasked.
func TestAPlanArrivesAndIsSafe(t *testing.T) {
	const rounds = 200_000
	arrived := 0
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range rounds / 4 {
			is, wanted := randomState(r), randomWanted(r)
			plan, err := worker.MakePlan(is, wanted, noon)
			if err != nil {
				continue
			}
			arrived++
			walk(t, is, wanted, plan)
			if t.Failed() {
				t.Fatalf("seed %d: from %+v wanted %+v plan %v", seed, is, wanted, plan.Steps)
			}
		}
	}
	if arrived < rounds/4 {
		t.Errorf("only %d of %d plans were made", arrived, rounds)
	}
}

func walk(t *testing.T, s worker.State, wanted worker.Wanted, plan worker.Plan) {
	t.Helper()
	first, last := s, s
	for _, step := range plan.Steps {
		last = last.After(step)
	}
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
		for p, phone := range first.Phones {
			if _, still := s.Phones[p]; !still && !mayGo(wanted, p, phone.Number) {
				t.Errorf("%v takes the %s away, which nobody asked for", step, p)
			}
			if !holdsNumber(s, phone.Number) && holdsNumber(last, phone.Number) && !exchanges(first, wanted) {
				t.Errorf("%v takes a number away that the user keeps", step)
			}
		}
		if strong(first.Default) && s.Default != "" && !strong(s.Default) && wanted.DefaultMethodMode != force {
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
	again, err := worker.MakePlan(s, wanted, noon)
	if err != nil {
		t.Errorf("where it leads is refused: %v", err)
	}
	if len(again.Steps) > 0 {
		t.Errorf("where it leads there is more to do: %v", again.Steps)
	}
}

// mayGo tells whether the command lets the phone of the type go.
func mayGo(wanted worker.Wanted, t messages.PhoneType, number string) bool {
	asked, named := wanted.Phones[t]
	return named && (asked == messages.Remove || wanted.PhoneMode == removeMode && string(asked) == number)
}

func holdsNumber(s worker.State, number string) bool {
	for _, p := range s.Phones {
		if p.Number == number {
			return true
		}
	}
	return false
}

// exchanges tells whether numbers are to go round in a circle, which can't be done
// without one of them missing for a moment.
func exchanges(s worker.State, wanted worker.Wanted) bool {
	heir := func(t messages.PhoneType) messages.PhoneType {
		for _, other := range messages.PhoneTypes {
			if other != t && string(wanted.Phones[other]) == s.Phones[t].Number && s.Phones[other].Number != s.Phones[t].Number {
				return other
			}
		}
		return ""
	}
	for _, t := range messages.PhoneTypes {
		at := t
		for range messages.PhoneTypes {
			if at = heir(at); at == t && s.Phones[t].Number != "" {
				return true
			}
		}
	}
	return false
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
			s.Authenticator = append(s.Authenticator, worker.Registration{ID: id, Name: "phone " + id, Created: noon.AddDate(0, -r.IntN(4), 0)})
		}
	}
	if r.IntN(3) == 0 {
		s.Other = append(s.Other, pick(r, graphclient.MethodSoftwareOath, graphclient.MethodFIDO2, graphclient.MethodEmail))
	}
	s.SystemPreferred = r.IntN(5) == 0
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
	w.PhoneMode = pick(r, "", messages.PhoneModeEnsure, addOnly, removeMode)
	if w.DefaultMethod != "" {
		w.DefaultMethodMode = pick(r, "", onlyIfNone, mostSecure, force)
	} else {
		w.DefaultMethodMode = pick(r, "", "", keep, mostSecure)
	}
	for _, id := range []string{"a", "b"} {
		if r.IntN(4) == 0 {
			w.Authenticator.Remove = append(w.Authenticator.Remove, id)
		}
	}
	if r.IntN(6) == 0 {
		w.Authenticator = pick(r, messages.Authenticator{RemoveAll: true}, messages.Authenticator{RemoveNamed: []string{"Phone A"}}, messages.Authenticator{RemoveOlderThanDays: 45})
	}
	w.ProtectLastMethod = pick(r, nil, nil, new(true), new(false))
	if r.IntN(4) == 0 {
		w.Expect = &messages.Expectation{
			Phones:          messages.Phones{pick(r, messages.PhoneTypes[:]...): pick(r, messages.Remove, one, two)},
			SMSSignIn:       pick(r, nil, nil, new(true), new(false)),
			PerUserMFAState: pick(r, "", "", messages.MFADisabled, messages.MFAEnforced),
			DefaultMethod:   pick(r, "", "", messages.DefaultNone, messages.DefaultSMS),
		}
	}
	return w
}
