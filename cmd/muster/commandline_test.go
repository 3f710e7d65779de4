package main_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExitCodesOfUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		env  []string
		args []string
		says string
	}{
		{"unknown flag", nil, []string{"worker", "--nonsense"}, "--nonsense"},
		{"unknown command", nil, []string{"wroker"}, "wroker"},
		{"unknown environment variable", []string{"MUSTER_QUEU=x"}, []string{"worker"}, "MUSTER_QUEU"},
		{"environment variable with a wrong value", []string{"MUSTER_CONCURRENCY=many"}, []string{"worker"}, "MUSTER_CONCURRENCY"},
		{"missing flags are all named", nil, []string{"worker"}, "--servicebus (or MUSTER_SERVICEBUS) is missing\n"},
		{"missing queue", []string{"MUSTER_SERVICEBUS=x"}, []string{"worker"}, "--queue"},
		{"no file", nil, []string{"apply"}, "takes one file"},
		{"too many arguments", nil, []string{"local", "here"}, "takes no argument"},
		{"plain http beyond loopback", nil, []string{"apply", "x.csv", "--graph", "http://graph.example.com", "--tenant", "a"}, "plain http"},
		{"unknown cloud", nil, []string{"apply", "x.csv", "--cloud", "moon"}, "moon"},
		{"unknown quota", nil, []string{"local", "--quota", "tiny", "--amqp-port", "0", "--amqps-port", "0", "--management-port", "0", "--graph-port", "0"}, "tiny"},
		{"wrong rate", nil, []string{"apply", "x.csv", "--writes-per-second", "0"}, "unlimited"},
		{"a report writes nothing", nil, []string{"report", "--writes-per-second", "5"}, "unknown flag"},
		{"a look at a user writes nothing", nil, []string{"user", "show", "ada@contoso.example", "--write-burst", "5"}, "unknown flag"},
		{"doctor writes nothing", nil, []string{"doctor", "--writes-per-second", "5"}, "unknown flag"},
		{"a state is no number", nil, []string{"user", "mfa", "ada@contoso.example", "enabled", "--region", "NL"}, "unknown flag"},
		{"wrong log format", nil, []string{"local", "--log-format", "xml"}, "xml"},
		{"unknown schema", nil, []string{"schema", "rows"}, "command, event, outcome"},
		{"publish nothing", []string{"MUSTER_SERVICEBUS=x", "MUSTER_QUEUE=q"}, []string{"publish"}, "standard input"},
		{"publish without a wish", []string{"MUSTER_SERVICEBUS=x", "MUSTER_QUEUE=q"}, []string{"publish", "--tenant", "a.example", "--user", "u@a.example"}, "MalformedCommand"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := muster(t, test.env, "", test.args...).expect(t, 2)
			if !strings.Contains(r.stderr, test.says) {
				t.Errorf("stderr %q does not say %q", r.stderr, test.says)
			}
			if r.stdout != "" {
				t.Errorf("stdout has %q", r.stdout)
			}
		})
	}
}

// A file that can't be read as it is leads to what can be done about it.
func TestAFileThatIsRefusedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"UPN,Mobile,Department\n": "--ignore-column",
		"PK\x03\x04":              "CSV UTF-8",
		"":                        "must hold column names",
	} {
		r := muster(t, nil, "", "apply", writeFile(t, "users.csv", text), "--graph", "http://127.0.0.1:1", "--tenant", "contoso.example").expect(t, 1)
		if !strings.Contains(r.stderr, says) {
			t.Errorf("stderr %q does not say %q", r.stderr, says)
		}
	}
}

// A value that is wrong may be a secret in the wrong variable.
func TestAWrongEnvironmentValueIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := muster(t, []string{"MUSTER_CONCURRENCY=hunter2"}, "", "worker").expect(t, 2)
	if strings.Contains(r.stderr, "hunter2") {
		t.Errorf("stderr repeats the value: %s", r.stderr)
	}
}

func TestAKeyOnTheCommandLineIsWarnedAbout(t *testing.T) {
	t.Parallel()
	const connection = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=very-secret-key"
	const warning = "readable by everybody"
	args := []string{"publish", "--queue", "q", "--tenant", "a.example", "--user", "u@a.example", "--mobile", "1", "--servicebus"}
	for name, test := range map[string]struct {
		env  []string
		args []string
		warn bool
	}{
		"flag":        {nil, append(args, connection), true},
		"environment": {[]string{"MUSTER_SERVICEBUS=" + connection}, args[:len(args)-1], false},
		"file":        {nil, append(args, "@"+writeFile(t, "connection", connection+"\n")), false},
		"emulator":    {nil, append(args, connection+";UseDevelopmentEmulator=true"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, nil, test.args...)
			if test.warn {
				p.stderr.waitFor(t, warning)
				return
			}
			// Nobody listens there, so the command ends with an error by itself.
			if code := p.wait(); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if text := p.stderr.String(); strings.Contains(text, warning) || strings.Contains(text, "very-secret-key") {
				t.Errorf("stderr: %s", text)
			}
		})
	}
}

func TestHelpNamesEveryCommandAndExitCode(t *testing.T) {
	t.Parallel()
	help := muster(t, nil, "", "--help").expect(t, 0).stdout
	for _, want := range []string{"apply", "deadletter", "doctor", "ledger", "load", "local", "publish", "report", "rollback", "schema", "user", "worker", "Exit codes:", "130"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not name %q", want)
		}
	}
	for _, name := range []string{"apply", "doctor", "load", "local", "publish", "report", "worker", "deadletter list", "rollback", "ledger show", "user show", "user set", "user remove", "user mfa", "user default", "user temporary", "user history"} {
		text := muster(t, nil, "", append(strings.Fields(name), "--help")...).expect(t, 0).stdout
		if !strings.Contains(text, "Exit codes:") {
			t.Errorf("the help of %s has no exit codes", name)
		}
	}
}

func TestSchemasArePrinted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"command", "event", "outcome"} {
		var schema map[string]any
		if err := json.Unmarshal([]byte(muster(t, nil, "", "schema", name).expect(t, 0).stdout), &schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $schema is %v", name, schema["$schema"])
		}
	}
}
