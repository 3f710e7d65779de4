package worker

import (
	"errors"
	"testing"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// Of two numbers the hint says which is refused.
func TestARefusedNumberIsPlaced(t *testing.T) {
	_, err := numbers(messages.Command{Phones: messages.Phones{messages.Mobile: "+1 206 555 0100", messages.Office: "+31 900 1234"}}, phone.Policy{Strictness: phone.Possible})
	var refusal *phone.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("error %v, want a refusal", err)
	}
	const hint = "office phone: give the person's own mobile or direct number"
	if refusal.Reason != phone.ReasonPremiumRate || refusal.Hint != hint {
		t.Errorf("%s, %q; want %s, %q", refusal.Reason, refusal.Hint, phone.ReasonPremiumRate, hint)
	}
}
