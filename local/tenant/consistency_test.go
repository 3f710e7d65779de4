package tenant_test

import (
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
)

// lagging is a tenant whose reads are stale with that probability for a second.
func lagging(t *testing.T, stale float64, users ...tenant.User) (*tenant.Tenant, *clock) {
	c := newClock()
	o := calm(users...)
	o.Probabilities, o.Lag, o.Now = &tenant.Probabilities{Stale: stale}, time.Second, c.Now
	return newTenant(t, o), c
}

// mobileSeen is the mobile that a read shows, empty for none.
func mobileSeen(t *testing.T, tn *tenant.Tenant) string {
	t.Helper()
	values := call(t, tn, "GET", phonesOf(ada), "").values()
	if len(values) == 0 {
		return ""
	}
	number, _ := values[0]["phoneNumber"].(string)
	return number
}

func TestStaleReadShowsTheStateBefore(t *testing.T) {
	tn, c := lagging(t, 1, tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}})
	if got := mobileSeen(t, tn); got != n1 {
		t.Errorf("before any write: %q, want %q", got, n1)
	}
	if got := call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", n2)); got.status != 204 {
		t.Fatalf("PATCH: %d", got.status)
	}
	if got := only(t, tn).Phones.Mobile; got != n2 {
		t.Errorf("truth: %q, want %q", got, n2)
	}
	c.advance(999 * time.Millisecond)
	if got := mobileSeen(t, tn); got != n1 {
		t.Errorf("within the lag: %q, want %q", got, n1)
	}
	c.advance(time.Millisecond)
	if got := mobileSeen(t, tn); got != n2 {
		t.Errorf("after the lag: %q, want %q", got, n2)
	}
	if got := tn.Stats().Faults["stale"]; got != 1 {
		t.Errorf("%d stale reads counted, want 1", got)
	}
}

// Rules look at the truth and not at what a read shows.
func TestWritesAreNeverStale(t *testing.T) {
	tn, _ := lagging(t, 1, tenant.User{UserPrincipalName: ada})
	if got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1)); got.status != 201 {
		t.Fatalf("POST mobile: %d", got.status)
	}
	if got := mobileSeen(t, tn); got != "" {
		t.Errorf("stale read shows %q", got)
	}
	if got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1)); got.status != 400 {
		t.Errorf("POST again: %d, want 400", got.status)
	}
	if got := call(t, tn, "POST", phonesOf(ada), phoneJSON("alternateMobile", n2)); got.status != 201 {
		t.Errorf("POST alternate: %d, want 201", got.status)
	}
}

// A stale read shows something that was true within the lag, nothing older.
func TestStaleReadIsNoOlderThanTheLag(t *testing.T) {
	tn, c := lagging(t, 1, tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}})
	patch := func(number string) {
		if got := call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", number)); got.status != 204 {
			t.Fatalf("PATCH: %d", got.status)
		}
	}
	patch(n2)
	c.advance(600 * time.Millisecond)
	patch(n3)
	c.advance(500 * time.Millisecond)
	for range 30 {
		if got := mobileSeen(t, tn); got != n2 {
			t.Fatalf("read %q, want %q: n1 was replaced more than a lag ago", got, n2)
		}
	}
}

func TestReadsAreStaleSometimes(t *testing.T) {
	tn, _ := lagging(t, 0.3, tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}})
	call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", n2))
	stale := 0
	for range 500 {
		if mobileSeen(t, tn) == n1 {
			stale++
		}
	}
	if stale < 100 || stale > 200 {
		t.Errorf("%d of 500 reads were stale, want about 150", stale)
	}
}

func TestUserWhoWasJustCreated(t *testing.T) {
	tn, c := lagging(t, 1)
	if err := tn.AddUsers([]tenant.User{{UserPrincipalName: ada}}); err != nil {
		t.Fatalf("AddUsers: %v", err)
	}
	if got := call(t, tn, "GET", phonesOf(ada), ""); got.status != 404 || got.code() != "Request_ResourceNotFound" {
		t.Errorf("GET at once: %d %q, want 404 Request_ResourceNotFound", got.status, got.code())
	}
	if got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1)); got.status != 404 {
		t.Errorf("POST at once: %d, want 404", got.status)
	}
	if got := len(call(t, tn, "GET", "/v1.0/users", "").values()); got != 0 {
		t.Errorf("listing at once: %d users, want none", got)
	}
	c.advance(time.Second)
	if got := call(t, tn, "GET", phonesOf(ada), ""); got.status != 200 {
		t.Errorf("GET after the lag: %d, want 200", got.status)
	}
}
