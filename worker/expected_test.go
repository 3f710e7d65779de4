package worker

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Whatever steps are taken, what a verification expects of them is true where
// they lead, and it expects the last step at least.
func TestWhatIsExpectedIsWhereTheStepsLead(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	any := func(of ...string) string { return of[random.IntN(len(of))] }
	for range 20_000 {
		var steps []Step
		state := State{}
		for range 1 + random.IntN(6) {
			s := Step{Kind: StepKind(any(string(AddPhone), string(ChangePhone), string(DeletePhone), string(SetDefault), string(DeleteAuthenticator), string(EnableSMS), string(DisableSMS), string(SetMFAState)))}
			switch s.Kind {
			case AddPhone, ChangePhone:
				s.Phone, s.Number = messages.PhoneTypes[random.IntN(3)], phone.Number(any("+1 2065550101", "+1 2065550102"))
			case DeletePhone:
				s.Phone = messages.PhoneTypes[random.IntN(3)]
				s.Default = lastBehind(state, s)
			case SetDefault:
				if s.Default = messages.DefaultMethod(any("push", "sms")); !state.has(s.Default) {
					continue
				}
			case DeleteAuthenticator:
				s.MethodID = any("a", "b")
				s.Default = lastBehind(state, s)
			case EnableSMS, DisableSMS:
				if _, exists := state.Phones[messages.Mobile]; !exists {
					continue
				}
			case SetMFAState:
				s.MFAState = messages.MFAState(any("disabled", "enabled", "enforced"))
			}
			steps, state = append(steps, s), state.After(s)
		}
		expected := expectedOf(steps, Wanted{})
		for _, s := range expected {
			if !state.Holds(s) {
				t.Fatalf("%v lead to %+v, where %v does not hold", steps, state, s)
			}
		}
		if len(steps) > 0 && !slices.Contains(expected, steps[len(steps)-1]) {
			t.Fatalf("of %v only %v is expected", steps, expected)
		}
	}
}

// lastBehind is the default method that a removal takes along, as the planner
// notes it.
func lastBehind(s State, removal Step) messages.DefaultMethod {
	if s.has(s.Default) && !s.After(removal).has(s.Default) {
		return s.Default
	}
	return ""
}

// A new mobile number may change SMS sign-in by itself, so what was wanted of that
// is expected too, whether a step was needed for it or not.
func TestSMSSignInOfANewMobileIsExpected(t *testing.T) {
	t.Parallel()
	add := Step{Kind: AddPhone, Phone: messages.Mobile, Number: "+1 2065550101"}
	on, off := Step{Kind: EnableSMS}, Step{Kind: DisableSMS}
	for _, test := range []struct {
		taken  []Step
		wanted *bool
		want   []Step
	}{
		{[]Step{add}, nil, []Step{add}},
		{[]Step{add}, new(true), []Step{add, on}},
		{[]Step{add}, new(false), []Step{add, off}},
		{[]Step{add, off}, new(false), []Step{add, off}},
		{[]Step{{Kind: AddPhone, Phone: messages.Office, Number: "+1 2065550101"}}, new(true), []Step{{Kind: AddPhone, Phone: messages.Office, Number: "+1 2065550101"}}},
		{[]Step{on}, new(true), []Step{on}},
		{nil, new(true), nil},
	} {
		if got := expectedOf(test.taken, Wanted{SMSSignIn: test.wanted}); !slices.Equal(got, test.want) {
			t.Errorf("of %v: %v, want %v", test.taken, got, test.want)
		}
	}
}
