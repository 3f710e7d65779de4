package tenant_test

import (
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// smsState reads the smsSignInState of a user's mobile.
func smsState(t *testing.T, tn *tenant.Tenant, user string) string {
	t.Helper()
	got := call(t, tn, "GET", phonesOf(user)+"/"+mobileID, "")
	state, _ := got.body["smsSignInState"].(string)
	return state
}

func TestSMSSignInCollisionComesAfterTheWrite(t *testing.T) {
	tn := newTenant(t, calm(
		tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}, SMSSignIn: true, SMSSignInAllowed: true},
		tenant.User{UserPrincipalName: bob, SMSSignInAllowed: true},
	))
	got := call(t, tn, "POST", phonesOf(bob), phoneJSON("mobile", n1))
	if got.status != 409 || got.code() != "phoneNumberNotUnique" {
		t.Fatalf("POST of a number in use: %d %s", got.status, got.raw)
	}
	if got := tn.Snapshot()[1]; got.Phones.Mobile != n1 || got.SMSSignIn {
		t.Errorf("after the collision: mobile %q, SMS sign-in %v; want the number written and no sign-in", got.Phones.Mobile, got.SMSSignIn)
	}
	if got := smsState(t, tn, bob); got != "phoneNumberNotUnique" {
		t.Errorf("state of the second user %q, want phoneNumberNotUnique", got)
	}
	if got := call(t, tn, "PATCH", phonesOf(bob)+"/"+mobileID, phoneJSON("mobile", n1)); got.status != 409 {
		t.Errorf("PATCH of the same number: %d, want 409", got.status)
	}
	if got := tn.Stats().RedundantWrites; got != 1 {
		t.Errorf("redundant writes %d, want 1: the PATCH that collided again", got)
	}
}

func TestSMSSignInNumberIsFreedAndTaken(t *testing.T) {
	tn := newTenant(t, calm(
		tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1}, SMSSignIn: true, SMSSignInAllowed: true},
		tenant.User{UserPrincipalName: bob, Phones: tenant.Phones{Mobile: n1}, SMSSignInAllowed: true},
	))
	steps := []struct {
		name, method, path string
		body               string
		status             int
		adaState, bobState string
	}{
		{"enable a number in use", "POST", phonesOf(bob) + "/" + mobileID + "/enableSmsSignIn", "", 409, "ready", "phoneNumberNotUnique"},
		{"disable the owner", "POST", phonesOf(ada) + "/" + mobileID + "/microsoft.graph.disableSmsSignIn", "", 204, "notConfigured", "phoneNumberNotUnique"},
		{"enable a free number", "POST", phonesOf(bob) + "/" + mobileID + "/microsoft.graph.enableSmsSignIn", "{}", 204, "notConfigured", "ready"},
		{"enable the former owner", "POST", phonesOf(ada) + "/" + mobileID + "/enableSmsSignIn", "", 409, "phoneNumberNotUnique", "ready"},
		{"change the owner's number", "PATCH", phonesOf(bob) + "/" + mobileID, phoneJSON("mobile", n2), 204, "phoneNumberNotUnique", "ready"},
		{"beta's path", "POST", "/beta/users/" + ada + "/authentication/methods/" + mobileID + "/microsoft.graph.enableSmsSignIn", "", 204, "ready", "ready"},
		{"delete the owner's number", "DELETE", phonesOf(ada) + "/" + mobileID, "", 204, "", "ready"},
		{"take the number freed by the deletion", "PATCH", phonesOf(bob) + "/" + mobileID, phoneJSON("mobile", n1), 204, "", "ready"},
	}
	for _, s := range steps {
		if got := call(t, tn, s.method, s.path, s.body); got.status != s.status {
			t.Fatalf("%s: %d, want %d\n%s", s.name, got.status, s.status, got.raw)
		}
		if got := smsState(t, tn, ada); got != s.adaState {
			t.Errorf("%s: ada's state %q, want %q", s.name, got, s.adaState)
		}
		if got := smsState(t, tn, bob); got != s.bobState {
			t.Errorf("%s: bob's state %q, want %q", s.name, got, s.bobState)
		}
	}
}

func TestSMSSignInPolicy(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1, Office: n2}}))
	if got := smsState(t, tn, ada); got != "notAllowedByPolicy" {
		t.Errorf("state %q, want notAllowedByPolicy", got)
	}
	for _, tt := range []struct {
		name, method string
		status       int
		code         string
	}{
		{"policy forbids", mobileID, 403, "disabledByPolicy"},
		{"office", officeID, 400, "badRequest"},
		{"alternate that is not there", alternateID, 404, "resourceNotFound"},
		{"no phone", appID, 404, "resourceNotFound"},
	} {
		got := call(t, tn, "POST", phonesOf(ada)+"/"+tt.method+"/enableSmsSignIn", "")
		if got.status != tt.status || got.code() != tt.code {
			t.Errorf("%s: %d %q, want %d %q", tt.name, got.status, got.code(), tt.status, tt.code)
		}
	}
}

// An allowed mobile is registered without anybody asking for it.
func TestMobileIsRegisteredSilently(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, SMSSignInAllowed: true}))
	if got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1)); got.status != 201 || got.body["smsSignInState"] != "ready" {
		t.Errorf("POST mobile: %d %s, want smsSignInState ready", got.status, got.raw)
	}
}
