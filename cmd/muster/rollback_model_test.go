package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// Any run over any users is taken back: everybody has what they had, but for
// those whom somebody has changed since, who keep either all or nothing of what
// the run did. What has no way back is the default method of a user who had none.
func TestAnyRunIsTakenBack(t *testing.T) {
	t.Parallel()
	const users, touched = 80, 6
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("MUSTERTEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d (set MUSTERTEST_SEED to repeat)", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var directory, file strings.Builder
	file.WriteString("user,Mobile,AlternateMobile,OfficePhone,PerUserMfaState,SmsSignIn,DefaultMethod,DefaultMethodMode\n")
	for i := range users {
		u := anyUser(r, i)
		if err := tenant.WriteUsers(&directory, []tenant.User{u}); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(2) {
			file.WriteString(anyRow(r, u, 10*i))
		}
	}
	l := startWith(t, directory.String())
	env := append(l.graphOnly(), newKey(t), "MUSTER_CONCURRENCY=100", "MUSTER_LEDGER="+filepath.Join(t.TempDir(), "ledger"))
	before := l.users(t)
	muster(t, env, "", "apply", writeFile(t, "users.csv", file.String()), "--run", "any", "--log-level", "error", "--quiet")
	if l.stats(t).Writes < users/2 {
		t.Fatalf("only %d writes, so little is proved", l.stats(t).Writes)
	}
	for i, name := range slices.Sorted(maps.Keys(before))[:touched] {
		change := [][]string{{"set", name, "--office", fictional(3000 + i)}, {"mfa", name, []string{"disabled", "enforced"}[r.IntN(2)]}}[i%2]
		muster(t, l.graphOnly(), "", append([]string{"user"}, change...)...).expect(t, 0)
	}
	since := l.users(t)
	muster(t, env, "", "rollback", "any", "--run", "back", "--log-level", "error", "--quiet")
	after := l.users(t)
	for i, name := range slices.Sorted(maps.Keys(before)) {
		b, s, a := holdingsOf(before[name]), holdingsOf(since[name]), holdingsOf(after[name])
		for part, want := range b {
			switch {
			case a[part] == want, i < touched && a[part] == s[part], part == "default" && want == "":
			default:
				t.Errorf("%s has %s %q; it was %q before the run and %q before the rollback", name, part, a[part], want, s[part])
			}
		}
	}
}

// holdingsOf are the parts that a run can change. Entra ID itself turns enabled
// into enforced.
func holdingsOf(u tenant.User) map[string]string {
	return map[string]string{
		"mobile": u.Phones.Mobile, "alternate mobile": u.Phones.AlternateMobile, "office": u.Phones.Office,
		"state": strings.ReplaceAll(u.PerUserMFAState, "enabled", "enforced"), "default": u.DefaultMethod, "SMS sign-in": strconv.FormatBool(u.SMSSignIn),
	}
}

// anyUser draws what a user has.
func anyUser(r *rand.Rand, i int) tenant.User {
	u := tenant.User{
		UserPrincipalName: fmt.Sprintf("user%03d@contoso.example", i), SMSSignInAllowed: r.IntN(2) == 0,
		PerUserMFAState: []string{"disabled", "enforced"}[r.IntN(2)],
	}
	var defaults []string
	if r.IntN(3) > 0 {
		u.Phones.Mobile = fictional(10*i + 9)
		u.SMSSignIn = u.SMSSignInAllowed && r.IntN(2) == 0
		defaults = append(defaults, "sms", "voiceMobile")
		if r.IntN(3) == 0 {
			u.Phones.AlternateMobile = fictional(10*i + 8)
			defaults = append(defaults, "voiceAlternateMobile")
		}
	}
	if r.IntN(3) == 0 {
		u.Phones.Office = fictional(10*i + 7)
		defaults = append(defaults, "voiceOffice")
	}
	if r.IntN(4) == 0 {
		u.Authenticator = []tenant.Authenticator{{DisplayName: "Pixel 8"}}
		defaults = append(defaults, "push")
	}
	if len(defaults) > 0 && r.IntN(4) > 0 {
		u.DefaultMethod = defaults[r.IntN(len(defaults))]
	}
	return u
}

// anyRow draws a row of a file for a user; from that number on there are six to
// choose from. Most rows ask for what can be had: each refusal takes seconds, for
// the worker looks again.
func anyRow(r *rand.Rand, u tenant.User, number int) string {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	phone := func() string { return pick("", "", "-", fictional(number+r.IntN(6))) }
	mobile, alternate, office := phone(), "", phone()
	defaults := []string{"", ""}
	if keeps := mobile == "" && u.Phones.Mobile != ""; keeps || len(mobile) > 1 {
		alternate = phone()
		defaults = append(defaults, "sms", "voiceMobile")
	} else if mobile == "-" {
		alternate = "-"
	}
	if len(office) > 1 {
		defaults = append(defaults, "voiceOffice")
	}
	sms, method, mode := "", pick(defaults...), ""
	if u.SMSSignInAllowed && len(mobile) > 1 {
		sms = pick("", "on", "off")
	}
	if method != "" {
		mode = pick("", "force", "most-secure")
	}
	state := pick("", "disabled", "enabled", "enforced")
	return strings.Join([]string{u.UserPrincipalName, mobile, alternate, office, state, sms, method, mode}, ",") + "\n"
}
