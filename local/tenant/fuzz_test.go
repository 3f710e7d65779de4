package tenant_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// FuzzServe sends anything to a tenant: whatever comes, it does not panic, its
// reply is well-formed, and its directory keeps its own rules.
func FuzzServe(f *testing.F) {
	const auth = "/beta/users/" + ada + "/authentication/"
	f.Add("POST", auth+"phoneMethods", "application/json", phoneJSON("mobile", n1))
	f.Add("PATCH", auth+"phoneMethods/"+mobileID, "application/json", phoneJSON("mobile", "+1 206x1"))
	f.Add("DELETE", auth+"phoneMethods('"+mobileID+"')", "", "")
	f.Add("POST", auth+"methods/"+mobileID+"/microsoft.graph.enableSmsSignIn", "", "")
	f.Add("PATCH", auth+"requirements", "application/json", `{"perUserMfaState":"enabled"}`)
	f.Add("PATCH", auth+"signInPreferences", "application/json", `{"userPreferredMethodForSecondaryAuthentication":"sms"}`)
	f.Add("GET", "/v1.0/users?$filter=userPrincipalName%20in%20('a','b''c')&$top=1&$count=true", "", "")
	f.Add("GET", "/v1.0/users?$skiptoken=MTAw&$select=id,perUserMfaState", "", "")
	f.Add("GET", "/v1.0/users/eve_partner.example%23EXT%23@contoso.example", "", "")
	f.Add("GET", "/v1.0/users('o''hara')/authentication/methods", "", "")
	f.Add("POST", "/v1.0/users/"+ada+"/checkMemberGroups", "application/json", `{"groupIds":["`+pilot+`"]}`)
	f.Add("GET", "/v1.0/users/"+ada+"/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$select=id", "", "")
	f.Add("POST", "/beta/$batch", "application/json", `{"requests":[`+postMobile+`,`+postAlternate+`,`+enforce+`]}`)
	f.Add("POST", "/v1.0/$batch", "application/json", `{"requests":[{"id":"\u0000","method":"GET","url":"users?%","body":7}]}`)
	f.Add("POST", "/_tenant/users", "", `{"userPrincipalName":"x@contoso.example","phones":{"mobile":"+31612345678"}}`)
	f.Add("POST", "/_tenant/deny", "", `{"status":401}`)
	f.Fuzz(func(t *testing.T, method, target, contentType, body string) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || !validMethod(method) {
			return
		}
		o := tenant.Options{Quota: tenant.QuotaUnlimited, Faults: tenant.FaultsHarsh, Users: []tenant.User{
			{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n2}, SMSSignInAllowed: true, Authenticator: oneAuthenticator},
			{UserPrincipalName: guest, UserType: "Guest"},
		}}
		p := tenant.FaultsHarsh.Probabilities()
		p.SlowMin, p.SlowMax = 0, 0
		o.Probabilities = &p
		tn := newTenant(t, o)
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, parsed
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		tn.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("status %d", w.Code)
		}
		if media := w.Header().Get("Content-Type"); strings.HasPrefix(media, "application/json;") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %s", method, target, w.Body)
		}
		if w.Code >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json;") {
			checkEnvelope(t, answer{raw: w.Body.String(), header: w.Header()})
		}
		if _, err := tenant.New(calm(tn.Snapshot()...)); err != nil {
			t.Errorf("%s %s broke the directory: %v", method, target, err)
		}
	})
}

func validMethod(method string) bool {
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return method != ""
}

// FuzzReadUsers: what is read can be written and is read back the same.
func FuzzReadUsers(f *testing.F) {
	f.Add(`{"userPrincipalName":"ada@contoso.example","phones":{"mobile":"+31 612345678"},"authenticator":[{"id":"x","createdDateTime":"2026-01-02T03:04:05Z"}]}`)
	f.Add("\n{}\n\n{\"accountEnabled\":false}")
	f.Add(`{"userPrincipalName":"a"}{"userPrincipalName":"b"}`)
	f.Fuzz(func(t *testing.T, file string) {
		users, err := tenant.ReadUsers(strings.NewReader(file))
		if err != nil {
			return
		}
		var again strings.Builder
		if err := tenant.WriteUsers(&again, users); err != nil {
			t.Fatalf("write what was read: %v", err)
		}
		back, err := tenant.ReadUsers(strings.NewReader(again.String()))
		if err != nil || len(back) != len(users) {
			t.Errorf("read %d users, then %d: %v", len(users), len(back), err)
		}
	})
}
