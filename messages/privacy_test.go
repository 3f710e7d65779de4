package messages_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/messages"
)

// secrets are what a publisher might write anywhere by mistake.
var secrets = []string{"+31 612345678", "31612345678", "jan@contoso.example", "jan"}

// TestErrorsRepeatNothing puts a number or a user's name into every place of
// an event, as a value of each kind and as a name, and looks for it in the
// error.
func TestErrorsRepeatNothing(t *testing.T) {
	refused := 0
	for _, secret := range secrets {
		for _, body := range spoiled(t, secret) {
			for _, contentType := range []string{messages.StructuredContentType, messages.BinaryContentType} {
				m := binaryEvent(body)
				m.ContentType = contentType
				_, err := messages.Decode(m)
				if err == nil {
					continue
				}
				refused++
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q repeats %q of\n%s", err, secret, body)
				}
			}
		}
		m := binaryEvent([]byte(smsData))
		m.Properties["cloudEvents:"+secret] = secret
		m.Properties["cloudEvents:time"] = secret
		if _, err := messages.Decode(m); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("a bad property gives the error %v", err)
		}
	}
	if refused < 500 {
		t.Errorf("only %d events were refused: the test looks at too little", refused)
	}
}

// spoiled returns documents like a whole event's body, of either mode, each
// with one value replaced by a value made of the secret, or with a member of
// the secret's name.
func spoiled(t *testing.T, secret string) (bodies [][]byte) {
	t.Helper()
	for _, encode := range []func(messages.Event) (messages.Encoded, error){messages.Event.Structured, messages.Event.Binary} {
		m, err := encode(wholeEvent())
		if err != nil {
			t.Fatal(err)
		}
		var root any
		if err := json.Unmarshal(m.Body, &root); err != nil {
			t.Fatal(err)
		}
		replacements := []any{
			secret, secret + "\n", strings.Repeat(secret, 2000), "", nil, 7,
			[]any{secret}, map[string]any{secret: secret},
		}
		visit(root, replacements, secret, func() {
			body, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, body)
			cut := strings.Index(string(body), secret)
			if cut > 0 {
				bodies = append(bodies, body[:cut+len(secret)])
			}
		})
	}
	return bodies
}

// visit puts each replacement in each place of the tree in turn, and a member
// of the secret's name in each object, and calls each with the tree as it then
// is.
func visit(node any, replacements []any, secret string, each func()) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			for _, replacement := range replacements {
				node[key] = replacement
				each()
			}
			node[key] = value
			visit(value, replacements, secret, each)
		}
		node[secret] = true
		each()
		delete(node, secret)
	case []any:
		for i, value := range node {
			for _, replacement := range replacements {
				node[i] = replacement
				each()
			}
			node[i] = value
		}
	}
}
