package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// made is what muster queues create --json prints.
type made struct {
	Queue, State string
	Differences  []struct {
		Property, Is, Want, Severity, Why string
		Lasting                           bool
	}
}

func createQueue(t *testing.T, env []string, code int, args ...string) made {
	t.Helper()
	r := muster(t, env, "", append([]string{"queues", "create", "--json"}, args...)...).expect(t, code)
	var m made
	if err := json.Unmarshal([]byte(r.stdout), &m); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	return m
}

func TestQueuesCreate(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none", "--session-queue", "orders")
	env := l.env("MUSTER_MANAGEMENT=" + l.Management)
	if m := createQueue(t, env, 0, "fresh"); m.State != "created" || m.Queue != "fresh" || m.Differences == nil || len(m.Differences) != 0 {
		t.Errorf("a new queue: %+v", m)
	}
	if m := createQueue(t, env, 0, "fresh", "--update"); m.State != "suits" {
		t.Errorf("the same once more: %+v", m)
	}
	if findings := examine(t, append(env, "MUSTER_QUEUE=fresh"), 0); !has(findings, "queue-properties", "ok", "suit a worker") || !has(findings, "queue-manage", "ok", "") {
		t.Errorf("findings %+v", findings)
	}
	muster(t, append(env, "MUSTER_QUEUE=fresh"), "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 0)
	muster(t, append(env, "MUSTER_QUEUE=fresh"), "", "worker", "--until-empty").expect(t, 0)

	if m := createQueue(t, env, 3, "commands"); m.State != "differs" || len(m.Differences) != 3 {
		t.Errorf("a queue that differs: %+v", m)
	}
	if m := createQueue(t, env, 3, "commands", "--update"); m.State != "updated" || len(m.Differences) != 1 || m.Differences[0].Property != "RequiresDuplicateDetection" || !m.Differences[0].Lasting {
		t.Errorf("a queue that was updated: %+v", m)
	}
	if m := createQueue(t, env, 0, "commands", "--duplicate-detection", "0"); m.State != "suits" {
		t.Errorf("without detection of duplicates: %+v", m)
	}
	if m := createQueue(t, env, 0, "basic", "--duplicate-detection", "0"); m.State != "created" {
		t.Errorf("without detection of duplicates: %+v", m)
	}
	if m := createQueue(t, env, 3, "fresh", "--duplicate-detection", "48h"); len(m.Differences) != 1 || m.Differences[0].Property != "DuplicateDetectionHistoryTimeWindow" {
		t.Errorf("a queue that forgets too early: %+v", m)
	}
	if m := createQueue(t, env, 0, "fresh", "--duplicate-detection", "48h", "--update"); m.State != "updated" {
		t.Errorf("a queue that remembers for longer now: %+v", m)
	}
	r := muster(t, env, "", "queues", "create", "orders", "--update").expect(t, 3)
	for _, want := range []string{"The queue orders was updated.", "error    RequiresSession is true; a worker wants false.", "This can't be changed: make another queue."} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not said:\n%s", want, r.stdout)
		}
	}
	if findings := examine(t, append(env, "MUSTER_QUEUE=orders"), 1); !has(findings, "queue-listen", "error", "requires sessions") || has(findings, "queue-properties", "error", "") {
		t.Errorf("findings %+v", findings)
	}
	for _, args := range [][]string{{}, {"a", "b"}, {"$x"}, {"a//b"}, {"a", "--duplicate-detection", "1s"}, {"a", "--management", "ftp://x"}, {"a", "--servicebus", ""}} {
		muster(t, env, "", append([]string{"queues", "create"}, args...)...).expect(t, 2)
	}
	muster(t, append(env, "MUSTER_MANAGEMENT=127.0.0.1:1"), "", "queues", "create", "x").expect(t, 1)
}

// Without Manage the properties are a note, and a queue can't be made.
func TestQueuesWithoutManage(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none", "--key", "worker:c:Listen")
	env := l.env("MUSTER_MANAGEMENT=" + l.Management)
	if findings := examine(t, env, 0); !has(findings, "queue-manage", "note", "the right Manage is missing") || !has(findings, "queue-listen", "ok", "") {
		t.Errorf("findings %+v", findings)
	}
	if findings := examine(t, l.env("MUSTER_MANAGEMENT=127.0.0.1:1"), 0); !has(findings, "queue-manage", "note", "could not be read") {
		t.Errorf("findings %+v", findings)
	}
	if r := muster(t, env, "", "queues", "create", "x").expect(t, 1); !strings.Contains(r.stderr, "It needs the right Manage") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

// With --tls the management API speaks TLS, as Azure's does.
func TestQueuesCreateOverTLS(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "tls")
	l := startLocal(t, "--users", "1", "--tls", folder)
	env := l.env("MUSTER_MANAGEMENT=" + l.Management)
	if m := createQueue(t, env, 0, "fresh", "--ca-file", filepath.Join(folder, "ca.pem")); m.State != "created" {
		t.Errorf("a new queue: %+v", m)
	}
	muster(t, env, "", "queues", "create", "fresh").expect(t, 1)
}

func TestLocalConfig(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--config", "../../examples/servicebus.json")
	if strings.Join(l.Queues, " ") != "commands joiners unheard" || strings.Join(l.SessionQueues, " ") != "joiners" || len(l.Topics) != 1 || l.Topics[0].Name != "people" || strings.Join(l.Topics[0].Subscriptions, " ") != "everything new" {
		t.Errorf("announced %v, %v, %v", l.Queues, l.SessionQueues, l.Topics)
	}
	muster(t, l.env(), "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 0)
	muster(t, l.env(), "", "worker", "--until-empty").expect(t, 0)

	for _, args := range [][]string{{"--queue", "a"}, {"--session-queue", "a"}, {"--lock-duration", "30s"}, {"--max-delivery-count", "3"}} {
		r := muster(t, nil, "", append([]string{"local", "--config", "../../examples/servicebus.json"}, args...)...).expect(t, 2)
		if !strings.Contains(r.stderr, "it excludes "+args[0]) {
			t.Errorf("stderr: %s", r.stderr)
		}
	}
	wrong := writeFile(t, "config.json", `{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Propertys": {}}], "Topic": []}]}}`)
	r := muster(t, nil, "", "local", "--config", wrong).expect(t, 2)
	for _, want := range []string{wrong + ": read configuration:\nline 1, column 58: ", `the member "Propertys" is unknown`, `the member "Topic" is unknown`} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not said:\n%s", want, r.stderr)
		}
	}
	muster(t, nil, "", "local", "--config", "nowhere").expect(t, 2)
}

// The queue that the environment names for other commands does not stand in the way
// of a configuration.
func TestLocalConfigBesideTheEnvironment(t *testing.T) {
	t.Parallel()
	config := writeFile(t, "config.json", `{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Properties": {"RequiresSession": true}}]}]}} // small`)
	out := newLogBuffer()
	p := start(t, []string{"MUSTER_QUEUE=commands"}, out, "local", "--users", "1", "--amqp-port", "0", "--management-port", "0", "--graph-port", "0", "--config", config)
	out.waitFor(t, "MUSTER_GRAPH=")
	if text := out.String(); !strings.Contains(text, "Queues       q (sessions)\nManagement   http://127.0.0.1:") || strings.Contains(text, "muster worker") || strings.Contains(text, "MUSTER_QUEUE") || !strings.Contains(text, " MUSTER_MANAGEMENT=http://127.0.0.1:") {
		t.Errorf("announced:\n%s", text)
	}
	p.stderr.waitFor(t, "MUSTER_QUEUE")
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
