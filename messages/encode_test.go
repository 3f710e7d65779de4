package messages_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/messages"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a golden file, or writes it under -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// travelling is the golden form of an encoded event: all of it, body as text.
func travelling(t *testing.T, m messages.Encoded) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{
		"contentType": m.ContentType, "applicationProperties": m.Properties, "body": string(m.Body),
	}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func smallEvent() messages.Event {
	return messages.Event{
		ID: "A1", Source: "/hr",
		Command: messages.Command{Tenant: "contoso.example", User: "jan@contoso.example", SMSSignIn: pointer(true)},
	}
}

func wholeOutcome() messages.OutcomeEvent {
	return messages.OutcomeEvent{
		ID: "B1", Source: "/muster/worker", Time: time.Date(2026, 5, 4, 8, 31, 0, 0, time.UTC),
		Outcome: messages.Outcome{
			CommandID: "A1", Tenant: "contoso.example", UserID: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
			Result: messages.Refused, Reason: "InvalidPhoneNumber", Detail: "The mobile number is too short.\nAsk for another.",
			Warnings: []string{"DefaultMethodKept", "AlreadyEnabled"}, Writes: 2,
			TraceID: "0af7651916cd43dd8448eb211c80319c", Run: "r1", Row: 2,
		},
	}
}

func TestGoldenEncodings(t *testing.T) {
	for _, test := range []struct {
		file   string
		event  messages.Event
		encode func(messages.Event) (messages.Encoded, error)
	}{
		{"structured.json", wholeEvent(), messages.Event.Structured},
		{"structured-small.json", smallEvent(), messages.Event.Structured},
		{"binary.json", wholeEvent(), messages.Event.Binary},
		{"binary-small.json", smallEvent(), messages.Event.Binary},
	} {
		t.Run(test.file, func(t *testing.T) {
			m, err := test.encode(test.event)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, test.file, travelling(t, m))
			got, err := messages.Decode(m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.event, got); diff != "" {
				t.Errorf("decoded again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGoldenOutcome(t *testing.T) {
	line, err := messages.EncodeOutcome(wholeOutcome())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "outcome.jsonl", append(line, '\n'))
	if bytes.ContainsRune(line, '\n') {
		t.Error("the line has a line break in it")
	}
	got, err := messages.DecodeOutcome(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeOutcome(), got); diff != "" {
		t.Errorf("decoded again (-want +got):\n%s", diff)
	}
}

func TestEncodingsMeetTheSchemas(t *testing.T) {
	event, command := compileSchema(t, messages.EventSchemaURI), compileSchema(t, messages.CommandSchemaURI)
	for _, e := range []messages.Event{wholeEvent(), smallEvent()} {
		structured, err := e.Structured()
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeSchema(t, event, structured.Body); err != nil {
			t.Error(err)
		}
		binary, err := e.Binary()
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeSchema(t, command, binary.Body); err != nil {
			t.Error(err)
		}
	}
	line, err := messages.EncodeOutcome(wholeOutcome())
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(line, &envelope); err != nil {
		t.Fatal(err)
	}
	if err := judgeSchema(t, compileSchema(t, messages.OutcomeSchemaURI), envelope.Data); err != nil {
		t.Error(err)
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for _, test := range []struct {
		name    string
		spoil   func(*messages.Event)
		reason  string
		path    string
		problem string
	}{
		{"no id", func(e *messages.Event) { e.ID = "" }, messages.ReasonMalformed, "$.id", "must not be empty"},
		{"long id", func(e *messages.Event) { e.ID = strings.Repeat("i", 129) }, messages.ReasonMalformed, "$.id", "must not be longer than 128 characters"},
		{"no source", func(e *messages.Event) { e.Source = "" }, messages.ReasonMalformed, "$.source", "must not be empty"},
		{"source with a space", func(e *messages.Event) { e.Source = "a b" }, messages.ReasonMalformed, "$.source", "must not contain spaces"},
		{"traceparent with a line break", func(e *messages.Event) { e.TraceParent = "a\n" }, messages.ReasonMalformed, "$.traceparent", "must not contain control characters"},
		{"tracestate in bad UTF-8", func(e *messages.Event) { e.TraceState = "\xff" }, messages.ReasonMalformed, "$.tracestate", "must be valid UTF-8"},
		{"year of five digits", func(e *messages.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, messages.ReasonMalformed, "$.time", "must lie in the years 0 to 9999"},
		{"no command", func(e *messages.Event) { e.Command = messages.Command{} }, messages.ReasonMalformed, "$.data.tenant", "is required"},
		{"asks for nothing", func(e *messages.Event) { e.Command.SMSSignIn = nil; e.Command.Phones = messages.Phones{} }, messages.ReasonMalformed, "$.data", "asks for nothing"},
		{"user in bad UTF-8", func(e *messages.Event) { e.Command.User = "\xff" }, messages.ReasonMalformed, "$.data.user", "must be valid UTF-8"},
		{"phone in bad UTF-8", func(e *messages.Event) { e.Command.Phones = messages.Phones{"mobile": "\xff"} }, messages.ReasonMalformed, "$.data.phones.mobile", "must be valid UTF-8"},
		{"phone type unknown", func(e *messages.Event) { e.Command.Phones = messages.Phones{"home": "1"} }, messages.ReasonMalformed, "$.data.phones", "has an unknown phone type"},
		{"empty id of a method", func(e *messages.Event) { e.Command.Authenticator.Remove = []string{""} }, messages.ReasonMalformed, "$.data.authenticator.remove[0]", "must not be empty"},
		{"state unknown", func(e *messages.Event) { e.Command.PerUserMFAState = "on" }, messages.ReasonMalformed, "$.data.perUserMfaState", "must be one of"},
		{"phone mode unknown", func(e *messages.Event) {
			e.Command.Phones, e.Command.PhoneMode = messages.Phones{"mobile": "1"}, "replace"
		}, messages.ReasonMalformed, "$.data.phoneMode", "must be one of"},
		{"age negative", func(e *messages.Event) { e.Command.Authenticator.RemoveOlderThanDays = -1 }, messages.ReasonMalformed, "$.data.authenticator.removeOlderThanDays", "must be a whole number from 1 to 36500"},
		{"expects nothing", func(e *messages.Event) { e.Command.Expect = &messages.Expectation{Phones: messages.Phones{}} }, messages.ReasonMalformed, "$.data.expect", "must hold at least one of"},
		{"expected phone type unknown", func(e *messages.Event) {
			e.Command.Expect = &messages.Expectation{Phones: messages.Phones{"home": "1"}}
		}, messages.ReasonMalformed, "$.data.expect.phones", "has an unknown phone type"},
		{"default none is not to be had", func(e *messages.Event) { e.Command.DefaultMethod = messages.DefaultNone }, messages.ReasonMalformed, "$.data.defaultMethod", "must be one of"},
		{"row negative", func(e *messages.Event) { e.Command.Row = -1 }, messages.ReasonMalformed, "$.data.row", "must be a whole number from 0 to 2147483647"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := smallEvent()
			test.spoil(&e)
			_, err := e.Structured()
			wantFault(t, err, test.reason, test.path, test.problem)
			_, err = e.Binary()
			wantFault(t, err, test.reason, test.path, test.problem)
		})
	}
}

func TestEncodeOutcomeRefuses(t *testing.T) {
	for _, test := range []struct {
		name          string
		spoil         func(*messages.OutcomeEvent)
		path, problem string
	}{
		{"no id", func(e *messages.OutcomeEvent) { e.ID = "" }, "$.id", "must not be empty"},
		{"no result", func(e *messages.OutcomeEvent) { e.Outcome.Result = "" }, "$.data.result", "is required"},
		{"no reason", func(e *messages.OutcomeEvent) { e.Outcome.Reason = "" }, "$.data.reason", "is required"},
		{"empty warning", func(e *messages.OutcomeEvent) { e.Outcome.Warnings = []string{""} }, "$.data.warnings[0]", "is required"},
		{"negative writes", func(e *messages.OutcomeEvent) { e.Outcome.Writes = -1 }, "$.data.writes", "must be a whole number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := wholeOutcome()
			test.spoil(&e)
			_, err := messages.EncodeOutcome(e)
			wantFault(t, err, messages.ReasonMalformedOutcome, test.path, test.problem)
		})
	}
}

func TestDecodeOutcomeRefuses(t *testing.T) {
	for _, test := range []struct{ name, line, reason, path string }{
		{"a command", `{"specversion":"1.0","type":"` + messages.CommandType + `","id":"A1","source":"/a","data":` + smsData + `}`, messages.ReasonUnsupportedType, "$.type"},
		{"bare data", `{"result":"applied"}`, messages.ReasonNotCloudEvent, "$"},
		{"two on a line", `{} {}`, messages.ReasonMalformedOutcome, "$"},
		{"empty line", ``, messages.ReasonMalformedOutcome, "$"},
		{"too long", strings.Repeat(" ", messages.MaxBody+1), messages.ReasonMalformedOutcome, "$"},
		{"no data", `{"specversion":"1.0","type":"` + messages.OutcomeType + `","id":"A1","source":"/a"}`, messages.ReasonMalformedOutcome, "$.data"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := messages.DecodeOutcome([]byte(test.line))
			wantFault(t, err, test.reason, test.path, "")
		})
	}
}

// Every command that the documents call good reads the same after it is
// written in either mode.
func TestGoodDocumentsSurviveARoundTrip(t *testing.T) {
	for _, doc := range readDocuments(t, "command.json").Good {
		t.Run(doc.Name, func(t *testing.T) {
			want, err := messages.Decode(structuredEvent(doc.Document))
			if err != nil {
				t.Fatal(err)
			}
			for _, encode := range []func(messages.Event) (messages.Encoded, error){messages.Event.Structured, messages.Event.Binary} {
				m, err := encode(want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := messages.Decode(m)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("after a round trip (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// The limits of the single values keep the longest event below MaxBody, so
// encoding needs no check of its own.
func TestTheLongestEventFits(t *testing.T) {
	smile := strings.Repeat("\U0001f600", 1024)
	text := func(characters int) string { return smile[:4*characters] }
	number := strings.Repeat("\x00", 100)
	e := wholeEvent()
	e.ID, e.Source, e.TraceParent, e.TraceState = text(128), text(256), text(128), text(1024)
	e.Command.Tenant, e.Command.User, e.Command.Run = text(253), text(256), text(128)
	e.Command.Row = 1<<31 - 1
	e.Command.Phones = messages.Phones{messages.Mobile: number, messages.AlternateMobile: number, messages.Office: number}
	e.Command.Expect.Phones = e.Command.Phones
	e.Command.PhoneMode, e.Command.DefaultMethodMode = messages.PhoneModeAddOnly, messages.DefaultModeOnlyIfNone
	e.Command.Authenticator = messages.Authenticator{RemoveOlderThanDays: 36_500, RemoveAll: true}
	for i := range 50 {
		e.Command.Authenticator.Remove = append(e.Command.Authenticator.Remove, text(126)+strconv.Itoa(10+i))
	}
	for i := range 20 {
		e.Command.Authenticator.RemoveNamed = append(e.Command.Authenticator.RemoveNamed, text(126)+strconv.Itoa(10+i))
	}
	m, err := e.Structured()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(m.Body), messages.MaxBody; got > want {
		t.Errorf("the longest event has %d bytes, want at most %d", got, want)
	}
	if _, err := messages.Decode(m); err != nil {
		t.Errorf("the longest event is refused: %v", err)
	}

	o := wholeOutcome()
	o.ID, o.Source, o.Outcome.CommandID = text(128), text(256), text(128)
	o.Outcome.Tenant, o.Outcome.UserID, o.Outcome.Run = text(253), text(256), text(128)
	o.Outcome.Detail = strings.Repeat("\x00", 4096)
	o.Outcome.Warnings = slices.Repeat([]string{strings.Repeat("W", 64)}, 50)
	line, err := messages.EncodeOutcome(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := messages.DecodeOutcome(line); err != nil {
		t.Errorf("the longest outcome is refused: %v", err)
	}
}
