package messages_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/muster-mfa/muster/messages"
)

// document is one row of the shared tables in testdata/documents: a document
// on which the schema and the decoder must agree. Path and Problem (its
// beginning) are what the decoder says to a bad one.
type document struct {
	Name     string          `json:"name"`
	Document json.RawMessage `json:"document"`
	Reason   string          `json:"reason"`
	Path     string          `json:"path"`
	Problem  string          `json:"problem"`
}

type documents struct {
	Good []document `json:"good"`
	Bad  []document `json:"bad"`
}

func readDocuments(t testing.TB, file string) documents {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "documents", file))
	if err != nil {
		t.Fatal(err)
	}
	var d documents
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	if len(d.Good) == 0 || len(d.Bad) == 0 {
		t.Fatalf("%s has %d good and %d bad documents", file, len(d.Good), len(d.Bad))
	}
	return d
}

// compileSchema returns one of the published schemas, with all of them at hand
// for references, and with formats asserted.
func compileSchema(t testing.TB, uri string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for uri, text := range map[string]string{
		messages.CommandSchemaURI: messages.CommandSchema(),
		messages.EventSchemaURI:   messages.EventSchema(),
		messages.OutcomeSchemaURI: messages.OutcomeSchema(),
	} {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("parse schema %s: %v", uri, err)
		}
		if got := parsed.(map[string]any)["$id"]; got != uri {
			t.Errorf("schema has $id %v, want %s", got, uri)
		}
		if err := compiler.AddResource(uri, parsed); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(uri)
	if err != nil {
		t.Fatalf("compile schema %s: %v", uri, err)
	}
	return schema
}

// judgeSchema validates the document by the schema.
func judgeSchema(t testing.TB, schema *jsonschema.Schema, doc []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("the document is no JSON: %v", err)
	}
	return schema.Validate(value)
}

// wantFault fails unless err is a DecodeError with this reason and path, and
// with a problem that begins so.
func wantFault(t *testing.T, err error, reason, path, problem string) {
	t.Helper()
	var fault *messages.DecodeError
	if !errors.As(err, &fault) {
		t.Fatalf("got error %v, want a *DecodeError", err)
	}
	if got, want := fault.Reason, reason; got != want {
		t.Errorf("reason is %q, want %q (%v)", got, want, err)
	}
	if got, want := fault.Path, path; got != want {
		t.Errorf("path is %q, want %q (%v)", got, want, err)
	}
	if got, want := fault.Problem, problem; !strings.HasPrefix(got, want) {
		t.Errorf("problem is %q, want one that begins %q", got, want)
	}
}

// structuredEvent wraps a command's data in an envelope without fault.
func structuredEvent(data []byte) messages.Encoded {
	body := `{"specversion":"1.0","type":"` + messages.CommandType + `","id":"A1","source":"/test","data":` + string(data) + `}`
	return messages.Encoded{ContentType: messages.StructuredContentType, Body: []byte(body)}
}

// binaryEvent makes a message in binary mode of a command's data.
func binaryEvent(data []byte) messages.Encoded {
	return messages.Encoded{
		ContentType: messages.BinaryContentType,
		Properties: map[string]any{
			"cloudEvents:specversion": "1.0",
			"cloudEvents:type":        messages.CommandType,
			"cloudEvents:id":          "A1",
			"cloudEvents:source":      "/test",
		},
		Body: data,
	}
}

// commandJudges are the four judges of a command's data. under is the path
// where each finds the data.
func commandJudges(t *testing.T) []struct {
	name, under string
	judge       func(data []byte) error
} {
	commandSchema := compileSchema(t, messages.CommandSchemaURI)
	eventSchema := compileSchema(t, messages.EventSchemaURI)
	return []struct {
		name, under string
		judge       func(data []byte) error
	}{
		{"command schema", "", func(data []byte) error { return judgeSchema(t, commandSchema, data) }},
		{"event schema", "", func(data []byte) error { return judgeSchema(t, eventSchema, structuredEvent(data).Body) }},
		{"DecodeCommand", "$", func(data []byte) error { _, err := messages.DecodeCommand(data); return err }},
		{"Decode structured", "$.data", func(data []byte) error { _, err := messages.Decode(structuredEvent(data)); return err }},
		{"Decode binary", "$.data", func(data []byte) error { _, err := messages.Decode(binaryEvent(data)); return err }},
	}
}

func TestSchemaAndDecoderAgreeOnCommands(t *testing.T) {
	docs := readDocuments(t, "command.json")
	for _, judge := range commandJudges(t) {
		for _, doc := range docs.Good {
			t.Run(judge.name+"/good/"+doc.Name, func(t *testing.T) {
				if err := judge.judge(doc.Document); err != nil {
					t.Errorf("refused: %v", err)
				}
			})
		}
		for _, doc := range docs.Bad {
			t.Run(judge.name+"/bad/"+doc.Name, func(t *testing.T) {
				err := judge.judge(doc.Document)
				if err == nil {
					t.Fatal("accepted")
				}
				if judge.under != "" {
					path := judge.under + strings.TrimPrefix(doc.Path, "$")
					wantFault(t, err, messages.ReasonMalformed, path, doc.Problem)
				}
			})
		}
	}
}

func TestSchemaAndDecoderAgreeOnEvents(t *testing.T) {
	docs := readDocuments(t, "event.json")
	schema := compileSchema(t, messages.EventSchemaURI)
	decode := func(body []byte) error {
		_, err := messages.Decode(messages.Encoded{ContentType: messages.StructuredContentType, Body: body})
		return err
	}
	for _, doc := range docs.Good {
		t.Run("good/"+doc.Name, func(t *testing.T) {
			if err := judgeSchema(t, schema, doc.Document); err != nil {
				t.Errorf("the schema refuses: %v", err)
			}
			if err := decode(doc.Document); err != nil {
				t.Errorf("the decoder refuses: %v", err)
			}
		})
	}
	for _, doc := range docs.Bad {
		t.Run("bad/"+doc.Name, func(t *testing.T) {
			if judgeSchema(t, schema, doc.Document) == nil {
				t.Error("the schema accepts")
			}
			wantFault(t, decode(doc.Document), doc.Reason, doc.Path, doc.Problem)
		})
	}
}

func TestSchemaAndDecoderAgreeOnOutcomes(t *testing.T) {
	docs := readDocuments(t, "outcome.json")
	schema := compileSchema(t, messages.OutcomeSchemaURI)
	decode := func(data []byte) error {
		line := `{"specversion":"1.0","type":"` + messages.OutcomeType + `","id":"B1","source":"/test","data":` + string(data) + `}`
		_, err := messages.DecodeOutcome([]byte(line))
		return err
	}
	for _, doc := range docs.Good {
		t.Run("good/"+doc.Name, func(t *testing.T) {
			if err := judgeSchema(t, schema, doc.Document); err != nil {
				t.Errorf("the schema refuses: %v", err)
			}
			if err := decode(doc.Document); err != nil {
				t.Errorf("the decoder refuses: %v", err)
			}
		})
	}
	for _, doc := range docs.Bad {
		t.Run("bad/"+doc.Name, func(t *testing.T) {
			if judgeSchema(t, schema, doc.Document) == nil {
				t.Error("the schema accepts")
			}
			wantFault(t, decode(doc.Document), messages.ReasonMalformedOutcome, doc.Path, doc.Problem)
		})
	}
}

func TestDocumentNamesAreUnique(t *testing.T) {
	for _, file := range []string{"command.json", "event.json", "outcome.json"} {
		docs := readDocuments(t, file)
		seen := map[string]bool{}
		for _, doc := range append(docs.Good, docs.Bad...) {
			if seen[doc.Name] {
				t.Errorf("%s: %q is there twice", file, doc.Name)
			}
			seen[doc.Name] = true
		}
	}
}
