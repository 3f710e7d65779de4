package worker_test

import (
	"testing"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
)

// What is asked for comes true, and asking again costs no write.
func TestACommandIsAppliedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{
		{UserPrincipalName: upn("ada")},
		{UserPrincipalName: upn("grace"), Phones: tenant.Phones{Mobile: number(2), Office: number(3)}, PerUserMFAState: "enforced"},
	}})
	ada := messages.Command{
		User:            upn("Ada"),
		Phones:          messages.Phones{messages.Mobile: "+1 (201) 555-0110", messages.AlternateMobile: number(11)},
		PerUserMFAState: messages.MFAEnforced,
		DefaultMethod:   messages.DefaultSMS,
		Run:             "run-1", Row: 2,
	}
	grace := messages.Command{
		User:            tenant.UserID(upn("grace")),
		Phones:          messages.Phones{messages.Mobile: "+1-201-555-0102", messages.Office: number(3)},
		PerUserMFAState: messages.MFAEnabled,
	}
	ids := r.publish(ada, grace)
	r.work()

	if got := r.outcome(ids[0]); got.Result != messages.Applied || got.Writes != 4 || got.UserID != tenant.UserID(upn("ada")) ||
		got.Run != "run-1" || got.Row != 2 || got.Tenant != domain || got.TraceID == "" {
		t.Errorf("outcome %+v", got)
	}
	if got := r.outcome(ids[1]); got.Result != messages.Unchanged || got.Writes != 0 {
		t.Errorf("outcome %+v, want unchanged", got)
	}
	if u := r.user("ada"); u.Phones != (tenant.Phones{Mobile: number(10), AlternateMobile: number(11)}) ||
		u.PerUserMFAState != "enforced" || u.DefaultMethod != "sms" {
		t.Errorf("the directory holds %+v", u)
	}
	writes := r.tenant.Stats().Writes
	if writes != 4 {
		t.Errorf("%d writes, want 4", writes)
	}

	again := r.publish(ada, grace)
	r.work()
	r.wantResults(messages.Unchanged, again...)
	if got := r.tenant.Stats().Writes; got != writes {
		t.Errorf("the second run made %d writes", got-writes)
	}
	r.wantDeliveries(1, append(ids, again...)...)
	r.wantQueue(broker.Counts{})
}
