package tenant_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
)

// limited is a tenant with one user, a quota, no faults, and a clock.
func limited(t *testing.T, q tenant.Quota) (*tenant.Tenant, *clock) {
	c := newClock()
	o := calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}})
	o.Quota, o.Now = q, c.Now
	return newTenant(t, o), c
}

// accepted sends up to limit requests at once and returns how many went through
// before the first 429, and that.
func accepted(t *testing.T, limit int, send func() answer) (int, answer) {
	t.Helper()
	for n := range limit {
		if got := send(); got.status == 429 {
			return n, got
		}
	}
	t.Fatalf("%d requests went through", limit)
	return 0, answer{}
}

// threeUnits is a listing that costs three ResourceUnits: two, and one for
// $expand. That it is refused does not make it cheaper.
const threeUnits = "/v1.0/users?$expand=manager"

func TestQuotaBySize(t *testing.T) {
	for _, tt := range []struct {
		quota tenant.Quota
		units int
	}{{tenant.QuotaSmall, 3500}, {tenant.QuotaMedium, 5000}, {tenant.QuotaLarge, 8000}} {
		t.Run(string(tt.quota), func(t *testing.T) {
			tn, _ := limited(t, tt.quota)
			n, refused := accepted(t, 3000, func() answer { return call(t, tn, "GET", threeUnits, "") })
			if n != tt.units/3 {
				t.Errorf("%d listings at once, want %d", n, tt.units/3)
			}
			if got := refused.header.Get("x-ms-throttle-information"); got != "ResourceUnitLimitExceeded" {
				t.Errorf("x-ms-throttle-information %q", got)
			}
		})
	}
}

func TestQuotaBySizeOfDirectory(t *testing.T) {
	for users, units := range map[int]int{1: 3500, 49: 3500, 50: 5000, 500: 5000, 501: 8000} {
		o := tenant.Options{Users: tenant.GenerateUsers(users, 1), Faults: tenant.FaultsNone, Now: newClock().Now}
		tn := newTenant(t, o)
		if n, _ := accepted(t, 3000, func() answer { return call(t, tn, "GET", threeUnits, "") }); n != units/3 {
			t.Errorf("directory of %d: %d listings at once, want %d", users, n, units/3)
		}
	}
}

func TestWriteQuota(t *testing.T) {
	tn, c := limited(t, tenant.QuotaLarge)
	patch := func() answer {
		return call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", n1))
	}
	n, refused := accepted(t, 4000, patch)
	if n != 3000 {
		t.Errorf("%d writes at once, want 3000", n)
	}
	if got := refused.header.Get("x-ms-throttle-information"); got != "WriteLimitExceeded" {
		t.Errorf("x-ms-throttle-information %q", got)
	}
	if got := refused.header.Get("x-ms-throttle-scope"); !strings.HasPrefix(got, "Tenant_Application/Write/") {
		t.Errorf("x-ms-throttle-scope %q", got)
	}
	wait, err := strconv.Atoi(refused.header.Get("Retry-After"))
	if err != nil || wait < 1 {
		t.Fatalf("Retry-After %q, want whole seconds", refused.header.Get("Retry-After"))
	}
	if got := call(t, tn, "GET", phonesOf(ada), ""); got.status != 200 {
		t.Errorf("a read while writes are throttled: %d", got.status)
	}
	c.advance(time.Duration(wait) * time.Second)
	if got := patch(); got.status != 204 {
		t.Errorf("after Retry-After: %d, want 204", got.status)
	}
	c.advance(150 * time.Second)
	if n, _ := accepted(t, 4000, patch); n != 3000 {
		t.Errorf("%d writes after 150 s, want 3000", n)
	}
	s := tn.Stats()
	if s.Throttled != 2 || s.Writes != 6001 {
		t.Errorf("stats: %d throttled, %d writes; want 2 and 6001", s.Throttled, s.Writes)
	}
}

// The steady rate is 20 writes per second once the burst is used up.
func TestWriteQuotaRefills(t *testing.T) {
	tn, c := limited(t, tenant.QuotaLarge)
	patch := func() answer {
		return call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", n1))
	}
	for range 3000 {
		patch()
	}
	for range 10 {
		c.advance(time.Second)
		for i := range 20 {
			if got := patch(); got.status != 204 {
				t.Fatalf("write %d of a second: %d, want 204", i+1, got.status)
			}
		}
	}
}

// A client that does not wait prolongs its own wait, within bounds.
func TestKnockingProlongsTheWait(t *testing.T) {
	tn, c := limited(t, tenant.QuotaStrict)
	get := func() answer { return call(t, tn, "GET", phonesOf(ada), "") }
	n, first := accepted(t, 10, get)
	if n != 5 {
		t.Errorf("%d requests at once, want 5", n)
	}
	var last answer
	for range 50 {
		last = get()
	}
	if first, last := first.header.Get("Retry-After"), last.header.Get("Retry-After"); first != "3" || last != "3" {
		t.Errorf("Retry-After %q, after knocking %q; want 3 and no more than that", first, last)
	}
	c.advance(2 * time.Second)
	if got := get(); got.status != 429 {
		t.Errorf("too early: %d, want 429", got.status)
	}
	c.advance(3 * time.Second)
	if got := get(); got.status != 200 {
		t.Errorf("after Retry-After: %d, want 200", got.status)
	}
}

func TestStrictIsForAuthenticationOnly(t *testing.T) {
	tn, _ := limited(t, tenant.QuotaStrict)
	for range 20 {
		call(t, tn, "GET", phonesOf(ada), "")
	}
	if got := call(t, tn, "GET", "/v1.0/users/"+ada, ""); got.status != 200 {
		t.Errorf("GET user while authentication is throttled: %d, want 200", got.status)
	}
}

func TestResourceUnits(t *testing.T) {
	tn, _ := limited(t, tenant.QuotaSmall)
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/v1.0/users", "2"},
		{"GET", "/v1.0/users?$select=id", "1"},
		{"GET", threeUnits, "3"},
		{"GET", "/v1.0/users?$top=5", "1"},
		{"GET", "/v1.0/users?$top=5&$select=id", "1"},
		{"GET", "/v1.0/users/" + ada, "1"},
		{"GET", phonesOf(ada), "1"},
		{"DELETE", phonesOf(ada) + "/" + officeID, "1"},
	} {
		if got := call(t, tn, tt.method, tt.path, "").header.Get("x-ms-resource-unit"); got != tt.want {
			t.Errorf("%s %s costs %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestLimitPercentageFromFourFifths(t *testing.T) {
	tn, _ := limited(t, tenant.QuotaSmall)
	for n := 1; n <= 3600; n++ {
		got := call(t, tn, "GET", phonesOf(ada), "").header.Get("x-ms-throttle-limit-percentage")
		if there, want := got != "", n >= 2800; there != want {
			t.Fatalf("request %d of 3500: x-ms-throttle-limit-percentage %q", n, got)
		}
		if n == 3500 && got != "1.00" {
			t.Errorf("at the limit: %q, want 1.00", got)
		}
		if n == 3600 && !(got > "1.00" && got <= "1.80") {
			t.Errorf("over the limit: %q, want more than 1.00", got)
		}
	}
}
