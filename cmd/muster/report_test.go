package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/report"
)

// reportUsers are invented: one to be moved, two with nothing but a phone, one
// without a method, one who is disabled, one whose phone gives way to codes, and
// one whose phone has nothing to give way to.
const reportUsers = `{"userPrincipalName":"ada@contoso.example","displayName":"Ada","perUserMfaState":"enforced","phones":{"mobile":"+1 2065550101"},"authenticator":[{"displayName":"Ada's phone"}],"defaultMethod":"sms","mfaSignInHoursAgo":5}
{"userPrincipalName":"bob@contoso.example","displayName":"Bob","perUserMfaState":"enforced","phones":{"mobile":"+44 7700900123"},"defaultMethod":"sms"}
{"userPrincipalName":"cleo@contoso.example","displayName":"Cleo","perUserMfaState":"enabled"}
{"userPrincipalName":"emil@contoso.example","displayName":"Emil","phones":{"mobile":"+1 2065550103","office":"+1 2065550104"},"otherMethods":["softwareOath"],"defaultMethod":"sms"}
{"userPrincipalName":"fay@contoso.example","displayName":"Fay","phones":{"mobile":"+1 2065550105"},"otherMethods":["fido2"],"defaultMethod":"sms"}
{"userPrincipalName":"gus@contoso.example","displayName":"Gus","phones":{"mobile":"+1 2065550106"},"otherMethods":["temporaryAccessPass"],"defaultMethod":"sms"}
{"userPrincipalName":"dora@contoso.example","displayName":"Dora","accountEnabled":false}
`

func localOfReport(t *testing.T, args ...string) *local {
	t.Helper()
	return startLocal(t, append([]string{"--users-file", writeFile(t, "users.jsonl", reportUsers), "--quota", "unlimited", "--faults", "none"}, args...)...)
}

// What the report writes for apply does what it says: users leave per-user MFA,
// and phones go where something stronger is there.
func TestReportLeadsUsersOffPerUserMFA(t *testing.T) {
	t.Parallel()
	l := localOfReport(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	r := muster(t, l.env(fast...), "", "report", "--out", dir, "--format", "html,csv,jsonl,xlsx",
		"--commands", in("ready.csv"), "--remove-phones", in("phones.csv"), "--sign-ins", "7").expect(t, 0)
	for _, want := range []string{"7 users in the report", "2  enforced", "1  ready", "1 February 2027", "muster apply " + in("ready.csv"), "Left out (1)"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the report does not say %q:\n%s", want, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, "Conditional Access policy") {
		t.Errorf("nobody is warned: %s", r.stderr)
	}
	if text := r.stdout + r.stderr; strings.Contains(text, "ada@") || strings.Contains(text, "0101") {
		t.Errorf("the counts name people: %s", text)
	}
	for _, name := range []string{"report.html", "report.csv", "report.jsonl", "report.xlsx", "summary.json"} {
		if info, err := os.Stat(in(name)); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	muster(t, l.env(fast...), "", "apply", in("phones.csv"), "--quiet").expect(t, 0)
	muster(t, l.env(fast...), "", "apply", in("ready.csv"), "--quiet").expect(t, 0)
	ada, bob := l.users(t)["ada@contoso.example"], l.users(t)["bob@contoso.example"]
	if ada.PerUserMFAState != "disabled" || ada.Phones.Mobile != "" || ada.DefaultMethod != "push" || len(ada.Authenticator) != 1 {
		t.Errorf("ada: %+v", ada)
	}
	if bob.PerUserMFAState != "enforced" || bob.Phones.Mobile == "" {
		t.Errorf("bob: %+v", bob)
	}
	if emil := l.users(t)["emil@contoso.example"]; emil.Phones != (tenant.Phones{}) || emil.DefaultMethod != "oath" {
		t.Errorf("emil: %+v", emil)
	}
	for _, name := range []string{"fay@contoso.example", "gus@contoso.example"} {
		if u := l.users(t)[name]; u.Phones.Mobile == "" || u.DefaultMethod != "sms" {
			t.Errorf("%s: %+v", name, u)
		}
	}
	r = muster(t, l.env(fast...), "", "report", "--diff", in("report.jsonl"), "--changes", in("changes.csv"), "-o", in("later.csv"), "--json").expect(t, 0)
	var s report.Summary
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
		t.Fatal(err)
	}
	if s.Users != 7 || s.States.Of("enforced") != 1 || s.Changes == nil || s.Changes.Changed != 2 {
		t.Errorf("summary %+v", s)
	}
	changes, err := os.ReadFile(in("changes.csv"))
	if err != nil || !strings.Contains(string(changes), "changed,ada@contoso.example,perUserMfaState,enforced,disabled,") {
		t.Errorf("changes: %s, %v", changes, err)
	}
}

func TestReportSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	l := localOfReport(t, "--no-premium")
	r := muster(t, l.env(fast...), "", "report", "-o", filepath.Join(t.TempDir(), "r.csv"), "--sign-ins", "7", "--names").expect(t, 0)
	for _, want := range []string{"note: registration details: not read: the tenant has no Microsoft Entra ID P1", "note: sign-ins that passed MFA: not read"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr %q does not say %q", r.stderr, want)
		}
	}
	if !strings.Contains(r.stdout, "ada@contoso.example") {
		t.Errorf("--names prints none: %s", r.stdout)
	}
}

func TestReportUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no tenant":       {nil, "--tenant"},
		"wrong filter":    {[]string{"--filter", "colour=red"}, "no such field"},
		"wrong order":     {[]string{"--sort", "colour"}, "no such field"},
		"wrong ending":    {[]string{"-o", "report.pdf"}, "report.pdf"},
		"wrong view":      {[]string{"--view", "all"}, `view: "all"`},
		"wrong phones":    {[]string{"--phones", "some"}, "masked nor full"},
		"too many days":   {[]string{"--sign-ins", "90"}, "0 to 30"},
		"changes of now":  {[]string{"--changes", "c.csv"}, "no earlier report"},
		"form of nothing": {[]string{"--format", "csv"}, "--out DIR"},
		"form unknown":    {[]string{"--out", "x", "--format", "pdf"}, "use html, csv"},
		"no form":         {[]string{"-o", "-"}, "--format"},
		"never a value":   {[]string{"--filter", "state=on"}, "enforced, enabled, disabled"},
		"one file twice":  {[]string{"-o", "a.csv", "-o", "./a.csv"}, "written twice"},
		"plain http":      {[]string{"--graph", "http://graph.example.com"}, "plain http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"report"}, test.args...)
			if test.args != nil {
				args = append(args, "--tenant", "contoso.example")
			}
			if r := muster(t, nil, "", args...).expect(t, 2); !strings.Contains(r.stderr, test.says) || r.stdout != "" {
				t.Errorf("stderr %q does not say %q", r.stderr, test.says)
			}
		})
	}
}

// What a shell pipes on is the report and nothing else.
func TestReportGoesToStandardOutput(t *testing.T) {
	t.Parallel()
	l := localOfReport(t)
	r := muster(t, l.env(fast...), "", "report", "-o", "-", "--format", "jsonl", "--filter", "state=enforced").expect(t, 0)
	if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], `{"id":`) {
		t.Errorf("standard output:\n%s", r.stdout)
	}
	if !strings.Contains(r.stderr, "2 users in the report") {
		t.Errorf("standard error: %s", r.stderr)
	}
}

// A report that is interrupted leaves nothing behind, neither half a file nor
// what it had put aside.
func TestAnInterruptedReportLeavesNothing(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "300", "--quota", "unlimited", "--faults", "none")
	dir := t.TempDir()
	p := start(t, l.env("MUSTER_READS_PER_SECOND=1", "MUSTER_READ_BURST=10"), nil, "report", "-o", filepath.Join(dir, "r.html"), "--details")
	for l.stats(t).Reads == 0 {
	}
	if code := p.stop(); code != 130 {
		t.Errorf("exit code %d, want 130: %s", code, p.stderr.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Logs and traces of a report name nobody.
func TestReportIsSilentAboutPeople(t *testing.T) {
	t.Parallel()
	l := localOfReport(t)
	dir := t.TempDir()
	r := muster(t, l.env(append(fast, "MUSTER_LOG_LEVEL=debug")...), "", "report", "-o", filepath.Join(dir, "r.jsonl"),
		"--details", "--phones", "full", "--sign-ins", "30", "--traces-file", filepath.Join(dir, "traces.jsonl")).expect(t, 0)
	traces, err := os.ReadFile(filepath.Join(dir, "traces.jsonl"))
	if err != nil || len(traces) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	content, _ := os.ReadFile(filepath.Join(dir, "r.jsonl"))
	for _, secret := range []string{"ada@contoso", "bob@contoso", "2065550101", "7700900123", "Ada's"} {
		if strings.Contains(r.stdout+r.stderr+string(traces), secret) {
			t.Errorf("%s is emitted", secret)
		}
		if secret != "Ada's" && !strings.Contains(string(content), secret) {
			t.Errorf("the report lacks %s: the test proves nothing", secret)
		}
	}
}
