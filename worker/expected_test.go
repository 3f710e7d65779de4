package worker

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Whatever a plan does, its last state is what a verification expects, and the
// state before lacks some of it, for every plan that is not empty.
func TestWhatIsExpectedIsWhereThePlanLeads(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	numbers := []string{"", "+1 2065550101", "+1 2065550102"}
	methods := []messages.DefaultMethod{"", messages.DefaultPush, messages.DefaultSMS, messages.DefaultVoiceOffice}
	states := []messages.MFAState{messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced}
	verified := 0
	for range 20_000 {
		is := State{MFAState: states[random.IntN(3)], Default: methods[random.IntN(4)], Phones: map[messages.PhoneType]Phone{}}
		wanted := Wanted{Phones: map[messages.PhoneType]phone.Number{}}
		for _, kind := range messages.PhoneTypes {
			if n := numbers[random.IntN(3)]; n != "" {
				is.Phones[kind] = Phone{Number: n, SMSSignIn: []SMSState{SMSReady, SMSNotEnabled}[random.IntN(2)]}
			}
			if random.IntN(2) == 0 {
				wanted.Phones[kind] = phone.Number(numbers[random.IntN(3)])
			}
		}
		if random.IntN(2) == 0 {
			is.Authenticator = []string{"a"}
			wanted.RemoveAuthenticator = [][]string{nil, {"a"}}[random.IntN(2)]
		}
		if random.IntN(2) == 0 {
			wanted.DefaultMethod = methods[random.IntN(4)]
		}
		if random.IntN(2) == 0 {
			wanted.SMSSignIn = new(random.IntN(2) == 0)
		}
		if random.IntN(2) == 0 {
			wanted.MFAState = states[random.IntN(3)]
		}
		plan, err := MakePlan(is, wanted)
		if err != nil || plan.Recheck {
			continue
		}
		will := is.clone()
		for _, s := range plan.Steps {
			will = will.After(s)
		}
		lacking := 0
		expected := expectedOf(plan.Steps, wanted)
		for _, s := range expected {
			if !will.Holds(s) {
				t.Fatalf("plan %v leads from %+v to %+v, where %v does not hold", plan.Steps, is, will, s)
			}
			if !is.Holds(s) {
				lacking++
			}
		}
		if len(plan.Steps) > 0 && lacking == 0 {
			t.Fatalf("plan %v has nothing to verify in %+v: expected %v", plan.Steps, is, expected)
		}
		verified += len(expected)
	}
	if verified < 1000 {
		t.Errorf("only %d steps were looked at", verified)
	}
}
