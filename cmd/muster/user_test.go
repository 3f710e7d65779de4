package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

const adaName = "ada@contoso.example"

// adaAtHome is a directory with one user who has everything.
const adaAtHome = `{"userPrincipalName":"ada@contoso.example","displayName":"Ada Lovelace","phones":{"mobile":"+1 2065550101","alternateMobile":"+1 2065550102"},` +
	`"smsSignInAllowed":true,"smsSignIn":true,"perUserMfaState":"enforced","defaultMethod":"push","authenticator":[{"displayName":"Pixel 8","createdDateTime":"2025-01-05T09:00:00Z"}]}` + "\n"

func startWith(t testing.TB, directory string) *local {
	t.Helper()
	return startLocal(t, "--users-file", writeFile(t, "directory.jsonl", directory), "--faults", "none", "--quota", "unlimited")
}

type userChange struct {
	Before, After struct {
		Phones          []struct{ Type, Number, SMSSignInState string }
		Authenticator   []struct{ ID, Device, Registered string }
		PerUserMFAState string
		DefaultMethod   string
		Missing         []struct{ Part, Permission string }
	}
	Result struct {
		Result, Reason, Detail string
		Writes                 int
		Warnings               []string
		Lagging                bool
	}
	Run   string
	Until string
}

// user runs muster user on ada with JSON as its output.
func (l *local) user(t testing.TB, code int, verb string, more ...string) (c userChange) {
	t.Helper()
	args := append([]string{"user", verb, adaName}, more...)
	r := muster(t, l.env(fast...), "", append(args, "--json", "--reveal")...).expect(t, code)
	if err := json.Unmarshal([]byte(r.stdout), &c); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, r.stdout)
	}
	return c
}

// graphOnly points at the tenant and at no queue.
func (l *local) graphOnly() []string {
	return append([]string{"MUSTER_GRAPH=" + l.Graph, "MUSTER_TENANT=contoso.example"}, fast...)
}

func (l *local) ada(t testing.TB) tenant.User {
	t.Helper()
	return l.users(t)[adaName]
}

func TestUserShow(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	text := muster(t, l.env(fast...), "", "user", "show", strings.ToUpper(adaName)).expect(t, 0).stdout
	for _, want := range []string{
		"Ada Lovelace (ada@contoso.example)", "+1 ********01", "id 3179e48a-750b-4051-897c-87b9720928f7", "+1 ********02",
		"on: the number and a code are enough", "Pixel 8, since 2025-01-05", "enforced", "push", "sign-in goes by the default method", "password",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not hold %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "20655501") {
		t.Errorf("numbers stand there in full:\n%s", text)
	}
	if text := muster(t, l.env(fast...), "", "user", "show", adaName, "--reveal").expect(t, 0).stdout; !strings.Contains(text, "+1 2065550101") {
		t.Errorf("--reveal does not reveal:\n%s", text)
	}
	masked := muster(t, l.env(fast...), "", "user", "show", adaName, "--json").expect(t, 0).stdout
	if !json.Valid([]byte(masked)) || strings.Contains(masked, "20655501") || !strings.Contains(masked, "+1 ********01") {
		t.Errorf("JSON: %s", masked)
	}
	r := muster(t, l.env(fast...), "", "user", "show", "nobody@contoso.example").expect(t, 1)
	if !strings.Contains(r.stderr, "no such user") || strings.Contains(r.stderr, "nobody@") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

// What the application may not read is named with what it lacks, and the rest is
// shown.
func TestUserShowNamesWhatItMayNotRead(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"requirements"}`)
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"methods"}`)
	text := muster(t, l.env(fast...), "", "user", "show", adaName).expect(t, 0).stdout
	for _, want := range []string{"per-user MFA state: grant Policy.Read.All", "other methods: grant UserAuthenticationMethod.Read.All", "not read", "+1 ********01", "Pixel 8"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not hold %q:\n%s", want, text)
		}
	}
	l.post(t, http.MethodPost, "/_tenant/deny", `{}`)
	text = muster(t, l.env(fast...), "", "user", "show", tenant.UserID(adaName)).expect(t, 0).stdout
	for _, want := range []string{"User.Read.All", "UserAuthMethod-Phone.Read.All", "UserAuthMethod-MicrosoftAuthApp.Read.All"} {
		if !strings.Contains(text, want) {
			t.Errorf("with nothing allowed, the text does not hold %q:\n%s", want, text)
		}
	}
}

func TestUserChanges(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	c := l.user(t, 0, "set", "--mobile", "+1 206 555 0107", "--sms-sign-in", "off")
	if c.Result.Result != "applied" || c.Before.Phones[0].Number != "+1 2065550101" || c.After.Phones[0].Number != "+1 2065550107" ||
		c.After.Phones[0].SMSSignInState == "ready" || c.Result.Lagging || c.Run != "" {
		t.Errorf("set: %+v", c)
	}
	if c := l.user(t, 0, "set", "--mobile", "(206) 555-0107", "--region", "US"); c.Result.Result != "unchanged" || c.Result.Writes != 0 {
		t.Errorf("the same again: %+v", c.Result)
	}
	if c := l.user(t, 3, "set", "--mobile", "+1 206 12"); c.Result.Result != "refused" || c.Result.Reason != "InvalidPhoneNumber" || c.Result.Detail == "" {
		t.Errorf("an invalid number: %+v", c.Result)
	}
	if c := l.user(t, 3, "remove", "--mobile"); c.Result.Reason != "MobileNeededByAlternate" {
		t.Errorf("mobile before alternate mobile: %+v", c.Result)
	}
	if c := l.user(t, 0, "remove", "--alternate-mobile"); c.Result.Result != "applied" || len(c.After.Phones) != 1 {
		t.Errorf("alternate mobile: %+v", c)
	}
	if c := l.user(t, 0, "mfa", "disabled"); c.Before.PerUserMFAState != "enforced" || c.After.PerUserMFAState != "disabled" {
		t.Errorf("mfa: %+v", c)
	}
	if c := l.user(t, 0, "default", "sms", "--mode", "force"); c.Before.DefaultMethod != "push" || c.After.DefaultMethod != "sms" {
		t.Errorf("default: %+v", c)
	}
	if c := l.user(t, 0, "remove", "--authenticator", c.Before.Authenticator[0].ID); len(c.Before.Authenticator) != 1 || len(c.After.Authenticator) != 0 {
		t.Errorf("authenticator: %+v", c)
	}
	l.user(t, 0, "set", "--office", "+1 206 555 0150")
	if c := l.user(t, 3, "remove", "--mobile", "--default-method", "sms"); c.Result.Reason != "DefaultMethodUnavailable" {
		t.Errorf("a default that goes: %+v", c.Result)
	}
	if c := l.user(t, 0, "remove", "--office"); c.Result.Result != "applied" {
		t.Errorf("office: %+v", c.Result)
	}
	u := l.ada(t)
	if u.Phones != (tenant.Phones{Mobile: "+1 2065550107"}) || u.SMSSignIn || u.PerUserMFAState != "disabled" || u.DefaultMethod != "sms" || len(u.Authenticator) != 0 {
		t.Errorf("in the end: %+v", u)
	}
	for _, wrong := range [][]string{
		{"user", "set", adaName}, {"user", "set", adaName, "--sms-sign-in", "yes"}, {"user", "mfa", adaName, "on"},
		{"user", "default", adaName}, {"user", "show"}, {"user", "shwo"}, {"user", "temporary", adaName, "--mobile", "1"},
		{"user", "temporary", adaName, "--until", "8h"}, {"user", "temporary", adaName, "--mobile", "1", "--until", "soon"},
		{"user", "temporary", adaName, "--mobile", "1", "--until", "2020-01-01T00:00:00Z"},
	} {
		muster(t, l.env(fast...), "", wrong...).expect(t, 2)
	}
}

// A person is told at once what a worker would wait for.
func TestUserChangeWithoutPermissionEnds(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"phoneMethods.change"}`)
	r := muster(t, l.env(fast...), "", "user", "set", adaName, "--mobile", "+1 206 555 0107").expect(t, 1)
	if !strings.Contains(r.stderr, "missing_permission=UserAuthMethod-Phone.ReadWrite.All") || !strings.Contains(r.stderr, "may not do that") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestUserHistory(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	if text := muster(t, l.env(fast...), "", "user", "history", adaName).expect(t, 0).stdout; !strings.Contains(text, "No change of methods") {
		t.Errorf("an empty history: %s", text)
	}
	l.user(t, 0, "set", "--mobile", "+1 206 555 0107")
	l.user(t, 0, "remove", "--alternate-mobile")
	l.user(t, 0, "mfa", "disabled")
	text := muster(t, l.env(fast...), "", "user", "history", adaName).expect(t, 0).stdout
	var at []int
	for _, want := range []string{"Update user", "Admin deleted security info", "Admin updated security info"} {
		at = append(at, strings.Index(text, want))
	}
	if at[0] < 0 || at[1] < at[0] || at[2] < at[1] || !strings.Contains(text, "application Muster") || !strings.Contains(text, "success") {
		t.Errorf("history:\n%s", text)
	}
	var entries []struct{ Activity, Actor, ActorKind, Result, CorrelationID string }
	raw := muster(t, l.env(fast...), "", "user", "history", tenant.UserID(adaName), "--json", "--days", "1").expect(t, 0).stdout
	if err := json.Unmarshal([]byte(raw), &entries); err != nil || len(entries) != 3 || entries[0].ActorKind != "application" || entries[0].CorrelationID == "" {
		t.Errorf("JSON: %s, error %v", raw, err)
	}
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"directoryAudits"}`)
	if r := muster(t, l.env(fast...), "", "user", "history", adaName).expect(t, 1); !strings.Contains(r.stderr, "AuditLog.Read.All") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

// The commands for one user log nothing of them, trace nothing, and keep nothing
// in clear text.
func TestNothingPersonalIsEmittedAboutOneUser(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	dir := t.TempDir()
	secret := newSecrets()
	secret.name(adaName)
	secret.name("Lovelace")
	for _, number := range []string{"+1 2065550101", "+1 206 555 0107", "+1 2065550107", "+1 2065550102"} {
		secret.number(number)
	}
	var said bytes.Buffer
	key := "MUSTER_LEDGER_KEY=" + strings.TrimSpace(muster(t, nil, "", "ledger", "key").expect(t, 0).stdout)
	kept := filepath.Join(dir, "ledger")
	for i, args := range [][]string{
		{"user", "set", adaName, "--mobile", "+1 206 555 0107", "--ledger", kept},
		{"user", "set", adaName, "--mobile", "+1 206 555 0107777777", "--ledger", kept},
		{"user", "show", adaName}, {"user", "history", adaName}, {"ledger", "show", kept},
	} {
		traces := filepath.Join(dir, "traces"+string(rune('0'+i)))
		r := muster(t, append(l.env(fast...), key, "MUSTER_LOG_LEVEL=debug", "MUSTER_TRACES_FILE="+traces), "", args...)
		said.WriteString(r.stderr)
		content, err := os.ReadFile(traces)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(content)
		if args[0] == "ledger" {
			said.WriteString(r.stdout)
		}
	}
	content, err := os.ReadFile(kept)
	if err != nil || len(content) == 0 {
		t.Fatalf("ledger of %d bytes, error %v", len(content), err)
	}
	said.Write(content)
	said.WriteString(l.stderr.String())
	if !strings.Contains(said.String(), tenant.UserID(adaName)) {
		t.Error("nothing was emitted about the user at all, so nothing is proved")
	}
	for _, found := range secret.find(said.String()) {
		t.Error(found)
	}
}
