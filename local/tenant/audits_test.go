package tenant_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

const auditsPath = "/v1.0/auditLogs/directoryAudits"

func auditsOf(user string) string {
	return auditsPath + "?$filter=" + url.QueryEscape("targetResources/any(t:t/id eq '"+tenant.UserID(user)+"')")
}

// Every change of a user is in the log under the documented name, and so is an
// attempt that was refused; reads and other users are not.
func TestChangesAreInTheAuditLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, DisplayName: "Ada", Authenticator: oneAuthenticator}, tenant.User{UserPrincipalName: bob}))
		const auth = "/beta/users/" + ada + "/authentication"
		for _, x := range []struct{ method, path, body string }{
			{"POST", "/phoneMethods", phoneJSON("mobile", n1)},
			{"PATCH", "/phoneMethods/" + mobileID, phoneJSON("mobile", n2)},
			{"POST", "/phoneMethods", phoneJSON("mobile", n3)}, // refused: there is one
			{"PATCH", "/requirements", `{"perUserMfaState":"enforced"}`},
			{"PATCH", "/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"sms"}`},
			{"DELETE", "/microsoftAuthenticatorMethods/" + appID, ""},
			{"DELETE", "/microsoftAuthenticatorMethods/" + appID, ""}, // gone already
			{"GET", "/phoneMethods", ""},
		} {
			call(t, tn, x.method, auth+x.path, x.body, "client-request-id", "11111111-2222-4333-8444-555555555555")
			time.Sleep(time.Minute)
		}
		call(t, tn, "POST", phonesOf(bob), phoneJSON("mobile", n3))

		var got []string
		for _, entry := range call(t, tn, "GET", auditsOf(ada), "").values() {
			got = append(got, entry["activityDisplayName"].(string)+": "+entry["result"].(string))
			if entry["correlationId"] != "11111111-2222-4333-8444-555555555555" {
				t.Errorf("correlation id %v", entry["correlationId"])
			}
		}
		want := []string{
			"Admin deleted security info: success",
			"PATCH UserAuthMethod.PatchSignInPreferencesAsync: success",
			"Update user: success",
			"Admin registered security info: failure",
			"Admin updated security info: success",
			"Admin registered security info: success",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if raw := call(t, tn, "GET", auditsPath, "").raw; strings.Contains(raw, n1[4:]) || strings.Contains(raw, n3[4:]) {
			t.Error("the log holds a number")
		}
	})
}

func TestTheAuditLogIsFilteredSortedAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
		call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
		time.Sleep(time.Hour)
		middle := time.Now().UTC().Format(time.RFC3339)
		for _, number := range []string{n2, n3} {
			call(t, tn, "PATCH", phonesOf(ada)+"/"+mobileID, phoneJSON("mobile", number))
			time.Sleep(time.Minute)
		}
		for filter, want := range map[string]int{
			"":                              3,
			"activityDateTime ge " + middle: 2,
			"activityDateTime le " + middle: 2, // the second one is of that very second
			"activityDisplayName eq 'Admin registered security info'":                                   1,
			"loggedByService eq 'Authentication Methods' and activityDateTime ge " + middle:             2,
			"targetResources/any(x: x/id eq '" + tenant.UserID(bob) + "')":                              0,
			"targetResources/any(x: x/id eq '" + tenant.UserID(ada) + "') and loggedByService eq 'B2C'": 0,
		} {
			got := call(t, tn, "GET", auditsPath+"?$orderby=activityDateTime&$filter="+url.QueryEscape(filter), "")
			if got.status != 200 || len(got.values()) != want {
				t.Errorf("%q: status %d, %d entries, want %d", filter, got.status, len(got.values()), want)
			}
		}
		entries, path := 0, auditsOf(ada)+"&$top=2&$orderby=activityDateTime%20asc"
		for path != "" {
			got := call(t, tn, "GET", path, "")
			if got.status != 200 {
				t.Fatalf("%s: %d %s", path, got.status, got.raw)
			}
			if first := got.values()[0]["activityDisplayName"]; entries == 0 && first != "Admin registered security info" {
				t.Errorf("the oldest entry is %v", first)
			}
			entries += len(got.values())
			next, _ := got.body["@odata.nextLink"].(string)
			path = strings.TrimPrefix(next, "http://graph.example")
		}
		if entries != 3 {
			t.Errorf("%d entries on all pages, want 3", entries)
		}
		for _, bad := range []string{"?$filter=category%20eq%20'x'", "?$filter=targetResources/any(t:t/id", "?$orderby=id", "?$select=id", "?$skiptoken=x", "?$filter=activityDateTime%20ge%20yesterday"} {
			if got := call(t, tn, "GET", auditsPath+bad, ""); got.status != 400 {
				t.Errorf("%s: status %d, want 400", bad, got.status)
			}
		}
		if err := tn.Deny(tenant.Denial{Operation: "directoryAudits"}); err != nil {
			t.Fatal(err)
		}
		if got := call(t, tn, "GET", auditsPath, ""); got.status != 403 || got.code() != "Authentication_MSGraphPermissionMissing" {
			t.Errorf("without permission: %d %s", got.status, got.code())
		}
	})
}
