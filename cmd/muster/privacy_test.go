package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// TestNothingPersonalIsEmitted runs the whole road with everything switched on,
// numbers good and bad, and looks for the numbers and user principal names of
// its input in whatever was emitted: logs at the finest level, traces, metrics,
// outcomes, summaries, dead-letter properties. The rejects file alone may hold
// them.
func TestNothingPersonalIsEmitted(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "60", "--quota", "unlimited", "--log-level", "debug", "--lock-duration", "30s")
	secret := newSecrets()
	// The load takes numbers that are only possible; the worker does not, so
	// some land in the dead-letter queue.
	file := secret.file(t)
	dir := t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name) }
	key := writeFile(t, "key", "an invented key, long enough")
	var said bytes.Buffer
	note := func(r result) result {
		said.WriteString(r.stdout + r.stderr)
		return r
	}
	loud := append(l.env(fast...), "MUSTER_LOG_LEVEL=debug", "MUSTER_USER_HASH_KEY_FILE="+key)
	note(muster(t, loud, "", "load", file, "--run", "private", "--numbers", "possible", "--region", "NL",
		"--rejects", out("rejects.csv"), "--traces-file", out("load.jsonl"))).expect(t, 3)
	note(muster(t, loud, "", "publish", "--user", secret.name("user000001@contoso.example"), "--mobile", secret.number("+31 6 1234 56"),
		"--traces-file", out("publish.jsonl"))).expect(t, 0)
	note(muster(t, loud, `{"tenant":"contoso.example","user":"`+secret.name("nobody.publishes@contoso.example")+`","phones":{"mobile":"`+secret.number("+12065550177")+`"},"run":"private"}`,
		"publish", "--binary", "--json", "--traces-file", out("publish2.jsonl"))).expect(t, 0)

	admin := freeAddress(t)
	w := start(t, loud, nil, "worker", "--until-empty", "--admin-address", admin, "--outcomes", out("outcomes.jsonl"), "--traces-file", out("worker.jsonl"))
	w.stderr.waitFor(t, "dead_lettered") // in the line that the end writes
	if code := w.wait(); code != 0 {
		t.Fatalf("worker: exit code %d\n%s", code, w.stderr.String())
	}
	said.WriteString(w.stderr.String())

	note(muster(t, loud, "", "apply", file, "--run", "applied", "--numbers", "possible", "--region", "NL", "--rejects", out("rejects2.csv"),
		"--summary", out("summary.json"), "--traces-file", out("apply.jsonl"))).expect(t, 3)
	note(muster(t, loud, "", "deadletter", "list", "--each")).expect(t, 0)
	said.WriteString(deadLetterProperties(t, l))
	said.WriteString(l.stderr.String())
	for _, name := range []string{"load.jsonl", "publish.jsonl", "publish2.jsonl", "outcomes.jsonl", "worker.jsonl", "summary.json", "apply.jsonl"} {
		content, err := os.ReadFile(out(name))
		if err != nil {
			t.Fatal(err)
		}
		if len(content) == 0 {
			t.Errorf("%s is empty", name)
		}
		said.Write(content)
	}
	if reasons := l.deadLetters(t); reasons["InvalidPhoneNumber"] == 0 || reasons["UnknownUser"] == 0 {
		t.Errorf("dead letters %v; want some with InvalidPhoneNumber and UnknownUser, or nothing is proved", reasons)
	}
	rejects, err := os.ReadFile(out("rejects.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if len(secret.find(string(rejects))) == 0 {
		t.Error("the search finds nothing in the rejects file, where there is something to find")
	}
	for _, found := range secret.find(said.String()) {
		t.Error(found)
	}
}

// The metrics of a worker that is at work are of use, and name nobody.
func TestMetricsHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "60", "--quota", "unlimited", "--faults", "none")
	secret := newSecrets()
	muster(t, l.env(), "", "load", secret.file(t), "--numbers", "possible", "--region", "NL", "--rejects", filepath.Join(t.TempDir(), "r")).expect(t, 3)
	admin := freeAddress(t)
	outcomes := filepath.Join(t.TempDir(), "outcomes")
	w := start(t, l.env(fast...), nil, "worker", "--admin-address", admin, "--outcomes", outcomes)
	w.stderr.waitFor(t, "dead-lettered")
	get := func(path string) string {
		resp, err := http.Get("http://" + admin + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode) + " " + string(body)
	}
	if got := get("/healthz"); got != "200 ok\n" {
		t.Errorf("/healthz: %s", got)
	}
	if got := get("/readyz"); !strings.HasPrefix(got, `200 {"receiving":true`) {
		t.Errorf("/readyz: %s", got)
	}
	metrics := get("/metrics")
	for _, name := range []string{"muster_commands_total{", "messaging_process_duration_seconds_bucket{", "http_client_request_duration_seconds_bucket{", "muster_budget_wait_seconds_bucket{", "go_goroutines"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("the metrics have no %s", name)
		}
	}
	if code := w.stop(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, w.stderr.String())
	}
	for _, found := range secret.find(metrics) {
		t.Error(found)
	}
}

// secrets remembers what must not be seen again.
type secrets struct {
	names  []string
	digits []string // of numbers, whole and without their country codes
	raw    []string
}

// digitRun is what may be a number in any punctuation.
var digitRun = regexp.MustCompile(`[0-9](?:[ ().-]?[0-9]){7,}`)

func newSecrets() *secrets { return &secrets{} }

func (s *secrets) name(upn string) string {
	s.names = append(s.names, strings.ToLower(upn))
	return upn
}

// number remembers the number's digits, with and without its country code, so
// far as they are not too few to mean anything.
func (s *secrets) number(raw string) string {
	digits := onlyDigits(raw)
	for _, part := range []string{digits, strings.TrimPrefix(strings.TrimPrefix(digits, "0"), "31"), strings.TrimPrefix(digits, "1")} {
		if len(part) >= 8 {
			s.digits = append(s.digits, part)
		}
	}
	s.raw = append(s.raw, raw)
	return raw
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// file has a row of every fate.
func (s *secrets) file(t *testing.T) string {
	var b strings.Builder
	b.WriteString("UPN,Mobile,AlternateMobile,OfficePhone,SmsSignIn,DefaultMethod\n")
	row := func(user, mobile, alternate, office, rest string) {
		for _, n := range []string{mobile, alternate, office} {
			if n != "" {
				s.number(n)
			}
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s\n", s.name(user), mobile, alternate, office, rest)
	}
	for i := 1; i <= 20; i++ {
		row(fmt.Sprintf("user%06d@contoso.example", i), fictional(i), fictional(100+i), fictional(200+i)+"x77", ",")
	}
	for i := 21; i <= 25; i++ {
		row(fmt.Sprintf("user%06d@contoso.example", i), "06123456"+fmt.Sprint(i), "", "", "on,sms")
	}
	for i := 26; i <= 30; i++ { // possible, and not valid
		row(fmt.Sprintf("user%06d@contoso.example", i), fmt.Sprintf("+1 55555512%d", i), "", "", ",")
	}
	for i := 31; i <= 35; i++ { // not even possible
		row(fmt.Sprintf("user%06d@contoso.example", i), fmt.Sprintf("+1 2065550%d77777777", i), "", "", ",")
	}
	for i := range 5 {
		row(fmt.Sprintf("nobody.at.all.%d@contoso.example", i), fictional(300+i), "", "", ",")
	}
	row("user000040@contoso.example", "", fictional(400), "", ",")
	return writeFile(t, "users.csv", b.String())
}

// find returns a line for each secret that the text holds.
func (s *secrets) find(text string) []string {
	var found []string
	lower := strings.ToLower(text)
	for _, name := range s.names {
		if i := strings.Index(lower, name); i >= 0 {
			found = append(found, fmt.Sprintf("%s stands in: …%s…", name, around(text, i)))
		}
	}
	for _, at := range digitRun.FindAllStringIndex(text, -1) {
		// Ids are full of digits, and stand between letters or dashes.
		if at[0] > 0 && partOfID(text[at[0]-1]) || at[1] < len(text) && partOfID(text[at[1]]) {
			continue
		}
		run := onlyDigits(text[at[0]:at[1]])
		for _, digits := range s.digits {
			if strings.Contains(run, digits) {
				found = append(found, fmt.Sprintf("%s stands in: …%s…", digits, around(text, at[0])))
			}
		}
	}
	for _, raw := range s.raw {
		if i := strings.Index(text, raw); i >= 0 {
			found = append(found, fmt.Sprintf("%s stands in: …%s…", raw, around(text, i)))
		}
	}
	return found
}

func partOfID(c byte) bool { return 'a' <= c && c <= 'f' || c == '-' }

func around(text string, i int) string { return text[max(0, i-60):min(len(text), i+60)] }

// deadLetterProperties is what a person sees of dead letters in any tool: their
// properties, without their bodies.
func deadLetterProperties(t *testing.T, l *local) string {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(l.ServiceBus, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())
	receiver, err := client.NewReceiverForQueue("commands", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		t.Fatal(err)
	}
	list, err := receiver.PeekMessages(t.Context(), 250, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range list {
		if id, _ := m.ApplicationProperties["trace-id"].(string); len(id) != 32 {
			t.Errorf("a dead letter has the trace id %q", id)
		}
		fmt.Fprintln(&b, m.MessageID, m.ApplicationProperties, *m.DeadLetterReason, *m.DeadLetterErrorDescription)
	}
	return b.String()
}
