package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

// newKey makes a key as a person would.
func newKey(t testing.TB) string {
	t.Helper()
	return "MUSTER_LEDGER_KEY=" + strings.TrimSpace(muster(t, nil, "", "ledger", "key").expect(t, 0).stdout)
}

// A run is taken back: everybody has again what they had, but for those who were
// changed since; doing it again changes nothing, and the rollback itself can be
// taken back.
func TestARunIsTakenBack(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "40", "--quota", "unlimited", "--faults", "none")
	key := newKey(t)
	dir := t.TempDir()
	kept := filepath.Join(dir, "ledger")
	env := append(l.env(fast...), key, "MUSTER_LEDGER="+kept)
	before := l.users(t)

	var file strings.Builder
	file.WriteString("user,mobile,OfficePhone,PerUserMfaState\n")
	for i := 1; i <= 40; i++ {
		state := map[bool]string{true: "enforced"}[i%3 == 0]
		fmt.Fprintf(&file, "user%06d@contoso.example,%s,%s,%s\n", i, fictional(i), fictional(500+i), state)
	}
	run := func(args ...string) summary {
		name := filepath.Join(t.TempDir(), "summary")
		r := muster(t, env, "", append(args, "--quiet", "--log-level", "error", "--summary", name)...)
		var s summary
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, r.stderr)
		}
		if err := json.Unmarshal(content, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	load := run("apply", writeFile(t, "users.csv", file.String()), "--run", "spring", "--rejects", filepath.Join(dir, "rejects"))
	if load.Applied < 30 || load.Failed+load.DeadLettered > 0 {
		t.Fatalf("the run: %+v", load)
	}
	afterRun := l.users(t)

	// Somebody changes one of them before the run is taken back.
	const busy = "user000007@contoso.example"
	muster(t, l.env(fast...), "", "user", "set", busy, "--mobile", "+1 206 555 0199").expect(t, 0)

	dry := muster(t, env, "", "rollback", "spring", "--dry-run").expect(t, 0).stdout
	if !strings.Contains(dry, "numbers set to what they were") || !strings.Contains(dry, "nothing written") {
		t.Errorf("dry run:\n%s", dry)
	}
	back := run("rollback", "spring", "--run", "undo")
	if back.Skipped != 1 || back.Applied != load.Applied-1 || back.Failed+back.DeadLettered+back.Unchanged > 0 {
		t.Errorf("rollback: %+v, want all but one of %d applied, and one skipped", back, load.Applied)
	}
	want := before
	want[busy] = afterRun[busy]
	u := want[busy]
	u.Phones.Mobile = "+1 2065550199"
	want[busy] = u
	compareHoldings(t, want, l.users(t))

	writes := l.stats(t).Writes
	if again := run("rollback", "spring", "--run", "undo-again"); again.Applied != 0 || again.Skipped != 1 || l.stats(t).Writes != writes {
		t.Errorf("a second rollback: %+v after %d writes", again, l.stats(t).Writes-writes)
	}
	if forth := run("rollback", "undo", "--run", "redo"); forth.Applied != back.Applied || forth.Failed+forth.DeadLettered > 0 {
		t.Errorf("taking the rollback back: %+v", forth)
	}
	afterRun[busy] = want[busy]
	compareHoldings(t, afterRun, l.users(t))

	var runs []struct {
		Run          string
		Users, Plans int
	}
	if err := json.Unmarshal([]byte(muster(t, env, "", "ledger", "show", kept, "--json").expect(t, 0).stdout), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != 3 || runs[0].Run != "spring" || runs[0].Users != load.Applied || runs[1].Run != "undo" || runs[2].Run != "redo" {
		t.Errorf("the ledger holds %+v", runs)
	}
}

// compareHoldings compares numbers, states and defaults. Entra ID itself enforces
// what is enabled once there is a method; a default that was none stays.
func compareHoldings(t *testing.T, want, got map[string]tenant.User) {
	t.Helper()
	type holding struct {
		Phones     tenant.Phones
		State      string
		SMSSignIn  bool
		Registered int
	}
	view := func(all map[string]tenant.User) map[string]holding {
		m := make(map[string]holding, len(all))
		for name, u := range all {
			state := strings.ReplaceAll(u.PerUserMFAState, "enabled", "enforced")
			m[name] = holding{u.Phones, state, u.SMSSignIn, len(u.Authenticator)}
		}
		return m
	}
	if diff := cmp.Diff(view(want), view(got)); diff != "" {
		t.Error(diff)
	}
}

func TestTheLedgerNeedsItsKey(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	dir := t.TempDir()
	kept := filepath.Join(dir, "ledger")
	keyFile := writeFile(t, "key", muster(t, nil, "", "ledger", "key").expect(t, 0).stdout)
	set := []string{"user", "set", adaName, "--mobile", "+1 206 555 0107", "--ledger", kept}
	if r := muster(t, l.env(fast...), "", set...).expect(t, 2); !strings.Contains(r.stderr, "MUSTER_LEDGER_KEY") {
		t.Errorf("without a key: %s", r.stderr)
	}
	if r := muster(t, append(l.env(fast...), "MUSTER_LEDGER_KEY=hunter2"), "", set...).expect(t, 2); strings.Contains(r.stderr, "hunter2") {
		t.Errorf("a wrong key is repeated: %s", r.stderr)
	}
	if got := l.stats(t).Writes; got != 0 {
		t.Fatalf("%d writes without a ledger that was asked for", got)
	}
	r := muster(t, l.env(fast...), "", append(set, "--ledger-key-file", keyFile)...).expect(t, 0)
	if !strings.Contains(r.stdout, "In the ledger as run user-") {
		t.Errorf("stdout: %s", r.stdout)
	}
	if r := muster(t, append(l.env(fast...), newKey(t)), "", "ledger", "show", kept).expect(t, 1); !strings.Contains(r.stderr, "key does not open") {
		t.Errorf("another key: %s", r.stderr)
	}
	withKey := func(args ...string) result {
		return muster(t, l.env(fast...), "", append(args, "--ledger-key-file", keyFile)...)
	}
	if r := withKey("rollback", "no-such-run", "--ledger", kept).expect(t, 1); !strings.Contains(r.stderr, "muster ledger show") {
		t.Errorf("an unknown run: %s", r.stderr)
	}
	withKey("rollback", "x", "--ledger", filepath.Join(dir, "no-such-file")).expect(t, 2)
	withKey("rollback", "x").expect(t, 2)
	file, err := os.OpenFile(kept, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte{0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	file.Close()
	if r := withKey("ledger", "show", kept).expect(t, 0); !strings.Contains(r.stderr, "unfinished record of 3 bytes") {
		t.Errorf("a torn end is not told of: %s", r.stderr)
	}
	if r := withKey("worker", "--until-empty", "--ledger", kept).expect(t, 0); !strings.Contains(r.stderr, "unfinished record") {
		t.Errorf("a torn end is not told of by the worker: %s", r.stderr)
	}
}

// A ledger that can't be written ends the command of a person at once, and
// nothing is changed.
func TestAFullLedgerEndsTheCommandOfAPerson(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	env := append(l.env(fast...), newKey(t), "MUSTER_LEDGER="+filepath.Join(t.TempDir(), "ledger"))
	for i := range 20 {
		before := l.ada(t).Phones.Mobile
		cmd := command(env, "user", "set", adaName, "--mobile", fictional(200+i))
		// ulimit counts in blocks of 512 bytes, or in some shells of 1024.
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 2; exec "$@"`, "sh"}, cmd.Args...)
		shell, err := exec.LookPath("sh")
		if err != nil {
			t.Fatalf("find the shell that limits the size of files: %v", err)
		}
		cmd.Path = shell
		said, err := cmd.CombinedOutput()
		if err == nil {
			continue
		}
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "can't be kept in the ledger") {
			t.Errorf("exit code %d\n%s", code, said)
		}
		if got := l.ada(t).Phones.Mobile; got != before {
			t.Errorf("the mobile is %s, want still %s", got, before)
		}
		return
	}
	t.Error("the ledger never became full")
}

// Where the registration behind the default method is gone for good, everything
// else is taken back. The name of the run is in letters of several bytes, and cut.
func TestRollbackWithoutTheRegistration(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	before := l.ada(t)
	env := append(l.env(fast...), newKey(t), "MUSTER_LEDGER="+filepath.Join(t.TempDir(), "ledger"))
	run := "r" + strings.Repeat("ü", 30)
	file := writeFile(t, "users.csv", "user,mobile,DefaultMethod,DefaultMethodMode,RemoveAuthenticator\n"+adaName+",+1 206 555 0177,sms,force,all\n")
	muster(t, env, "", "apply", file, "--run", run).expect(t, 0)
	r := muster(t, env, "", "rollback", run).expect(t, 0)
	for _, want := range []string{"1 Microsoft Authenticator registrations stay removed", "1 default methods stay: the Microsoft Authenticator", "Run rü"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the text does not hold %q:\n%s", want, r.stdout)
		}
	}
	if got := l.ada(t); got.Phones != before.Phones || got.SMSSignIn != before.SMSSignIn || got.DefaultMethod != "sms" || len(got.Authenticator) != 0 {
		t.Errorf("after the rollback: %+v", got)
	}
	muster(t, env, "", "apply", writeFile(t, strings.Repeat("ä", 60)+".csv", "user,mobile\n"+adaName+",+1 206 555 0178\n")).expect(t, 0)
}

// What has no way back is said.
func TestRollbackSaysWhatHasNoWayBack(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	kept := filepath.Join(t.TempDir(), "ledger")
	env := append(l.env(fast...), newKey(t), "MUSTER_LEDGER="+kept)
	c := userChange{}
	if err := json.Unmarshal([]byte(muster(t, env, "", "user", "default", adaName, "sms", "--mode", "force", "--json").expect(t, 0).stdout), &c); err != nil {
		t.Fatal(err)
	}
	muster(t, env, "", "rollback", c.Run).expect(t, 0)
	if got := l.ada(t).DefaultMethod; got != "push" {
		t.Errorf("the default method is %s, want push again", got)
	}
	muster(t, env, "", "user", "default", adaName, "sms", "--mode", "force").expect(t, 0)
	if err := json.Unmarshal([]byte(muster(t, env, "", "user", "remove", adaName, "--authenticator", tenant.UserID(tenant.UserID(adaName)+"/authenticator/0"), "--json").expect(t, 0).stdout), &c); err != nil {
		t.Fatal(err)
	}
	if r := muster(t, env, "", "rollback", c.Run, "--dry-run").expect(t, 0); !strings.Contains(r.stdout, "1 Microsoft Authenticator registrations stay removed") {
		t.Errorf("stdout: %s", r.stdout)
	}
}

// Whenever the worker is killed, the ledger has what it had begun to change: the
// run can be taken back whole.
func TestAKilledRunIsTakenBack(t *testing.T) {
	t.Parallel()
	const kills, rows = 4, 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	l := startLocal(t, "--users", strconv.Itoa(rows), "--quota", "unlimited", "--faults", "none", "--lock-duration", "5s", "--max-delivery-count", "1000")
	before := l.users(t)
	file, want := killFile(t, r, before, rows)
	muster(t, l.env(), "", "load", file, "--run", "first").expect(t, 0)
	var moment countdown
	env := append(l.env(fast...), newKey(t), "MUSTER_LEDGER="+filepath.Join(t.TempDir(), "ledger"))
	proxied := append(env, "MUSTER_GRAPH="+proxyGraph(t, l.Graph, moment.pull))
	for range kills {
		w := start(t, proxied, nil, "worker")
		// A row makes about five requests, and each two crossings.
		moment.set(1+r.Int64N(10*rows/kills), w.kill)
		w.wait()
	}
	muster(t, proxied, "", "worker", "--until-empty").expect(t, 0)
	compare(t, want, l.users(t))
	muster(t, env, "", "rollback", "first", "--quiet").expect(t, 0)
	compareHoldings(t, before, l.users(t))
}
