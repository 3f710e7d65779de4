package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// What a worker may not do, and whom it may not change, is refused with a reason
// of its own; the rest is applied and verified.
func TestApplyWithinLimits(t *testing.T) {
	t.Parallel()
	directory := writeFile(t, "directory.jsonl", strings.Join([]string{
		`{"userPrincipalName":"ada@contoso.example"}`,
		`{"userPrincipalName":"bob@contoso.example"}`,
		`{"userPrincipalName":"boss@contoso.example","roles":["Global Administrator"]}`,
		`{"userPrincipalName":"Sync_DC01_0123456789ab@contoso.example"}`,
	}, "\n"))
	l := startLocal(t, "--users-file", directory, "--quota", "unlimited")
	scope := writeFile(t, "scope.yaml", "exclude:\n  - name: administrators\n    admins: true\n")
	users := writeFile(t, "users.csv", "user,mobile,PerUserMfaState\n"+
		"ada@contoso.example,"+fictional(1)+",\n"+
		"bob@contoso.example,,enforced\n"+
		"boss@contoso.example,"+fictional(2)+",\n"+
		"Sync_DC01_0123456789ab@contoso.example,"+fictional(3)+",\n")
	out := filepath.Join(t.TempDir(), "summary.json")
	r := muster(t, l.env(append(fast, "MUSTER_ALLOW=phones,default-method", "MUSTER_SCOPE="+scope)...), "", "apply", users, "--verify", "--quiet", "--summary", out,
		"--rejects", filepath.Join(t.TempDir(), "rejects")).expect(t, 3)
	s := readSummary(t, out)
	if s.Applied != 1 || s.ByReason["OutOfScope"] != 2 || s.ByReason["NotAllowedHere"] != 1 || s.Graph.Writes != 1 {
		t.Errorf("summary %+v", s)
	}
	for _, hint := range []string{"administrators", "system-accounts", "mfa-state"} {
		if !strings.Contains(r.stderr, hint) {
			t.Errorf("the log does not name %s:\n%s", hint, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "boss@") || strings.Contains(r.stderr, "Sync_DC01") {
		t.Errorf("the log names somebody:\n%s", r.stderr)
	}
	for name, u := range l.users(t) {
		if (u.Phones.Mobile != "") != strings.HasPrefix(name, "ada@") || u.PerUserMFAState != "disabled" {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

func TestWrongLimitsAreUsageErrors(t *testing.T) {
	t.Parallel()
	users := writeFile(t, "users.csv", rows(1))
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"unknown capability":  {[]string{"--allow", "phones,fax"}, `unknown capability "fax"; known are phones, sms-sign-in, mfa-state, default-method, authenticator`},
		"no capability":       {[]string{"--allow", ""}, "--allow"},
		"no such file":        {[]string{"--scope", "no-such-file"}, "no-such-file"},
		"a scope of nothing":  {[]string{"--scope", writeFile(t, "empty.yaml", "exclude: []")}, "line 1"},
		"a scope with a typo": {[]string{"--scope", writeFile(t, "typo.yaml", "exclude:\n  - name: a\n    admin: true\n")}, "line 3: unknown key admin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := muster(t, []string{"MUSTER_TENANT=contoso.example"}, "", append([]string{"apply", users, "--graph", "http://127.0.0.1:1"}, test.args...)...).expect(t, 2)
			if !strings.Contains(r.stderr, test.says) {
				t.Errorf("stderr %q does not say %q", r.stderr, test.says)
			}
		})
	}
	muster(t, []string{"MUSTER_ALLOW="}, "", "worker").expect(t, 2)
}
