package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// TestNothingIsLostToSIGKILL runs the real worker on a real queue and kills it at
// random moments: as a request leaves for Graph, as a reply comes back, as a
// piece of AMQP passes in either direction. Whatever the moment, at the end the
// tenant holds what the file says for every row, no message is left and none was
// dead-lettered; and a second run of the file writes nothing.
func TestNothingIsLostToSIGKILL(t *testing.T) {
	t.Parallel()
	kills, rows := 10, 2000
	if n, err := strconv.Atoi(os.Getenv("MUSTERTEST_KILLS")); err == nil {
		kills, rows = n, 200*n
	}
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("MUSTERTEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d (set MUSTERTEST_SEED to repeat)", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	l := startLocal(t, "--users", strconv.Itoa(rows), "--quota", "unlimited", "--seed", strconv.FormatUint(seed, 10),
		"--lock-duration", "5s", "--max-delivery-count", "1000")
	file, want := killFile(t, r, l.users(t), rows)
	muster(t, l.env(), "", "load", file, "--run", "first").expect(t, 0)

	var moment countdown
	env := append(l.env(fast...),
		"MUSTER_GRAPH="+proxyGraph(t, l.Graph, moment.pull),
		"MUSTER_SERVICEBUS="+proxyAMQP(t, l.ServiceBus, moment.pull))
	for range kills {
		w := start(t, env, nil, "worker")
		// A run makes about eight crossings a row.
		moment.set(1+r.Int64N(int64(8*rows/kills)), w.kill)
		w.wait()
	}
	muster(t, env, "", "worker", "--until-empty").expect(t, 0)

	compare(t, want, l.users(t))
	if got := l.deadLetters(t); len(got) > 0 {
		t.Errorf("dead letters: %v, want none", got)
	}
	before := l.stats(t)
	muster(t, l.env(), "", "load", file, "--run", "second").expect(t, 0)
	outcomes := filepath.Join(t.TempDir(), "outcomes")
	muster(t, env, "", "worker", "--until-empty", "--outcomes", outcomes).expect(t, 0)
	if after := l.stats(t); after.Writes != before.Writes {
		t.Errorf("the second run made %d writes, want none", after.Writes-before.Writes)
	}
	said, err := os.ReadFile(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(said), `"result":"unchanged"`); got != rows {
		t.Errorf("the second run left %d users unchanged, want %d", got, rows)
	}
}

// killFile writes a file with one row for each user and returns what the tenant
// must hold afterwards.
func killFile(t *testing.T, r *rand.Rand, users map[string]tenant.User, rows int) (string, map[string]tenant.User) {
	t.Helper()
	var b strings.Builder
	b.WriteString("UserPrincipalName,Mobile,AlternateMobile,OfficePhone,PerUserMfaState\n")
	want := make(map[string]tenant.User, rows)
	for i := range rows {
		name := fmt.Sprintf("user%06d@contoso.example", i+1)
		u, ok := users[name]
		if !ok {
			t.Fatalf("the tenant has no %s", name)
		}
		phones := tenant.Phones{Mobile: fictional(i)}
		if r.IntN(3) == 0 {
			phones.AlternateMobile = fictional(rows + i)
		}
		if r.IntN(3) == 0 {
			phones.Office = fictional(2*rows+i) + "x" + strconv.Itoa(10+r.IntN(90))
		}
		cells := []string{name, phones.Mobile, phones.AlternateMobile, phones.Office, ""}
		if r.IntN(2) == 0 {
			u.PerUserMFAState = "enforced"
			cells[4] = "enforced"
		}
		u.Phones = phones
		want[name] = u
		b.WriteString(strings.Join(cells, ",") + "\n")
	}
	return writeFile(t, "users.csv", b.String()), want
}

// fictional is the i-th of the numbers that the North American plan keeps for
// fiction, 555-0100 to 555-0199 in every area code. The areas are none of those
// that the tenant's own users have.
func fictional(i int) string {
	areas := []int{213, 312, 713, 202, 305, 404, 512, 602, 612, 614, 619, 646, 703,
		704, 720, 801, 813, 816, 901, 916, 919, 201, 203, 205, 207, 208, 209, 210, 214, 215, 216,
		217, 218, 219, 224, 225, 228, 229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267}
	area := areas[i/100%len(areas)]
	return fmt.Sprintf("+1 %d55501%02d", area, i%100)
}

// compare checks the parts that the file is about.
func compare(t *testing.T, want, got map[string]tenant.User) {
	t.Helper()
	wrong := 0
	for name, w := range want {
		g := got[name]
		for phone, pair := range map[string][2]string{
			"mobile":          {g.Phones.Mobile, w.Phones.Mobile},
			"alternateMobile": {g.Phones.AlternateMobile, w.Phones.AlternateMobile},
			"office":          {g.Phones.Office, w.Phones.Office},
		} {
			if pair[1] != "" && pair[0] != pair[1] {
				t.Errorf("%s has %s %q, want %q", name, phone, pair[0], pair[1])
				wrong++
			}
		}
		if w.PerUserMFAState == "enforced" && g.PerUserMFAState != w.PerUserMFAState {
			t.Errorf("%s has the state %s, want %s", name, g.PerUserMFAState, w.PerUserMFAState)
			wrong++
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
}
