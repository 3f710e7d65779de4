package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (l *local) post(t testing.TB, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, l.Graph+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d", method, path, resp.StatusCode)
	}
}

func rows(n int) string {
	var b strings.Builder
	b.WriteString("user,mobile\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "user%06d@contoso.example,%s\n", i, fictional(i))
	}
	return b.String()
}

// A worker that is told to stop finishes what it has begun and gives the rest
// back: nothing is locked afterwards, and another worker goes on at once.
func TestSIGTERMGivesTheRestBack(t *testing.T) {
	t.Parallel()
	const n = 400
	l := startLocal(t, "--users", fmt.Sprint(n), "--quota", "unlimited", "--faults", "none", "--lock-duration", "5m")
	muster(t, l.env(), "", "load", writeFile(t, "users.csv", rows(n))).expect(t, 0)

	var moment countdown
	stopped := make(chan struct{})
	env := append(l.env(), "MUSTER_GRAPH="+proxyGraph(t, l.Graph, moment.pull), "MUSTER_WRITES_PER_SECOND=100", "MUSTER_WRITE_BURST=1")
	w := start(t, env, nil, "worker", "--grace", "30s")
	moment.set(300, func() {
		go func() {
			defer close(stopped)
			if code := w.stop(); code != 0 {
				t.Errorf("exit code %d, want 0\n%s", code, w.stderr.String())
			}
		}()
	})
	<-stopped
	written := l.stats(t).Writes
	if written == 0 || written >= n {
		t.Errorf("%d writes before the stop, want some and not all", written)
	}
	// With locks of five minutes, whatever was kept would hold this up.
	muster(t, l.env(fast...), "", "worker", "--until-empty").expect(t, 0)
	if got := l.stats(t); got.Writes != n || got.RedundantWrites != 0 {
		t.Errorf("%d writes, %d of them redundant; want %d and none", got.Writes, got.RedundantWrites, n)
	}
}

// A tenant that refuses the application is paused: the log names the permission
// that is missing, no message is dead-lettered, and once it is granted the
// worker goes on by itself.
func TestAMissingPermissionPausesTheTenant(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "20", "--quota", "unlimited", "--faults", "none")
	l.post(t, http.MethodPost, "/_tenant/deny", `{"status":403}`)
	muster(t, l.env(), "", "load", writeFile(t, "users.csv", rows(20))).expect(t, 0)
	admin := freeAddress(t)
	w := start(t, l.env(fast...), nil, "worker", "--until-empty", "--admin-address", admin, "--first-pause", "100ms")
	w.stderr.waitFor(t, "missing_permission=User.Read.All")
	resp, err := http.Get("http://" + admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	var status struct{ Paused []string }
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil || len(status.Paused) != 1 {
		t.Errorf("/readyz says paused: %v, error %v; want the tenant", status.Paused, err)
	}
	resp.Body.Close()
	if got := l.deadLetters(t); len(got) != 0 {
		t.Errorf("dead letters %v, want none", got)
	}
	l.post(t, http.MethodDelete, "/_tenant/deny", "")
	if code := w.wait(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, w.stderr.String())
	}
	if got := l.deadLetters(t); len(got) != 0 {
		t.Errorf("dead letters %v, want none", got)
	}
	if got := l.stats(t).Writes; got != 20 {
		t.Errorf("%d writes, want 20", got)
	}
}

func TestWorkerRefusesWhatCanNotWork(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1")
	r := muster(t, append(l.env(), "MUSTER_QUEUE=no-such-queue"), "", "worker").expect(t, 1)
	if !strings.Contains(r.stderr, "queue not found") {
		t.Errorf("stderr: %s", r.stderr)
	}
	r = muster(t, append(l.env(), "MUSTER_SERVICEBUS="+strings.Replace(l.ServiceBus, "SAS_KEY_VALUE", "wrong", 1)), "", "worker").expect(t, 1)
	if !strings.Contains(r.stderr, "not authorized") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

// A worker whose queue is out of reach says so, and still stops in order: the
// connection that can't be closed any more is no failure of its own.
func TestAWorkerWithoutItsQueueStopsInOrder(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none")
	w := start(t, l.env(), nil, "worker")
	w.stderr.waitFor(t, "worker started")
	l.kill()
	w.stderr.waitFor(t, "receiving failed")
	if code := w.stop(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, w.stderr.String())
	}
}

// One trace leads from the publisher to the dead-letter queue.
func TestOneTraceForACommand(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none")
	dir := t.TempDir()
	for name, args := range map[string][]string{"structured": nil, "binary": {"--binary"}} {
		published := muster(t, l.env(), "", append([]string{"publish", "--json", "--user", "user000001@contoso.example", "--mobile", "+31 123",
			"--traces-file", filepath.Join(dir, name+".jsonl")}, args...)...).expect(t, 0)
		var ids struct{ TraceID string }
		if err := json.Unmarshal([]byte(published.stdout), &ids); err != nil || len(ids.TraceID) != 32 {
			t.Fatalf("publish printed %q", published.stdout)
		}
		traces := filepath.Join(dir, name+"-worker.jsonl")
		muster(t, l.env(), "", "worker", "--until-empty", "--traces-file", traces).expect(t, 0)
		content, err := os.ReadFile(traces)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range []string{"process commands", "decode", "dead_letter commands"} {
			if !bytes.Contains(content, []byte(`"name":"`+span+`"`)) {
				t.Errorf("%s: the trace has no span %q", name, span)
			}
		}
		if got := bytes.Count(content, []byte(`"traceId":"`+ids.TraceID+`"`)); got < 3 {
			t.Errorf("%s: %d spans are in the publisher's trace, want all", name, got)
		}
		list := muster(t, l.env(), "", "deadletter", "list", "--each").expect(t, 0).stdout
		if !strings.Contains(list, ids.TraceID) || !strings.Contains(list, "InvalidPhoneNumber") {
			t.Errorf("%s: the dead letters do not name the trace and the reason:\n%s", name, list)
		}
	}
}
