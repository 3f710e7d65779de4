package messages_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/messages"
)

// memberValues are values, good and bad, for each member of a command.
var memberValues = map[string][]string{
	"tenant":            {`"contoso.example"`, `""`, `" "`, `"a/b"`, `null`, `1`},
	"user":              {`"eva@contoso.example"`, `""`, `"a b"`, `null`, `true`},
	"phones":            {`{"mobile":"+31 612345678"}`, `{"mobile":null}`, `{"office":null,"alternateMobile":"1"}`, `{}`, `{"mobile":""}`, `{"Mobile":"1"}`, `{"mobile":1}`, `null`, `[]`, `"1"`},
	"phoneMode":         {`"ensure"`, `"add-only"`, `"remove"`, `"Remove"`, `""`, `null`, `0`},
	"smsSignIn":         {`true`, `false`, `"true"`, `null`, `1`},
	"perUserMfaState":   {`"disabled"`, `"enabled"`, `"enforced"`, `"Enabled"`, `""`, `null`, `true`},
	"defaultMethod":     {`"push"`, `"oath"`, `"sms"`, `"voiceMobile"`, `"voiceAlternateMobile"`, `"voiceOffice"`, `"none"`, `""`, `null`},
	"defaultMethodMode": {`"keep"`, `"only-if-none"`, `"most-secure"`, `"force"`, `"Force"`, `""`, `null`},
	"authenticator": {
		`{"removeAll":true}`, `{"removeAll":false}`, `{"remove":["a"]}`, `{"remove":[]}`, `{"remove":["a","a"]}`, `{"remove":["a","A"]}`, `{"remove":[""]}`, `{"remove":["a b"]}`, `{"remove":"a"}`, `{"remove":null}`,
		`{"removeNamed":["Pixel 8"]}`, `{"removeNamed":[]}`, `{"removeNamed":["a","a"]}`, `{"removeNamed":["\u0007"]}`, `{"removeNamed":[1]}`,
		`{"removeOlderThanDays":1}`, `{"removeOlderThanDays":36500}`, `{"removeOlderThanDays":0}`, `{"removeOlderThanDays":36501}`, `{"removeOlderThanDays":-1}`, `{"removeOlderThanDays":"1"}`,
		`{"removeAll":true,"remove":["a"],"removeNamed":["b"],"removeOlderThanDays":5}`, `{}`, `null`, `[]`, `{"keep":["a"]}`,
	},
	"protectLastMethod": {`true`, `false`, `null`, `"true"`},
	"expect": {
		`{"phones":{"mobile":null}}`, `{"phones":{"office":"+1 206 555 0100"}}`, `{"phones":{}}`, `{"phones":{"mobile":""}}`, `{"phones":null}`,
		`{"smsSignIn":true}`, `{"smsSignIn":null}`, `{"perUserMfaState":"enabled"}`, `{"perUserMfaState":"none"}`,
		`{"defaultMethod":"none"}`, `{"defaultMethod":"sms"}`, `{"defaultMethod":""}`, `{"defaultMethodMode":"force"}`, `{}`, `null`, `true`,
	},
	"run":   {`"r1"`, `""`, `"a b"`, `"\u0000"`, `null`, `1`},
	"row":   {`0`, `1`, `2147483647`, `2147483648`, `-1`, `"1"`, `null`, `true`},
	"Phone": {`"1"`},
}

// Schema and decoder judge every pair of members alike, whatever their values: two
// are what the rules between members are about.
func TestSchemaAndDecoderAgreeOnPairs(t *testing.T) {
	schema := compileSchema(t, messages.CommandSchemaURI)
	good := 0
	for a, valuesOfA := range memberValues {
		for b, valuesOfB := range memberValues {
			if a >= b {
				continue
			}
			for _, x := range valuesOfA {
				for _, y := range valuesOfB {
					body := pairDocument(a, x, b, y)
					refused, fault := judgeSchema(t, schema, []byte(body)), error(nil)
					if _, fault = messages.DecodeCommand([]byte(body)); (refused == nil) != (fault == nil) {
						t.Errorf("%s\nschema: %v\ndecoder: %v", body, refused, fault)
					}
					if fault == nil {
						good++
					}
				}
			}
		}
	}
	if good < 300 {
		t.Errorf("only %d documents were good", good)
	}
}

// pairDocument is a command with the two members, and those that each must have.
func pairDocument(a, x, b, y string) string {
	members := []string{`"` + a + `":` + x, `"` + b + `":` + y}
	for _, required := range []string{"tenant", "user"} {
		if a != required && b != required {
			members = append(members, `"`+required+`":`+memberValues[required][0])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// Each member that the schema has is tried in pairs, and each member and word is in
// the guide to the contract.
func TestEveryMemberIsCovered(t *testing.T) {
	page, err := os.ReadFile("../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	var schema object
	if err := json.Unmarshal([]byte(messages.CommandSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	for member := range schema.Properties {
		if memberValues[member] == nil {
			t.Errorf("no pair has %s", member)
		}
	}
	for _, word := range schema.words() {
		if !strings.Contains(string(page), "`"+word+"`") {
			t.Errorf("docs/messages.md does not tell of %s", word)
		}
	}
}

// object is what counts of a schema here.
type object struct {
	Properties map[string]object `json:"properties"`
	Defs       map[string]object `json:"$defs"`
	Enum       []string          `json:"enum"`
}

func (o object) words() []string {
	words := o.Enum
	for name, member := range o.Properties {
		words = append(append(words, name), member.words()...)
	}
	for _, def := range o.Defs {
		words = append(words, def.words()...)
	}
	return words
}
