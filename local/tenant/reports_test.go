package tenant_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
)

const reportPath = "/v1.0" + registrationDetails

// registered lists the principal names of a registration report, following its
// links.
func registered(t *testing.T, tn *tenant.Tenant, path string) (names []string, pages int) {
	t.Helper()
	for path != "" {
		got := call(t, tn, "GET", path, "")
		if got.status != 200 {
			t.Fatalf("%s: %d %s", path, got.status, got.raw)
		}
		pages++
		for _, v := range got.values() {
			names = append(names, v["userPrincipalName"].(string))
		}
		next, _ := got.body["@odata.nextLink"].(string)
		path = strings.TrimPrefix(next, "http://graph.example")
	}
	return names, pages
}

func TestTheRegistrationReportLagsAndLeavesOutTheDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := calm(tenant.User{UserPrincipalName: ada}, tenant.User{UserPrincipalName: bob, AccountEnabled: new(false)})
		o.RegistrationLag = time.Hour
		tn := newTenant(t, o)
		if names, _ := registered(t, tn, reportPath); !slices.Equal(names, []string{ada}) {
			t.Errorf("the report has %v", names)
		}
		methods := func() string {
			return fmt.Sprint(call(t, tn, "GET", reportPath+"/"+tenant.UserID(ada), "").body["methodsRegistered"])
		}
		call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
		time.Sleep(59 * time.Minute)
		if got := methods(); got != "[]" {
			t.Errorf("within the lag: %s", got)
		}
		time.Sleep(time.Minute)
		if got := methods(); got != "[mobilePhone]" {
			t.Errorf("after the lag: %s", got)
		}
		if got := call(t, tn, "GET", reportPath+"/"+tenant.UserID(bob), ""); got.status != 404 {
			t.Errorf("a disabled user: %d", got.status)
		}
	})
}

func TestReportsArePaged(t *testing.T) {
	o := calm(tenant.GenerateUsers(250, 1)...)
	tn := newTenant(t, o)
	names, pages := registered(t, tn, reportPath+"?$top=100")
	slices.Sort(names)
	if len(slices.Compact(names)) != len(names) || len(names) < 200 || pages != 3 {
		t.Errorf("%d names on %d pages", len(names), pages)
	}
}

func TestReportsNeedALicenceAndAPermission(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.NoPremium = true
	poor := newTenant(t, o)
	denied := newTenant(t, tenant.Options{Quota: tenant.QuotaUnlimited, Faults: tenant.FaultsNone, Deny: []tenant.Denial{{Operation: "registrationDetails"}, {Operation: "signIns"}}})
	for _, path := range []string{reportPath, "/beta/auditLogs/signIns"} {
		if got := call(t, poor, "GET", path, ""); got.status != 403 || got.code() != "Authentication_RequestFromNonPremiumTenantOrB2CTenant" {
			t.Errorf("%s without P1: %d %s", path, got.status, got.code())
		}
		if got := call(t, denied, "GET", path, ""); got.status != 403 || got.code() != "Authentication_MSGraphPermissionMissing" {
			t.Errorf("%s without permission: %d %s", path, got.status, got.code())
		}
	}
}

func TestReportsHaveTheirOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTenant(t, tenant.Options{Users: []tenant.User{{UserPrincipalName: ada}}, Faults: tenant.FaultsNone})
		for n := range 6 {
			got := call(t, tn, "GET", reportPath, "")
			if want := map[bool]int{true: 200, false: 429}[n < 5]; got.status != want {
				t.Errorf("request %d: %d, want %d", n+1, got.status, want)
			}
		}
		time.Sleep(10 * time.Second)
		if got := call(t, tn, "GET", reportPath, ""); got.status != 200 {
			t.Errorf("after 10 s: %d", got.status)
		}
	})
}

func TestSignInsAreFilteredAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := []tenant.User{{UserPrincipalName: ada, MFASignInHoursAgo: 5}, {UserPrincipalName: bob, MFASignInHoursAgo: 50}}
		for i := range 1001 {
			users = append(users, tenant.User{UserPrincipalName: fmt.Sprintf("u%d@contoso.example", i), MFASignInHoursAgo: 100})
		}
		tn := newTenant(t, calm(users...))
		since := func(age time.Duration) string { return time.Now().Add(-age).UTC().Format(time.RFC3339) }
		list := func(filter string) []string {
			names, _ := registered(t, tn, "/beta/auditLogs/signIns?$filter="+strings.ReplaceAll(filter, " ", "%20"))
			return names
		}
		if got := list("createdDateTime ge " + since(60*time.Hour) + " and status/errorCode eq 0 and authenticationRequirement eq 'multiFactorAuthentication'"); !slices.Equal(got, []string{ada, bob}) {
			t.Errorf("recent: %v", got)
		}
		if got := list("authenticationRequirement eq 'multiFactorAuthentication'"); len(got) != 1003 {
			t.Errorf("%d sign-ins with MFA, want 1003", len(got))
		}
		if got := len(list("createdDateTime ge " + since(6*time.Hour))); got != 2 {
			t.Errorf("%d sign-ins of any kind, want 2", got)
		}
		// The link to the next page keeps the + of a zone.
		if got := list("createdDateTime ge 1999-12-20T00:00:00%2B01:00 and authenticationRequirement eq 'multiFactorAuthentication'"); len(got) != 1003 {
			t.Errorf("%d sign-ins since a time with a zone, want 1003", len(got))
		}
		if got := call(t, tn, "GET", "/beta/auditLogs/signIns?$skiptoken=NTA!", ""); got.status != 400 {
			t.Errorf("a token that is broken at its end: %d", got.status)
		}
		if got := call(t, tn, "GET", "/beta/auditLogs/signIns?$filter=appId%20eq%20'x'", ""); got.status != 400 {
			t.Errorf("another filter: %d", got.status)
		}
		if got := call(t, tn, "GET", "/v1.0/auditLogs/signIns", ""); got.status != 400 {
			t.Errorf("v1.0 is not described with authenticationRequirement: %d", got.status)
		}
	})
}

func TestATenantMayRefuseWhatIsInNoDocumentation(t *testing.T) {
	const path = "/v1.0/users?$select=id,perUserMfaState"
	o := calm(tenant.User{UserPrincipalName: ada})
	if got := call(t, newTenant(t, o), "GET", path, ""); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
	o.DocumentedOnly = true
	if got := call(t, newTenant(t, o), "GET", path, ""); got.status != 400 {
		t.Errorf("status %d, want 400", got.status)
	}
}
