package messages_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/messages"
)

func pointer[T any](v T) *T { return &v }

// wholeEvent is an event that uses everything there is.
func wholeEvent() messages.Event {
	return messages.Event{
		ID:     "5b1f7f0e-3c0a-4d43-9d3e-0f6b7a1c2d3e",
		Source: "https://hr.contoso.example/joiners",
		Time:   time.Date(2026, 5, 4, 8, 30, 0, 123456789, time.UTC),
		Command: messages.Command{
			Tenant: "contoso.example",
			User:   "jörg@contoso.example",
			Phones: messages.Phones{
				messages.Mobile:          "+31 612345678",
				messages.AlternateMobile: messages.Remove,
				messages.Office:          "+1 2065550101x123",
			},
			PhoneMode:         messages.PhoneModeEnsure,
			SMSSignIn:         pointer(false),
			PerUserMFAState:   messages.MFAEnabled,
			DefaultMethod:     messages.DefaultSMS,
			DefaultMethodMode: messages.DefaultModeForce,
			Authenticator: messages.Authenticator{
				Remove: []string{
					"6803c096-8238-42eb-9a6b-9f4ecc7ca0b8", "b2c7a1f4-0d4e-4a53-8f7e-6f0f8e1d2c3b",
				},
				RemoveNamed:         []string{"Pixel 8", "Jörg's \"old\" phone"},
				RemoveOlderThanDays: 365,
				RemoveAll:           true,
			},
			ProtectLastMethod: pointer(true),
			Expect: &messages.Expectation{
				Phones:          messages.Phones{messages.Mobile: "+31 687654321", messages.Office: messages.Remove},
				SMSSignIn:       pointer(true),
				PerUserMFAState: messages.MFADisabled,
				DefaultMethod:   messages.DefaultPush,
			},
			Run: "joiners \"May\"",
			Row: 2,
		},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		TraceState:  "vendor=1,other=2",
	}
}

// The rules that a JSON Schema cannot express, since they are about how a
// document is written and not about what it says.
var unschemable = []struct {
	name    string
	body    string // of a command's data, inside an envelope without fault
	path    string
	problem string
}{
	{"member twice", `{"tenant":"a","user":"b","smsSignIn":true,"smsSignIn":true}`, "$.data.smsSignIn", "is given twice"},
	{"member twice, once in escapes", `{"tenant":"a","user":"b","\u0075ser":"c","smsSignIn":true}`, "$.data.user", "is given twice"},
	{"phone type twice", `{"tenant":"a","user":"b","phones":{"mobile":"1","mobile":null}}`, "$.data.phones.mobile", "is given twice"},
	{"row with a fraction of zero", `{"tenant":"a","user":"b","smsSignIn":true,"row":2.0}`, "$.data.row", "must be a whole number in plain digits"},
	{"row with an exponent", `{"tenant":"a","user":"b","smsSignIn":true,"row":1e3}`, "$.data.row", "must be a whole number in plain digits"},
	{"row minus zero", `{"tenant":"a","user":"b","smsSignIn":true,"row":-0}`, "$.data.row", "must be a whole number in plain digits"},
	{"age with a fraction of zero", `{"tenant":"a","user":"b","authenticator":{"removeOlderThanDays":2.0}}`, "$.data.authenticator.removeOlderThanDays", "must be a whole number in plain digits"},
	{"expected phone type twice", `{"tenant":"a","user":"b","smsSignIn":true,"expect":{"phones":{"mobile":"1","mobile":null}}}`, "$.data.expect.phones.mobile", "is given twice"},
	{"row with a leading zero", `{"tenant":"a","user":"b","smsSignIn":true,"row":02}`, "$.data", "is not valid JSON"},
	{"bad UTF-8", "{\"tenant\":\"a\",\"user\":\"b\xff\"}", "$.data.user", "is not valid JSON: the text is not UTF-8"},
	{"overlong UTF-8", "{\"tenant\":\"a\",\"user\":\"b\xc0\xaf\"}", "$.data.user", "is not valid JSON: the text is not UTF-8"},
	{"UTF-8 cut short", "{\"tenant\":\"a\",\"user\":\"b\xe2\x82\"}", "$.data.user", "is not valid JSON: the text is not UTF-8"},
	{"a surrogate in UTF-8", "{\"tenant\":\"a\",\"user\":\"\xed\xa0\x80\"}", "$.data.user", "is not valid JSON: the text is not UTF-8"},
	{"half a surrogate pair", `{"tenant":"a","user":"\ud83d","smsSignIn":true}`, "$.data.user", "is not valid JSON: half of a surrogate pair stands alone"},
	{"a surrogate pair the wrong way round", `{"tenant":"a","user":"\ude00\ud83d"}`, "$.data.user", "is not valid JSON: half of a surrogate pair stands alone"},
	{"a bare control character", "{\"tenant\":\"a\",\"run\":\"b\tc\"}", "$.data.run", "is not valid JSON: a control character in a string must be escaped"},
	{"an unknown escape", `{"tenant":"\x61"}`, "$.data.tenant", "is not valid JSON: an escape is unknown"},
	{"a short escape", `{"tenant":"\u12"}`, "$.data.tenant", `is not valid JSON: a \u escape needs four hexadecimal digits`},
	{"a name without quotes", `{tenant:"a"}`, "$.data", "is not valid JSON: a string is expected"},
	{"a name in single quotes", `{'tenant':"a"}`, "$.data", "is not valid JSON: a string is expected"},
	{"a comma too many", `{"tenant":"a","user":"b",}`, "$.data", "is not valid JSON: a string is expected"},
	{"a comma too few", `{"tenant":"a" "user":"b"}`, "$.data", "is not valid JSON: a comma or the end of an object is expected"},
	{"a colon too few", `{"tenant" "a"}`, "$.data", "is not valid JSON: a colon is expected"},
	{"a comma too many in an array", `{"authenticator":{"remove":["a",]}}`, "$.data.authenticator.remove[1]", "is not valid JSON: a value is expected"},
	{"a comma too few in an array", `{"authenticator":{"remove":["a" "b"]}}`, "$.data.authenticator.remove", "is not valid JSON: a comma or the end of an array is expected"},
	{"a comment", `{"tenant":/* ours */"a"}`, "$.data.tenant", "is not valid JSON: a value is expected"},
	{"a word in capitals", `{"smsSignIn":True}`, "$.data.smsSignIn", "is not valid JSON: a value is expected"},
	{"NaN", `{"row":NaN}`, "$.data.row", "is not valid JSON: a value is expected"},
	{"a number with a bare point", `{"row":1.}`, "$.data.row", "is not valid JSON: a number needs a digit after its point"},
	{"a number with a bare exponent", `{"row":1e+}`, "$.data.row", "is not valid JSON: a number needs a digit in its exponent"},
	{"a lone minus", `{"row":-}`, "$.data.row", "is not valid JSON: a value is expected"},
	{"a missing value", `{"tenant":}`, "$.data.tenant", "is not valid JSON: a value is expected"},
	{"cut inside a string", `{"tenant":"a`, "$.data.tenant", "is not valid JSON: a string does not end"},
	{"cut inside an escape", `{"tenant":"a\`, "$.data.tenant", "is not valid JSON: a string does not end"},
	{"cut after an escape", `{"tenant":"a\n`, "$.data.tenant", "is not valid JSON: a string does not end"},
	{"trailing document", `{"tenant":"a","user":"b","smsSignIn":true}{}`, "$.data", "is not valid JSON: something follows the document"},
	{"trailing comma", `{"tenant":"a","user":"b","smsSignIn":true},`, "$.data", "is not valid JSON: something follows the document"},
	{"trailing zero byte", "{\"tenant\":\"a\",\"user\":\"b\",\"smsSignIn\":true}\x00", "$.data", "is not valid JSON: something follows the document"},
	{"byte order mark", "\ufeff" + `{"tenant":"a","user":"b","smsSignIn":true}`, "$.data", "is not valid JSON: a value is expected"},
}

// The first fault of a binary body is found while it is read; a structured
// body is first read as JSON. Hence the binary path is the exact one, and the
// structured one no more than a refusal.
func TestDecodeRefusesWhatNoSchemaCan(t *testing.T) {
	for _, test := range unschemable {
		t.Run(test.name, func(t *testing.T) {
			_, err := messages.Decode(binaryEvent([]byte(test.body)))
			wantFault(t, err, messages.ReasonMalformed, test.path, test.problem)
			if _, err := messages.Decode(structuredEvent([]byte(test.body))); err == nil {
				t.Error("accepted in structured mode")
			}
		})
	}
}

func TestDecodeRefusesStructuredDocuments(t *testing.T) {
	const envelope = `"specversion":"1.0","type":"com.github.muster-mfa.command.v1","id":"A1","source":"/test"`
	const data = `{"tenant":"a","user":"b","smsSignIn":true}`
	deep := strings.Repeat("[", 100_000/4)
	for _, test := range []struct{ name, body, reason, path, problem string }{
		{"empty body", ``, messages.ReasonMalformed, "$", "is not valid JSON"},
		{"no JSON", `hello`, messages.ReasonMalformed, "$", "is not valid JSON"},
		{"trailing data", `{` + envelope + `,"data":` + data + `} {}`, messages.ReasonMalformed, "$", "is not valid JSON: something follows the document"},
		{"attribute twice", `{` + envelope + `,"id":"A2","data":` + data + `}`, messages.ReasonMalformed, "$.id", "is given twice"},
		{"data twice", `{` + envelope + `,"data":` + data + `,"data":` + data + `}`, messages.ReasonMalformed, "$.data", "is given twice"},
		{"extension twice", `{` + envelope + `,"a":1,"a":1,"data":` + data + `}`, messages.ReasonMalformed, "$", "has an attribute (number 6 of the object) that is given twice"},
		{"data nested too deeply", `{` + envelope + `,"data":` + deep, messages.ReasonMalformed, "$.data" + strings.Repeat("[0]", 32), "is nested too deeply"},
		{"extension nested too deeply", `{` + envelope + `,"a":` + deep, messages.ReasonMalformed, "$" + strings.Repeat("[0]", 32), "is nested too deeply"},
		{"objects nested too deeply", `{` + envelope + `,"data":` + strings.Repeat(`{"a":`, 10_000), messages.ReasonMalformed, "$.data", "is nested too deeply"},
		{"time before the year 0 in UTC", `{` + envelope + `,"time":"0000-01-01T00:00:00+01:00","data":` + data + `}`, messages.ReasonMalformed, "$.time", "must be an RFC 3339 time"},
		{"time after the year 9999 in UTC", `{` + envelope + `,"time":"9999-12-31T23:59:59-01:00","data":` + data + `}`, messages.ReasonMalformed, "$.time", "must be an RFC 3339 time"},
		{"too large", `{` + envelope + `,"data":` + data + strings.Repeat(" ", messages.MaxBody) + `}`, messages.ReasonTooLarge, "$", "must not be longer than 65536 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := messages.Decode(messages.Encoded{ContentType: messages.StructuredContentType, Body: []byte(test.body)})
			wantFault(t, err, test.reason, test.path, test.problem)
		})
	}
}

func TestDecodeChoosesTheContentMode(t *testing.T) {
	const data = `{"tenant":"contoso.example","user":"jan@contoso.example","smsSignIn":true}`
	for _, contentType := range []string{
		"application/cloudevents+json",
		"application/cloudevents+json; charset=utf-8",
		"Application/CloudEvents+JSON;charset=UTF-8",
	} {
		m := structuredEvent([]byte(data))
		m.ContentType = contentType
		if _, err := messages.Decode(m); err != nil {
			t.Errorf("structured event with content type %q is refused: %v", contentType, err)
		}
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "text/json", "application/vnd.a+json", ""} {
		m := binaryEvent([]byte(data))
		m.ContentType = contentType
		if _, err := messages.Decode(m); err != nil {
			t.Errorf("binary event with content type %q is refused: %v", contentType, err)
		}
	}
	for _, test := range []struct {
		name   string
		m      messages.Encoded
		reason string
		path   string
	}{
		{"bare data", messages.Encoded{ContentType: "application/json", Body: []byte(data)}, messages.ReasonNotCloudEvent, "$"},
		{"bare data without a content type", messages.Encoded{Body: []byte(data)}, messages.ReasonNotCloudEvent, "$"},
		{"a structured body without its content type", messages.Encoded{Body: structuredEvent([]byte(data)).Body}, messages.ReasonNotCloudEvent, "$"},
		{"nothing", messages.Encoded{}, messages.ReasonNotCloudEvent, "$"},
		{"a batch", messages.Encoded{ContentType: "application/cloudevents-batch+json", Body: []byte("[]")}, messages.ReasonUnsupportedType, "$"},
		{"Avro", messages.Encoded{ContentType: "application/cloudevents+avro"}, messages.ReasonUnsupportedType, "$"},
		{"binary with XML", messages.Encoded{ContentType: "application/xml", Properties: binaryEvent(nil).Properties, Body: []byte(data)}, messages.ReasonMalformed, "$.datacontenttype"},
		{"binary without a body", binaryEvent(nil), messages.ReasonMalformed, "$.data"},
		{"binary too large", binaryEvent(make([]byte, messages.MaxBody+1)), messages.ReasonTooLarge, "$"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := messages.Decode(test.m)
			wantFault(t, err, test.reason, test.path, "")
		})
	}
}

func TestDecodeAcceptsABodyOfTheLongestLength(t *testing.T) {
	data := `{"tenant":"a","user":"b","smsSignIn":true}`
	data += strings.Repeat(" ", messages.MaxBody-len(data))
	if _, err := messages.Decode(binaryEvent([]byte(data))); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestDecodeCommand(t *testing.T) {
	got, err := messages.DecodeCommand([]byte(` {"tenant":"contoso.example","user":"eva","phones":{"mobile":"\u002b31 6\u00a012\ud83d\ude00\/","office":null},"smsSignIn":true,"row":12} `))
	if err != nil {
		t.Fatal(err)
	}
	want := messages.Command{
		Tenant: "contoso.example", User: "eva", SMSSignIn: pointer(true), Row: 12,
		Phones: messages.Phones{messages.Mobile: "+31 6\u00a012😀/", messages.Office: messages.Remove},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	_, err = messages.DecodeCommand(make([]byte, messages.MaxBody+1))
	wantFault(t, err, messages.ReasonTooLarge, "$", "must not be longer")
	_, err = messages.DecodeCommand([]byte(`{"tenant":"a","user":"b","smsSignIn":true} x`))
	wantFault(t, err, messages.ReasonMalformed, "$", "is not valid JSON: something follows the document, at byte 43")
}

func TestDecodeErrorIsOneLine(t *testing.T) {
	_, err := messages.DecodeCommand([]byte(`{"tenant":"a","user":"b","phones":{"mobile":7}}`))
	const want = "MalformedCommand: $.phones.mobile must be a string, or null to remove the phone, is a number"
	if got := err.Error(); got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
	if fault := (*messages.DecodeError)(nil); !errors.As(err, &fault) {
		t.Errorf("error is a %T", err)
	}
}
