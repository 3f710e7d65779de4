package ledger_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/ledger"
)

func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func TestRecordsOfAUserAreTakenTogether(t *testing.T) {
	on, off, sms, none, enabled, enforced := true, false, "sms", "", "enabled", "enforced"
	var c ledger.Changes
	for _, r := range []ledger.Record{
		{UserID: "A", Row: 2, Before: ledger.Values{Phones: map[string]string{"mobile": "1"}, SMSSignIn: &on}, After: ledger.Values{Phones: map[string]string{"mobile": "2"}, SMSSignIn: &off}},
		{UserID: "b", Row: 3, Before: ledger.Values{PerUserMFAState: &enabled}, After: ledger.Values{PerUserMFAState: &enforced}},
		{UserID: "a", Row: 4, Before: ledger.Values{Phones: map[string]string{"mobile": "2"}, SMSSignIn: &off, DefaultMethod: &none}, After: ledger.Values{Phones: map[string]string{"mobile": "3"}, DefaultMethod: &sms}, Removed: []string{"x"}},
		{UserID: "a", Row: 5, Before: ledger.Values{Phones: map[string]string{"office": ""}}, After: ledger.Values{Phones: map[string]string{"office": "4"}}},
	} {
		c.Add(r)
	}
	want := []ledger.Change{
		{
			UserID: "A", Row: 2, Removed: []string{"x"},
			Before: ledger.Values{Phones: map[string]string{"mobile": "1", "office": ""}, SMSSignIn: &on, DefaultMethod: &none},
			// The last write of the mobile may have changed SMS sign-in by itself.
			After: ledger.Values{Phones: map[string]string{"mobile": "3", "office": "4"}, DefaultMethod: &sms},
		},
		{UserID: "b", Row: 3, Before: ledger.Values{PerUserMFAState: &enabled}, After: ledger.Values{PerUserMFAState: &enforced}},
	}
	if diff := cmp.Diff(want, slices.Collect(c.All())); diff != "" || c.Len() != 2 {
		t.Errorf("%d users: %s", c.Len(), diff)
	}
}
