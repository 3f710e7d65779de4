package tenant_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

func TestPathsThatAreRefused(t *testing.T) {
	const user = "/users/" + ada
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	for _, tt := range []struct {
		method, path string
		status       int
		code         string
		message      string
	}{
		{"GET", "/v1.0" + user + "/authentication/requirements", 400, "Request_BadRequest", "Resource not found for the segment 'requirements'."},
		{"PATCH", "/v1.0" + user + "/authentication/signInPreferences", 400, "Request_BadRequest", "Resource not found for the segment 'signInPreferences'."},
		{"GET", "/v1.0" + user + "/manager", 400, "Request_BadRequest", "Resource not found for the segment 'manager'."},
		{"GET", "/v1.0/groups", 400, "Request_BadRequest", "Resource not found for the segment 'groups'."},
		{"GET", "/v1.0/", 400, "Request_BadRequest", "Resource not found for the segment ''."},
		{"GET", "/v2.0/users", 400, "BadRequest", "Invalid version: v2.0"},
		{"GET", "/", 400, "BadRequest", "Invalid version: "},
		{"GET", "/v1.0/me", 400, "BadRequest", "/me request is only valid with delegated authentication flow."},
		{"PUT", "/v1.0" + user + "/authentication/phoneMethods/" + mobileID, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"DELETE", "/v1.0" + user + "/authentication/passwordMethods/" + passwordID, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"GET", "/v1.0/$batch", 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"POST", "/v1.0" + user + "/authentication/methods/" + mobileID + "/enableSmsSignIn", 400, "Request_BadRequest", "Resource not found for the segment 'enableSmsSignIn'."},
	} {
		got := call(t, tn, tt.method, tt.path, "")
		if got.status != tt.status || got.code() != tt.code || got.message() != tt.message {
			t.Errorf("%s %s: %d %q %q\nwant %d %q %q", tt.method, tt.path, got.status, got.code(), got.message(), tt.status, tt.code, tt.message)
		}
	}
	if got, want := call(t, tn, "PUT", phonesOf(ada)+"/"+mobileID, "").header.Get("Allow"), "GET, PATCH, DELETE"; got != want {
		t.Errorf("Allow %q, want %q", got, want)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	for _, tt := range []struct {
		name, body, contentType string
		status                  int
	}{
		{"no JSON", `{"phone`, "application/json", 400},
		{"trailing data", `{"phoneType":"mobile","phoneNumber":"+1 2065550101"} {}`, "application/json", 400},
		{"a number for a string", `{"phoneType":"mobile","phoneNumber":12065550101}`, "application/json", 400},
		{"another spelling", `{"PhoneType":"mobile","phoneNumber":"+1 2065550101"}`, "application/json", 400},
		{"no content type", phoneJSON("mobile", n1), "", 415},
		{"form", "phoneType=mobile", "application/x-www-form-urlencoded", 415},
		{"too large", `{"phoneType":"` + strings.Repeat("x", 5<<20) + `"}`, "application/json", 413},
	} {
		got := call(t, tn, "POST", phonesOf(ada), tt.body, "Content-Type", tt.contentType)
		if got.status != tt.status || got.code() == "" {
			t.Errorf("%s: %d %q, want %d and a code", tt.name, got.status, got.code(), tt.status)
		}
	}
}

// Every error has the documented envelope, and the ids of a reply are in its
// headers and its envelope alike.
func TestEnvelope(t *testing.T) {
	o := calm()
	o.Now = newClock().Now
	tn := newTenant(t, o)
	got := call(t, tn, "GET", "/v1.0/users/"+ada, "", "client-request-id", "my-id")
	id := got.header.Get("request-id")
	want := map[string]any{"error": map[string]any{
		"code":    "Request_ResourceNotFound",
		"message": "Resource '" + ada + "' does not exist or one of its queried reference-property objects are not present.",
		"innerError": map[string]any{
			"date": "2026-03-02T09:00:00", "request-id": id, "client-request-id": "my-id",
		},
	}}
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
	if got := got.header.Get("client-request-id"); got != "my-id" || len(id) != 36 {
		t.Errorf("client-request-id %q and request-id %q, want my-id and a GUID", got, id)
	}
	again := call(t, tn, "GET", "/v1.0/users/"+ada, "")
	if got := again.header.Get("client-request-id"); got != again.header.Get("request-id") || got == id {
		t.Error("without a client-request-id, the reply repeats its own request-id, a new one each time")
	}
}

func TestMethodsOfEveryKind(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{
		UserPrincipalName: ada, Authenticator: oneAuthenticator, DefaultMethod: "push", SystemPreferred: true,
		Phones: tenant.Phones{Mobile: n1, Office: n2},
	}))
	const base = "/beta/users/" + ada + "/authentication/"
	var types []string
	for _, m := range call(t, tn, "GET", base+"methods", "").values() {
		types = append(types, m["@odata.type"].(string)+" "+m["id"].(string))
	}
	want := []string{
		"#microsoft.graph.passwordAuthenticationMethod " + passwordID,
		"#microsoft.graph.phoneAuthenticationMethod " + mobileID,
		"#microsoft.graph.phoneAuthenticationMethod " + officeID,
		"#microsoft.graph.microsoftAuthenticatorAuthenticationMethod " + appID,
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	for path, id := range map[string]string{
		"methods/" + mobileID: mobileID, "methods/" + appID: appID, "methods/" + passwordID: passwordID,
		"passwordMethods/" + passwordID: passwordID, "microsoftAuthenticatorMethods/" + appID: appID,
		"phoneMethods/" + officeID: officeID, "phoneMethods('" + officeID + "')": officeID,
	} {
		if got := call(t, tn, "GET", base+path, ""); got.status != 200 || got.body["id"] != id {
			t.Errorf("GET %s: %d %v, want %s", path, got.status, got.body["id"], id)
		}
	}
	for _, path := range []string{
		"methods/" + alternateID, "phoneMethods/" + alternateID, "phoneMethods/" + appID,
		"passwordMethods/" + appID, "microsoftAuthenticatorMethods/" + mobileID,
	} {
		if got := call(t, tn, "GET", base+path, ""); got.status != 404 {
			t.Errorf("GET %s: %d, want 404", path, got.status)
		}
	}
	if got := len(call(t, tn, "GET", base+"passwordMethods", "").values()); got != 1 {
		t.Errorf("%d password methods, want 1", got)
	}
	got := call(t, tn, "GET", base+"signInPreferences", "").body
	if got["userPreferredMethodForSecondaryAuthentication"] != "push" || got["isSystemPreferredAuthenticationMethodEnabled"] != true {
		t.Errorf("preferences %v, want push and system-preferred", got)
	}
}

func TestPhonesFilteredByType(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1, Office: n2}}))
	got := call(t, tn, "GET", phonesOf(ada)+"?$filter=phoneType%20eq%20'office'", "").values()
	if len(got) != 1 || got[0]["phoneType"] != "office" {
		t.Errorf("filtered by type: %v, want the office phone", got)
	}
	if got := call(t, tn, "GET", phonesOf(ada)+"?$filter=phoneNumber%20eq%20'1'", ""); got.code() != "Request_UnsupportedQuery" {
		t.Errorf("filtered by number: %q, want Request_UnsupportedQuery", got.code())
	}
}
