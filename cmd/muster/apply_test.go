package main_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

type summary struct {
	Rows, Accepted, Rejected, Applied, Unchanged, Failed int
	DeadLettered                                         int `json:"dead_lettered"`
	Skipped                                              int
	ByReason                                             map[string]int `json:"by_reason"`
	Graph                                                struct {
		Requests, Writes, Throttled int64
		RedundantWrites             int64 `json:"redundant_writes"`
	}
}

func readSummary(t *testing.T, path string) summary {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s summary
	if err := json.Unmarshal(content, &s); err != nil {
		t.Fatal(err)
	}
	if s.Rows != s.Accepted+s.Rejected || s.Accepted != s.Applied+s.Unchanged+s.DeadLettered+s.Failed {
		t.Errorf("the summary does not add up: %s", content)
	}
	return s
}

// A file with a header and no rows is a run like any other.
func TestApplyNoRows(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1")
	path := filepath.Join(t.TempDir(), "summary.json")
	r := muster(t, l.env(), "", "apply", writeFile(t, "users.csv", "user,mobile\n"), "--summary", path).expect(t, 0)
	if !strings.Contains(r.stdout, "0  rows") {
		t.Errorf("stdout: %s", r.stdout)
	}
	if s := readSummary(t, path); s.Rows != 0 {
		t.Errorf("summary %+v, want no rows", s)
	}
}

// The main job on the example: every row has the fate that the file was made
// for, the tenant agrees with the summary, and doing it again writes nothing.
func TestApplyTheExample(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users-file", "../../examples/directory.jsonl", "--quota", "unlimited")
	dir := t.TempDir()
	apply := func(name string) summary {
		muster(t, l.env(fast...), "", "apply", "../../examples/users.csv", "--region", "NL", "--run", name, "--quiet", "--log-level", "error",
			"--rejects", filepath.Join(dir, name+".csv"), "--summary", filepath.Join(dir, name+".json")).expect(t, 3)
		return readSummary(t, filepath.Join(dir, name+".json"))
	}
	first := apply("first")
	if first.Rows != 1000 || first.Rejected == 0 || first.Applied == 0 || first.Unchanged == 0 || first.Failed != 0 {
		t.Errorf("first run: %+v", first)
	}
	if first.ByReason["UnknownUser"] != first.DeadLettered {
		t.Errorf("%d dead-lettered, by reason %v; want unknown users and no others", first.DeadLettered, first.ByReason)
	}
	file, err := os.Open(filepath.Join(dir, "first.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rejects, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(rejects) - 1; got != first.Rejected {
		t.Errorf("the rejects file has %d rows, the summary %d", got, first.Rejected)
	}
	if got := strings.Join(rejects[0][len(rejects[0])-3:], ","); got != "row,reason,hint" {
		t.Errorf("the last columns of the rejects are %s", got)
	}
	second := apply("second")
	// Rows that contradict each other are applied in turn, again and again.
	if again := second.Applied; again > 2*contradictions {
		t.Errorf("second run applied %d rows, want at most the %d that contradict each other", again, 2*contradictions)
	}
	if second.Rejected != first.Rejected || second.DeadLettered != first.DeadLettered {
		t.Errorf("second run: %+v", second)
	}
}

// contradictions is how many users of the example have two rows that differ.
const contradictions = 15

func TestApplyWithoutATenantSaysSo(t *testing.T) {
	t.Parallel()
	r := muster(t, nil, "", "apply", writeFile(t, "users.csv", rows(1)), "--graph", "http://127.0.0.1:1").expect(t, 2)
	if !strings.Contains(r.stderr, "MUSTER_TENANT") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestAWrongHeaderIsAnError(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1")
	r := muster(t, l.env(), "", "load", writeFile(t, "users.csv", "user,mobil\na@contoso.example,1\n")).expect(t, 1)
	if !strings.Contains(r.stderr, "mobil") || !strings.Contains(r.stderr, "Mobile") {
		t.Errorf("stderr does not name the column and its like: %s", r.stderr)
	}
}

// A run that is interrupted says what it did not get to, and goes on where it
// was when it is run again.
func TestAnInterruptedApplyGoesOn(t *testing.T) {
	t.Parallel()
	const n = 300
	l := startLocal(t, "--users", "300", "--quota", "unlimited", "--faults", "none")
	file := writeFile(t, "users.csv", rows(n))
	dir := t.TempDir()
	args := func(name string) []string {
		return []string{"apply", file, "--quiet", "--rejects", filepath.Join(dir, "rejects"), "--summary", filepath.Join(dir, name)}
	}
	var moment countdown
	var once sync.Once
	reached := make(chan struct{})
	moment.set(200, func() { once.Do(func() { close(reached) }) })
	env := append(l.env(), "MUSTER_GRAPH="+proxyGraph(t, l.Graph, moment.pull), "MUSTER_WRITES_PER_SECOND=100", "MUSTER_WRITE_BURST=1")
	p := start(t, env, nil, args("first")...)
	<-reached
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.wait(); code != 130 {
		t.Fatalf("exit code %d, want 130\n%s", code, p.stderr.String())
	}
	first := readSummary(t, filepath.Join(dir, "first"))
	if left := first.ByReason["Interrupted"]; left == 0 || left != first.Failed || first.Applied == 0 {
		t.Errorf("first run: %+v; want some applied and the rest interrupted", first)
	}
	muster(t, l.env(fast...), "", args("second")...).expect(t, 0)
	second := readSummary(t, filepath.Join(dir, "second"))
	if second.Applied+first.Applied != n || second.Unchanged != first.Applied {
		t.Errorf("applied %d and then %d, unchanged %d; want %d in all, none twice", first.Applied, second.Applied, second.Unchanged, n)
	}
	if got := l.stats(t); got.Writes != n {
		t.Errorf("%d writes, want %d", got.Writes, n)
	}
}
