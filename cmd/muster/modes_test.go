package main_test

import (
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// The modes reach the tenant from columns, from the flags of a file and from those
// of a single command.
func TestModesReachTheTenant(t *testing.T) {
	t.Parallel()
	const directory = `{"userPrincipalName":"ada@contoso.example","phones":{"mobile":"+1 2065550101"},"authenticator":[{"displayName":"Nexus 5"},{"displayName":"Pixel 8"}],"defaultMethod":"push"}
{"userPrincipalName":"bob@contoso.example","phones":{"mobile":"+1 2065550102"}}
{"userPrincipalName":"eva@contoso.example","phones":{"mobile":"+1 2065550103"}}
{"userPrincipalName":"kim@contoso.example","authenticator":[{"displayName":"Pixel 8"}]}
`
	const file = `user,mobile,office phone,default method,phone mode,default method mode,remove authenticator
ada@contoso.example,,,sms,,,named nexus 5
bob@contoso.example,+1 2065550199,+1 2065550112,,,,
eva@contoso.example,+1 206 555 0103,,,remove,,
kim@contoso.example,,,,,,all
`
	l := startLocal(t, "--users-file", writeFile(t, "directory.jsonl", directory), "--quota", "unlimited", "--faults", "none")
	muster(t, l.env(), "", "load", writeFile(t, "users.csv", file), "--numbers", "possible", "--phone-mode", "add-only").expect(t, 0)
	muster(t, l.env(fast...), "", "worker", "--until-empty", "--numbers", "possible").expect(t, 0)
	got := l.users(t)
	for user, want := range map[string]tenant.Phones{
		"ada@contoso.example": {Mobile: "+1 2065550101"},
		"bob@contoso.example": {Mobile: "+1 2065550102", Office: "+1 2065550112"},
		"eva@contoso.example": {},
		"kim@contoso.example": {},
	} {
		if got[user].Phones != want {
			t.Errorf("%s has %+v, want %+v", user, got[user].Phones, want)
		}
	}
	if ada := got["ada@contoso.example"]; ada.DefaultMethod != "push" || len(ada.Authenticator) != 1 || ada.Authenticator[0].DisplayName != "Pixel 8" {
		t.Errorf("ada has the default %q and %d registrations; want push and the Pixel", ada.DefaultMethod, len(ada.Authenticator))
	}
	if letters := l.deadLetters(t); len(got["kim@contoso.example"].Authenticator) != 1 || letters["LastMethod"] != 1 {
		t.Errorf("kim's last method is not protected; dead letters %v", letters)
	}

	muster(t, l.env(), "", "publish", "--user", "ada@contoso.example", "--default-method", "sms", "--default-method-mode", "force").expect(t, 0)
	muster(t, l.env(), "", "publish", "--user", "kim@contoso.example", "--remove-authenticator", "named Pixel 8", "--protect-last-method=false").expect(t, 0)
	muster(t, l.env(), "", "publish", "--user", "bob@contoso.example", "--office", "+1 2065550112", "--phone-mode", "remove").expect(t, 0)
	muster(t, l.env(fast...), "", "worker", "--until-empty", "--numbers", "possible").expect(t, 0)
	got = l.users(t)
	if ada, bob, kim := got["ada@contoso.example"], got["bob@contoso.example"], got["kim@contoso.example"]; ada.DefaultMethod != "sms" || bob.Phones.Office != "" || len(kim.Authenticator) != 0 {
		t.Errorf("ada's default %q, bob's office phone there %t, kim's registrations %d; want sms, none, none",
			ada.DefaultMethod, bob.Phones.Office != "", len(kim.Authenticator))
	}
}

func TestWrongModesAreUsageErrors(t *testing.T) {
	t.Parallel()
	queue := []string{"MUSTER_SERVICEBUS=x", "MUSTER_QUEUE=q", "MUSTER_TENANT=a.example"}
	for says, args := range map[string][]string{
		"use ensure, add-only or remove":            {"load", writeFile(t, "users.csv", "user,mobile\n"), "--phone-mode", "replace"},
		"use keep, only-if-none":                    {"load", writeFile(t, "users.csv", "user,mobile\n"), "--default-method-mode", "always"},
		"$.data.phoneMode needs phones":             {"publish", "--user", "u@a.example", "--phone-mode", "remove", "--sms-sign-in", "on"},
		"--remove-authenticator: write all":         {"publish", "--user", "u@a.example", "--remove-authenticator", "Pixel 8"},
		"must not be keep beside a defaultMethod":   {"publish", "--user", "u@a.example", "--default-method", "sms", "--default-method-mode", "keep"},
		"must not be null under phoneMode add-only": {"publish", "--user", "u@a.example", "--mobile", "-", "--phone-mode", "add-only"},
	} {
		if r := muster(t, queue, "", args...); r.code != 2 || !strings.Contains(r.stderr, says) {
			t.Errorf("%v: exit code %d, stderr %q; want 2 and %q", args, r.code, r.stderr, says)
		}
	}
}
