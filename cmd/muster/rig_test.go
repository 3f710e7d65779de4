package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/tenant"
)

// binary is the program under test: the real one, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "muster")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "muster")
		args := []string{"build", "-o", binary}
		if raceEnabled {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build muster: %v\n%s", err, out)
			return 1
		}
		code := m.Run()
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// muster runs a command to its end.
func muster(t testing.TB, env []string, stdin string, args ...string) result {
	t.Helper()
	cmd := command(env, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("muster %v: %v", args, err)
	}
	if strings.Contains(stderr.String(), "DATA RACE") {
		t.Errorf("muster %v: data race:\n%s", args, stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (r result) expect(t testing.TB, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// command prepares a process whose environment holds nothing of ours but env.
func command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "MUSTER") && !strings.HasPrefix(entry, "OTEL_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	// The race detector's runtime would let every process linger for a second.
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=50")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// process is a command that goes on.
type process struct {
	cmd    *exec.Cmd
	stderr *logBuffer
	done   chan struct{}
}

// start begins a command that the test ends at the latest.
func start(t testing.TB, env []string, stdout io.Writer, args ...string) *process {
	t.Helper()
	p := &process{cmd: command(env, args...), stderr: newLogBuffer(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if text := p.stderr.String(); strings.Contains(text, "DATA RACE") {
			t.Errorf("muster %v: data race:\n%s", args, text)
		}
	})
	return p
}

// kill ends the process at once, as the kernel does when memory runs out.
func (p *process) kill() { p.cmd.Process.Signal(syscall.SIGKILL) }

// stop asks the process to end and returns its exit code.
func (p *process) stop() int {
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

func (p *process) wait() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// local is a running muster local.
type local struct {
	*process
	ServiceBus string `json:"servicebus"`
	Management string `json:"management"`
	Graph      string `json:"graph"`
	AMQPSPort  int    `json:"amqps_port"`

	Queues        []string `json:"queues"`
	SessionQueues []string `json:"session_queues"`
	Topics        []struct {
		Name          string
		Subscriptions []string
	} `json:"topics"`
}

// startLocal returns once both services listen.
func startLocal(t testing.TB, args ...string) *local {
	t.Helper()
	r, w := io.Pipe()
	l := &local{process: start(t, nil, w, append([]string{"local", "--amqp-port", "0", "--amqps-port", "0", "--management-port", "0", "--graph-port", "0", "--json"}, args...)...)}
	go func() {
		<-l.done
		w.Close()
	}()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil {
		t.Fatalf("muster local is not ready: %v\n%s", err, l.stderr.String())
	}
	if err := json.Unmarshal(line, l); err != nil {
		t.Fatalf("muster local printed %q: %v", line, err)
	}
	return l
}

// env points other commands at the services.
func (l *local) env(more ...string) []string {
	return append([]string{
		"MUSTER_SERVICEBUS=" + l.ServiceBus, "MUSTER_QUEUE=commands", "MUSTER_GRAPH=" + l.Graph,
		"MUSTER_TENANT=contoso.example",
	}, more...)
}

// fast lifts the limits that would make a test wait.
var fast = []string{"MUSTER_READS_PER_SECOND=unlimited", "MUSTER_WRITES_PER_SECOND=unlimited"}

func (l *local) get(t testing.TB, path string) []byte {
	t.Helper()
	resp, err := http.Get(l.Graph + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, error %v", path, resp.StatusCode, err)
	}
	return body
}

// users is what the tenant really holds, by user principal name.
func (l *local) users(t testing.TB) map[string]tenant.User {
	t.Helper()
	list, err := tenant.ReadUsers(bytes.NewReader(l.get(t, "/_tenant/users")))
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]tenant.User, len(list))
	for _, u := range list {
		byName[strings.ToLower(u.UserPrincipalName)] = u
	}
	return byName
}

func (l *local) stats(t testing.TB) tenant.Stats {
	t.Helper()
	var s tenant.Stats
	if err := json.Unmarshal(l.get(t, "/_tenant/stats"), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// deadLetters lists the dead letters by reason.
func (l *local) deadLetters(t testing.TB) map[string]int {
	t.Helper()
	r := muster(t, l.env(), "", "deadletter", "list", "--json").expect(t, 0)
	var list struct {
		Reasons []struct {
			Reason string
			Count  int
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, reason := range list.Reasons {
		counts[reason.Reason] = reason.Count
	}
	return counts
}

func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
