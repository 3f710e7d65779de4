package messages_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/muster-mfa/muster/messages"
)

// wantSound checks what holds of every decoding: either a typed error, or an
// event that both modes carry without change.
func wantSound(t *testing.T, e messages.Event, err error) {
	t.Helper()
	if err != nil {
		var fault *messages.DecodeError
		if !errors.As(err, &fault) || fault.Reason == "" || fault.Path == "" || fault.Problem == "" {
			t.Fatalf("error %v is not a whole *DecodeError", err)
		}
		return
	}
	for _, encode := range []func(messages.Event) (messages.Encoded, error){messages.Event.Structured, messages.Event.Binary} {
		m, err := encode(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := messages.Decode(m)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v\n%s", err, m.Body)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("after a round trip (-want +got):\n%s", diff)
		}
	}
}

func FuzzDecodeStructured(f *testing.F) {
	docs := readDocuments(f, "event.json")
	for _, doc := range append(docs.Good, docs.Bad...) {
		f.Add([]byte(doc.Document))
	}
	for _, test := range unschemable {
		f.Add(structuredEvent([]byte(test.body)).Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := messages.Decode(messages.Encoded{ContentType: messages.StructuredContentType, Body: body})
		wantSound(t, e, err)
		if err == nil && !json.Valid(body) {
			t.Fatal("accepted what encoding/json calls invalid")
		}
	})
}

func FuzzDecodeBinary(f *testing.F) {
	docs := readDocuments(f, "command.json")
	for _, doc := range append(docs.Good, docs.Bad...) {
		f.Add("application/json", "id", "A1", "2026-05-04T08:30:00Z", []byte(doc.Document))
	}
	f.Add("text/json;charset=utf-8", "subject", "x", "", []byte(smsData))
	f.Add("", "_id", "B2", "9999-12-31T23:59:59-01:00", []byte(smsData))
	f.Fuzz(func(t *testing.T, contentType, name, value, at string, body []byte) {
		m := binaryEvent(body)
		m.ContentType = contentType
		m.Properties["cloudEvents:"+name] = value
		m.Properties["cloudEvents_time"] = at
		e, err := messages.Decode(m)
		wantSound(t, e, err)
		if err == nil && contentType != messages.StructuredContentType && !json.Valid(body) {
			t.Fatal("accepted what encoding/json calls invalid")
		}
	})
}

// FuzzEncode makes events of any values: what can be encoded decodes to the
// same event.
func FuzzEncode(f *testing.F) {
	f.Add("A1", "/hr", int64(1777883400), "contoso.example", "jan@contoso.example", "+31 612345678", true, "enabled", "sms", "id", "r1", 2)
	f.Add("A1", "/hr", int64(1777883400), "contoso.example", "jan@contoso.example", "", false, "enforced", "push", "Pixel 8", "remove", 2)
	f.Add("A1", "/hr", int64(1777883400), "contoso.example", "jan@contoso.example", "1", true, "disabled", "none", "id", "force", 365)
	f.Add("A1", "/hr", int64(-62135596800), "a", "ö\"\\\n", "", false, "", "", "", "", 0)
	f.Add("\u2028", "<&>", int64(253402300800), "\x7f", "\x00", "\t", false, "on", "email", "/", "\u0085", -1)
	f.Fuzz(func(t *testing.T, id, source string, at int64, tenant, user, number string, on bool, state, method, remove, run string, row int) {
		e := messages.Event{
			ID: id, Source: source, Time: time.Unix(at, 0).UTC(),
			Command: messages.Command{
				Tenant: tenant, User: user, SMSSignIn: &on, Run: run, Row: row,
				Phones:          messages.Phones{messages.Mobile: number, messages.Office: messages.Remove},
				PerUserMFAState: messages.MFAState(state), DefaultMethod: messages.DefaultMethod(method),
			},
		}
		if remove != "" {
			e.Command.Authenticator.Remove, e.Command.Authenticator.RemoveNamed = []string{remove}, []string{remove}
			e.Command.Authenticator.RemoveOlderThanDays, e.Command.Authenticator.RemoveAll = row, on
			e.Command.PhoneMode, e.Command.DefaultMethodMode = messages.PhoneMode(run), messages.DefaultMethodMode(run)
			e.Command.ProtectLastMethod = &on
			e.Command.Expect = &messages.Expectation{
				Phones: messages.Phones{messages.Office: number}, SMSSignIn: &on,
				PerUserMFAState: messages.MFAState(state), DefaultMethod: messages.DefaultMethod(method),
			}
		}
		m, err := e.Structured()
		if err != nil {
			wantSound(t, e, err)
			return
		}
		again, err := messages.Decode(m)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v\n%s", err, m.Body)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("after a round trip (-want +got):\n%s", diff)
		}
	})
}

// FuzzSchemaAgrees looks for documents on which schema and decoder differ. A
// document is first written anew by encoding/json, which takes away what a
// schema cannot see: members given twice, bad text, numbers in odd spellings.
func FuzzSchemaAgrees(f *testing.F) {
	for _, file := range []string{"event.json", "command.json"} {
		docs := readDocuments(f, file)
		for _, doc := range append(docs.Good, docs.Bad...) {
			f.Add([]byte(doc.Document))
			f.Add(structuredEvent(doc.Document).Body)
		}
	}
	command, event := compileSchema(f, messages.CommandSchemaURI), compileSchema(f, messages.EventSchemaURI)
	f.Fuzz(func(t *testing.T, body []byte) {
		var value any
		if json.Unmarshal(body, &value) != nil {
			return
		}
		body, err := json.Marshal(value)
		if err != nil || len(body) > messages.MaxBody {
			return
		}
		for _, unseen := range []string{`"0000-`, `"9999-`, `:-0`} {
			if bytes.Contains(body, []byte(unseen)) {
				return // a time that may leave the calendar in UTC; the sign of zero
			}
		}
		_, err = messages.DecodeCommand(body)
		wantAgreed(t, "command", body, judgeSchema(t, command, body), err)
		_, err = messages.Decode(messages.Encoded{ContentType: messages.StructuredContentType, Body: body})
		wantAgreed(t, "event", body, judgeSchema(t, event, body), err)
	})
}

func wantAgreed(t *testing.T, what string, body []byte, schema, decoder error) {
	t.Helper()
	var invalid *jsonschema.ValidationError
	if schema != nil && !errors.As(schema, &invalid) {
		t.Fatalf("the %s schema fails otherwise than by judging: %v", what, schema)
	}
	if (schema == nil) != (decoder == nil) {
		t.Fatalf("the %s schema says %v, the decoder says %v of\n%s", what, schema, decoder, body)
	}
}

func FuzzDecodeOutcome(f *testing.F) {
	line, err := messages.EncodeOutcome(wholeOutcome())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	for _, doc := range readDocuments(f, "outcome.json").Good {
		f.Add([]byte(`{"specversion":"1.0","type":"` + messages.OutcomeType + `","id":"B1","source":"/t","data":` + string(doc.Document) + `}`))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := messages.DecodeOutcome(line)
		if err != nil {
			wantSound(t, messages.Event{}, err)
			return
		}
		again, err := messages.EncodeOutcome(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		second, err := messages.DecodeOutcome(again)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
		if diff := cmp.Diff(e, second); diff != "" {
			t.Fatalf("after a round trip (-want +got):\n%s", diff)
		}
	})
}
