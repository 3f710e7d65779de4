package tenant_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

const (
	n1 = "+1 2065550101"
	n2 = "+44 7700900123"
	n3 = "+33 639981234"
)

// The rules of the directory, as microsoft-graph's documentation of
// phoneAuthenticationMethod, signInPreferences and requirements has them: a
// user before, one request, the answer, and what differs in the user after.
func TestRules(t *testing.T) {
	const authentication = "/beta/users/ada@contoso.example/authentication/"
	type phones = tenant.Phones
	all := phones{Mobile: n1, AlternateMobile: n2, Office: n3}
	for _, tt := range []struct {
		name         string
		user         tenant.User
		method, path string
		body         string
		status       int
		code         string
		after        func(*tenant.User) // nil: as before
		redundant    int64
	}{
		{
			name: "add mobile", method: "POST", path: "phoneMethods", body: phoneJSON("mobile", n1),
			status: 201, after: func(u *tenant.User) { u.Phones.Mobile = n1 },
		},
		{
			name: "add mobile without the space", method: "POST", path: "phoneMethods", body: phoneJSON("mobile", "+12065550101"),
			status: 201, after: func(u *tenant.User) { u.Phones.Mobile = n1 },
		},
		{
			name: "add office with an extension", method: "POST", path: "phoneMethods", body: phoneJSON("office", "+1 2065550101x123"),
			status: 201, after: func(u *tenant.User) { u.Phones.Office = "+1 2065550101x123" },
		},
		{
			name: "add a second mobile", user: tenant.User{Phones: phones{Mobile: n1}}, method: "POST", path: "phoneMethods",
			body: phoneJSON("mobile", n2), status: 400, code: "badRequest",
		},
		{
			name: "add the same mobile again", user: tenant.User{Phones: phones{Mobile: n1}}, method: "POST", path: "phoneMethods",
			body: phoneJSON("mobile", n1), status: 400, code: "badRequest", redundant: 1,
		},
		{
			name: "add alternate without mobile", method: "POST", path: "phoneMethods", body: phoneJSON("alternateMobile", n2),
			status: 400, code: "badRequest",
		},
		{
			name: "add alternate", user: tenant.User{Phones: phones{Mobile: n1}}, method: "POST", path: "phoneMethods",
			body: phoneJSON("alternateMobile", n2), status: 201, after: func(u *tenant.User) { u.Phones.AlternateMobile = n2 },
		},
		{name: "add without type", method: "POST", path: "phoneMethods", body: `{"phoneNumber":"+1 2065550101"}`, status: 400, code: "badRequest"},
		{name: "add without number", method: "POST", path: "phoneMethods", body: `{"phoneType":"mobile"}`, status: 400, code: "badRequest"},
		{name: "add of unknown type", method: "POST", path: "phoneMethods", body: phoneJSON("fax", n1), status: 400, code: "Request_BadRequest"},
		{
			name: "add with the read-only state", method: "POST", path: "phoneMethods",
			body: `{"phoneType":"mobile","phoneNumber":"+1 2065550101","smsSignInState":"ready"}`, status: 400, code: "Request_BadRequest",
		},
		{
			name: "add as a generated client writes it", method: "POST", path: "phoneMethods",
			body:   `{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","phoneType":"mobile","phoneNumber":"+1 2065550101"}`,
			status: 201, after: func(u *tenant.User) { u.Phones.Mobile = n1 },
		},
		{name: "add null", method: "POST", path: "phoneMethods", body: `{"phoneType":"mobile","phoneNumber":null}`, status: 400, code: "Request_BadRequest"},
		{name: "add no object", method: "POST", path: "phoneMethods", body: `[]`, status: 400, code: "Request_BadRequest"},
		{
			name: "change mobile", user: tenant.User{Phones: all}, method: "PATCH", path: "phoneMethods/" + mobileID,
			body: phoneJSON("mobile", n3), status: 204, after: func(u *tenant.User) { u.Phones.Mobile = n3 },
		},
		{
			name: "change mobile to what it is", user: tenant.User{Phones: all}, method: "PATCH", path: "phoneMethods/" + mobileID,
			body: phoneJSON("mobile", "+12065550101"), status: 204, redundant: 1,
		},
		{
			name: "change by number only", user: tenant.User{Phones: all}, method: "PATCH", path: "phoneMethods/" + officeID,
			body: `{"phoneNumber":"+1 2065550102"}`, status: 204, after: func(u *tenant.User) { u.Phones.Office = "+1 2065550102" },
		},
		{
			name: "change the type", user: tenant.User{Phones: all}, method: "PATCH", path: "phoneMethods/" + mobileID,
			body: phoneJSON("office", n3), status: 400, code: "badRequest",
		},
		{
			name: "change what is not there", method: "PATCH", path: "phoneMethods/" + mobileID, body: phoneJSON("mobile", n3),
			status: 404, code: "resourceNotFound",
		},
		{
			name: "change an unknown id", user: tenant.User{Phones: all}, method: "PATCH", path: "phoneMethods/" + appID,
			body: phoneJSON("mobile", n3), status: 404, code: "resourceNotFound",
		},
		{
			name: "delete mobile before alternate", user: tenant.User{Phones: all}, method: "DELETE", path: "phoneMethods/" + mobileID,
			status: 400, code: "badRequest",
		},
		{
			name: "delete alternate", user: tenant.User{Phones: all}, method: "DELETE", path: "phoneMethods/" + alternateID,
			status: 204, after: func(u *tenant.User) { u.Phones.AlternateMobile = "" },
		},
		{
			name: "delete what is not there", method: "DELETE", path: "phoneMethods/" + officeID,
			status: 404, code: "resourceNotFound", redundant: 1,
		},
		{
			name: "delete the default", user: tenant.User{Phones: phones{Mobile: n1, Office: n3}, DefaultMethod: "voiceMobile"},
			method: "DELETE", path: "phoneMethods/" + mobileID, status: 400, code: "badRequest",
		},
		{
			name: "delete the default when it is the last", user: tenant.User{Phones: phones{Mobile: n1}, DefaultMethod: "sms"},
			method: "DELETE", path: "phoneMethods/" + mobileID, status: 204,
			after: func(u *tenant.User) { u.Phones.Mobile, u.DefaultMethod = "", "" },
		},
		{
			name: "delete beside the default", user: tenant.User{Phones: phones{Mobile: n1, Office: n3}, DefaultMethod: "sms"},
			method: "DELETE", path: "phoneMethods/" + officeID, status: 204, after: func(u *tenant.User) { u.Phones.Office = "" },
		},
		{
			name: "enforced by itself when a method joins", user: tenant.User{PerUserMFAState: "enabled"},
			method: "POST", path: "phoneMethods", body: phoneJSON("mobile", n1), status: 201,
			after: func(u *tenant.User) { u.Phones.Mobile, u.PerUserMFAState = n1, "enforced" },
		},
		{
			name: "enable without a method", method: "PATCH", path: "requirements", body: `{"perUserMfaState":"enabled"}`,
			status: 204, after: func(u *tenant.User) { u.PerUserMFAState = "enabled" },
		},
		{
			name: "enable with a method is enforced", user: tenant.User{Phones: phones{Office: n1}}, method: "PATCH", path: "requirements",
			body: `{"perUserMfaState":"enabled"}`, status: 204, after: func(u *tenant.User) { u.PerUserMFAState = "enforced" },
		},
		{
			name: "enable the enforced", user: tenant.User{Phones: phones{Office: n1}, PerUserMFAState: "enforced"}, method: "PATCH",
			path: "requirements", body: `{"perUserMfaState":"enabled"}`, status: 204, redundant: 1,
		},
		{
			name: "disable the enforced", user: tenant.User{PerUserMFAState: "enforced"}, method: "PATCH", path: "requirements",
			body: `{"perUserMfaState":"disabled"}`, status: 204, after: func(u *tenant.User) { u.PerUserMFAState = "disabled" },
		},
		{name: "unknown state", method: "PATCH", path: "requirements", body: `{"perUserMfaState":"on"}`, status: 400, code: "Request_BadRequest"},
		{name: "no state", method: "PATCH", path: "requirements", body: `{}`, status: 400, code: "Request_BadRequest"},
		{
			name: "prefer sms", user: tenant.User{Phones: phones{Mobile: n1}}, method: "PATCH", path: "signInPreferences",
			body: `{"userPreferredMethodForSecondaryAuthentication":"sms"}`, status: 204, after: func(u *tenant.User) { u.DefaultMethod = "sms" },
		},
		{
			name: "prefer what is lacking", user: tenant.User{Phones: phones{Mobile: n1}}, method: "PATCH", path: "signInPreferences",
			body: `{"userPreferredMethodForSecondaryAuthentication":"push"}`, status: 400, code: "badRequest",
		},
		{
			name: "prefer the unknown", method: "PATCH", path: "signInPreferences",
			body: `{"userPreferredMethodForSecondaryAuthentication":"pigeon"}`, status: 400, code: "Request_BadRequest",
		},
		{
			name: "system preferred", method: "PATCH", path: "signInPreferences",
			body: `{"isSystemPreferredAuthenticationMethodEnabled":true}`, status: 204, after: func(u *tenant.User) { u.SystemPreferred = true },
		},
		{
			name: "system preferred is a boolean", method: "PATCH", path: "signInPreferences",
			body: `{"isSystemPreferredAuthenticationMethodEnabled":"yes"}`, status: 400, code: "Request_BadRequest",
		},
		{
			name: "delete the last Authenticator while it is the default", method: "DELETE", path: "microsoftAuthenticatorMethods/" + appID,
			user:   tenant.User{Phones: phones{Mobile: n1}, Authenticator: oneAuthenticator, DefaultMethod: "push"},
			status: 400, code: "badRequest",
		},
		{
			name: "delete Authenticator beside a default phone", method: "DELETE", path: "microsoftAuthenticatorMethods/" + appID,
			user:   tenant.User{Phones: phones{Mobile: n1}, Authenticator: oneAuthenticator, DefaultMethod: "sms"},
			status: 204, after: func(u *tenant.User) { u.Authenticator = nil },
		},
		{
			name: "delete Authenticator as the very last method", method: "DELETE", path: "microsoftAuthenticatorMethods/" + appID,
			user:   tenant.User{Authenticator: oneAuthenticator, DefaultMethod: "oath"},
			status: 204, after: func(u *tenant.User) { u.Authenticator, u.DefaultMethod = nil, "" },
		},
		{
			name: "delete the last Authenticator while codes come from elsewhere too", method: "DELETE", path: "microsoftAuthenticatorMethods/" + appID,
			user:   tenant.User{Authenticator: oneAuthenticator, OtherMethods: []string{"softwareOath"}, DefaultMethod: "oath"},
			status: 204, after: func(u *tenant.User) { u.Authenticator = nil },
		},
		{
			name: "delete the default phone beside a security key", user: tenant.User{Phones: phones{Mobile: n1}, DefaultMethod: "sms", OtherMethods: []string{"fido2"}},
			method: "DELETE", path: "phoneMethods/" + mobileID, status: 400, code: "badRequest",
		},
		{
			name: "delete the default phone beside what is no second factor", user: tenant.User{Phones: phones{Mobile: n1}, DefaultMethod: "sms", OtherMethods: []string{"email", "temporaryAccessPass"}},
			method: "DELETE", path: "phoneMethods/" + mobileID, status: 204, after: func(u *tenant.User) { u.Phones, u.DefaultMethod = phones{}, "" },
		},
		{
			name: "add an office phone that is mastered on-premises", user: tenant.User{OnPremisesSyncEnabled: new(true), OfficeMastered: true},
			method: "POST", path: "phoneMethods", body: phoneJSON("office", n1), status: 400, code: "badRequest",
		},
		{
			name: "change an office phone that is mastered on-premises", user: tenant.User{Phones: phones{Office: n1}, OnPremisesSyncEnabled: new(true), OfficeMastered: true},
			method: "PATCH", path: "phoneMethods/" + officeID, body: phoneJSON("office", n2), status: 400, code: "badRequest",
		},
		{
			name: "delete an office phone that is mastered on-premises", user: tenant.User{Phones: phones{Office: n1}, OnPremisesSyncEnabled: new(true), OfficeMastered: true},
			method: "DELETE", path: "phoneMethods/" + officeID, status: 400, code: "badRequest",
		},
		{
			name: "add a mobile beside an office phone that is mastered on-premises", user: tenant.User{Phones: phones{Office: n1}, OnPremisesSyncEnabled: new(true), OfficeMastered: true},
			method: "POST", path: "phoneMethods", body: phoneJSON("mobile", n2), status: 201, after: func(u *tenant.User) { u.Phones.Mobile = n2 },
		},
		{
			name: "delete an unknown Authenticator", method: "DELETE", path: "microsoftAuthenticatorMethods/" + appID,
			status: 404, code: "resourceNotFound", redundant: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.user.UserPrincipalName = ada
			tn := newTenant(t, calm(tt.user))
			want := only(t, tn)
			got := call(t, tn, tt.method, authentication+tt.path, tt.body)
			if got.status != tt.status || got.code() != tt.code {
				t.Fatalf("answered %d %q, want %d %q\n%s", got.status, got.code(), tt.status, tt.code, got.raw)
			}
			if tt.after != nil {
				tt.after(&want)
			}
			if diff := cmp.Diff(want, only(t, tn)); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
			if got := tn.Stats().RedundantWrites; got != tt.redundant {
				t.Errorf("redundant writes: %d, want %d", got, tt.redundant)
			}
		})
	}
}

// Clients branch on this phrase, so it is the service's to the letter.
func TestDefaultMethodPhrase(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1, Office: n2}, DefaultMethod: "sms"}))
	got := call(t, tn, "DELETE", phonesOf(ada)+"/"+mobileID, "").message()
	want := "The requested authentication method id of [" + mobileID + "] matches the user's current default authentication method, " +
		"and cannot be deleted until the default authentication method is changed"
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func TestNumberFormat(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"spaced", "+31 612345678", "+31 612345678"},
		{"unspaced", "+31612345678", "+31 612345678"},
		{"one-digit code", "+12065550101", "+1 2065550101"},
		{"three-digit code", "+35312345678", "+353 12345678"},
		{"three-digit code, spaced", "+353 12345678", "+353 12345678"},
		{"documentation's example", "+1 5555551234x123", "+1 5555551234x123"},
		{"unspaced with extension", "+15555551234x123", "+1 5555551234x123"},
		{"fifteen digits", "+491234567890123", "+49 1234567890123"},
		{"sixteen digits", "+4912345678901234", ""},
		{"no plus", "31612345678", ""},
		{"two zeros", "0031612345678", ""},
		{"national", "0612345678", ""},
		{"two spaces", "+31 6 12345678", ""},
		{"space in the wrong place", "+316 12345678", ""},
		{"half a code", "+3 1612345678", ""},
		{"dash", "+31-612345678", ""},
		{"parentheses", "+1 (206)5550101", ""},
		{"letters", "+1 206CALLNOW", ""},
		{"too short", "+31 612", ""},
		{"empty extension", "+31 612345678x", ""},
		{"letters in the extension", "+31 612345678xab", ""},
		{"two extensions", "+31 612345678x1x2", ""},
		{"code of zero", "+0 612345678", ""},
		{"plus alone", "+", ""},
		{"empty", "", ""},
		{"arabic digits", "+31 ٦١٢٣٤٥٦٧٨", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
			got := call(t, tn, "POST", phonesOf(ada), phoneJSON("office", tt.raw))
			if tt.want == "" {
				if got.status != 400 {
					t.Errorf("accepted %q: %s", tt.raw, got.raw)
				}
				return
			}
			if got.status != 201 || got.body["phoneNumber"] != tt.want {
				t.Errorf("%q became %v (%d), want %q", tt.raw, got.body["phoneNumber"], got.status, tt.want)
			}
		})
	}
}

// The service repeats what it was sent, and a client that logs its messages
// leaks them; so does the tenant.
func TestInvalidNumberIsEchoed(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", "0612345678")).message()
	if want := "The phone number '0612345678' is invalid. A phone number must have the form +{country code} {number}x{extension}."; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}
