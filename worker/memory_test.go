package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestAStaleReadIsOverlaid(t *testing.T) {
	m := newMemory(30 * time.Second)
	m.note("u", Step{Kind: AddPhone, Phone: messages.Mobile, Number: "+1 2065550101"}, noon)
	before := State{Phones: map[messages.PhoneType]Phone{}}

	got, stale := m.overlay("u", before, noon.Add(time.Second))
	want := State{Phones: map[messages.PhoneType]Phone{messages.Mobile: {Number: "+1 2065550101"}}}
	if diff := cmp.Diff(want, got); diff != "" || !stale {
		t.Errorf("stale %v; (-want +got):\n%s", stale, diff)
	}

	after := State{Phones: map[messages.PhoneType]Phone{messages.Mobile: {Number: "+1 2065550101", SMSSignIn: SMSReady}}}
	if got, stale := m.overlay("u", after, noon.Add(time.Second)); stale || !cmp.Equal(got, after) {
		t.Errorf("a read that shows the write was changed: stale %v, %+v", stale, got)
	}
	if got, stale := m.overlay("u", before, noon.Add(time.Minute)); stale || !cmp.Equal(got, before) {
		t.Errorf("after the consistency time the read does not win: stale %v, %+v", stale, got)
	}
	if got, stale := m.overlay("v", before, noon); stale || !cmp.Equal(got, before) {
		t.Error("another user's read was changed")
	}
}

// A default method goes with the last method behind it, which the preferences that
// are read may not show yet.
func TestADefaultThatWentIsOverlaid(t *testing.T) {
	m := newMemory(30 * time.Second)
	m.note("u", Step{Kind: DeleteAuthenticator, MethodID: "a", Default: messages.DefaultPush}, noon)
	if got, stale := m.overlay("u", State{Default: messages.DefaultPush}, noon.Add(time.Second)); !stale || got.Default != "" {
		t.Errorf("stale %v, default %q; want none", stale, got.Default)
	}
	if got, stale := m.overlay("u", State{Default: messages.DefaultSMS}, noon.Add(time.Second)); stale || got.Default != messages.DefaultSMS {
		t.Errorf("stale %v, default %q; want the one that was set since", stale, got.Default)
	}
}

func TestALateCommandDoesNotUndoANewerOne(t *testing.T) {
	m := newMemory(30 * time.Second)
	newer := Wanted{Phones: map[messages.PhoneType]phone.Number{messages.Mobile: "+1 2065550102"}, MFAState: messages.MFAEnforced}
	older := Wanted{
		Phones:        map[messages.PhoneType]phone.Number{messages.Mobile: "+1 2065550101", messages.Office: "+1 2065550103"},
		MFAState:      messages.MFADisabled,
		DefaultMethod: messages.DefaultSMS,
	}
	m.done("u", newer, 9, noon)
	got, left := m.newer("u", older, 5)
	want := Wanted{Phones: map[messages.PhoneType]phone.Number{messages.Office: "+1 2065550103"}, DefaultMethod: messages.DefaultSMS}
	if diff := cmp.Diff(want, got); diff != "" || !left {
		t.Errorf("left out %v; (-want +got):\n%s", left, diff)
	}
	if got, left := m.newer("u", older, 10); left || !cmp.Equal(got, older) {
		t.Error("a newer command lost a part")
	}
	if len(older.Phones) != 2 {
		t.Error("the command itself was changed")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(30 * time.Second)
	m.limit = 100
	for i := range 10_000 {
		m.note(fmt.Sprint(i), Step{Kind: EnableSMS}, noon.Add(time.Duration(i)*time.Millisecond))
		m.note("again", Step{Kind: EnableSMS}, noon.Add(time.Duration(i)*time.Millisecond))
	}
	if len(m.users) > 102 || len(m.queue) > 250 {
		t.Errorf("%d users and %d entries remembered, limit 100", len(m.users), len(m.queue))
	}
	if m.users["again"] == nil {
		t.Error("a user seen all the time was forgotten")
	}
	m.note("late", Step{Kind: EnableSMS}, noon.Add(time.Hour))
	if len(m.users) != 1 {
		t.Errorf("%d users remembered after an hour, want one", len(m.users))
	}
}
