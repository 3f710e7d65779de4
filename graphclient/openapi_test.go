package graphclient_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestEveryRequest holds each request against a table of our own and, where it
// is at hand, Microsoft's description of Graph.
func TestEveryRequest(t *testing.T) {
	described := map[string]*description{
		"v1.0": describe(t, "graph-v1.0.json"),
		"beta": describe(t, "graph-beta.json"),
	}
	for _, user := range []string{userGUID, guestUPN} {
		for _, c := range everyCall {
			t.Run(c.name+" "+user[:4], func(t *testing.T) {
				w := &wire{respond: calm}
				if err := c.do(t.Context(), directoryOn(t, w), user); err != nil {
					t.Fatal(err)
				}
				sent := w.seen()
				if len(sent) != 1 {
					t.Fatalf("sent %d requests", len(sent))
				}
				raw, query, _ := strings.Cut(strings.TrimPrefix(sent[0].URL, loopback), "?")
				path, err := url.PathUnescape(raw)
				if err != nil {
					t.Fatal(err)
				}
				if want := strings.ReplaceAll(c.path, "{u}", user); sent[0].Method != c.method || path != want {
					t.Errorf("sent %s %s, want %s %s", sent[0].Method, path, c.method, want)
				}
				if c.body != "" && sent[0].Body != c.body {
					t.Errorf("body = %s, want %s", sent[0].Body, c.body)
				}
				version, below, _ := strings.Cut(strings.TrimPrefix(raw, "/"), "/")
				if below == "$batch" {
					described[version].checkBatch(t, sent[0].Body)
					return
				}
				described[version].check(t, sent[0].Method, "/"+below, query, sent[0].Body)
			})
		}
	}
}

// description is Microsoft's OpenAPI document for one version; nil checks nothing.
type description struct{ doc *openapi3.T }

// describe reads a document from the folder beside the repository.
func describe(t *testing.T, file string) *description {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "openapi", file)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Logf("Microsoft's description %s is not here: requests are checked against our own table only", file)
		return nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.Components.Schemas {
		liftAdditional(s)
	}
	return &description{doc}
}

// liftAdditional takes out additionalProperties, which the generator of these
// documents sets to object in each part of an allOf: every part would refuse the
// members of the others.
func liftAdditional(s *openapi3.SchemaRef) {
	if s == nil || s.Value == nil {
		return
	}
	s.Value.AdditionalProperties = openapi3.AdditionalProperties{}
	if s.Ref == "" {
		for _, part := range s.Value.AllOf {
			if part.Ref == "" {
				liftAdditional(part)
			}
		}
	}
}

func (d *description) check(t *testing.T, method, path, query, body string) {
	t.Helper()
	if d == nil || strings.HasSuffix(path, "/checkMemberGroups") || strings.Contains(path, "/transitiveMemberOf/") {
		// The subset at hand leaves memberships out; the table has their form from
		// the pages directoryObject: checkMemberGroups and List a user's memberships.
		return
	}
	item := d.find(path)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("Graph has no %s %s", method, path)
	}
	op := item.GetOperation(method)
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	for name := range values {
		if op.Parameters.GetByInAndName("query", name) == nil {
			t.Errorf("%s %s takes no %s", method, path, name)
		}
	}
	if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
		if body != "" {
			t.Errorf("%s %s takes no body", method, path)
		}
		return
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s %s: body is no object: %v", method, path, err)
	}
	schema := op.RequestBody.Value.Content["application/json"].Schema
	if err := schema.Value.VisitJSON(v, openapi3.VisitAsRequest(), openapi3.MultiErrors()); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	for name := range v {
		if !hasProperty(schema, name) {
			t.Errorf("%s %s: Graph knows no member %s", method, path, name)
		}
	}
}

func (d *description) checkBatch(t *testing.T, body string) {
	t.Helper()
	var b struct {
		Requests []struct {
			ID, Method, URL string
			Body            json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(body), &b); err != nil || len(b.Requests) == 0 {
		t.Fatalf("batch of %d requests: %v", len(b.Requests), err)
	}
	for _, p := range b.Requests {
		path, query, _ := strings.Cut(p.URL, "?")
		d.check(t, p.Method, path, query, string(p.Body))
	}
}

var parameter = regexp.MustCompile(`\\\{[^}]*\\\}`)

// find matches a path as it was sent. Actions stand there with their namespace,
// which Graph does not insist on.
func (d *description) find(path string) *openapi3.PathItem {
	for _, action := range []string{"enableSmsSignIn", "disableSmsSignIn"} {
		path = strings.Replace(path, "/"+action, "/microsoft.graph."+action, 1)
	}
	for template, item := range d.doc.Paths.Map() {
		if strings.Contains(template, "$count") {
			continue
		}
		pattern := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`) + "$"
		if regexp.MustCompile(pattern).MatchString(path) {
			return item
		}
	}
	return nil
}

func hasProperty(s *openapi3.SchemaRef, name string) bool {
	if s == nil || s.Value == nil {
		return false
	}
	if s.Value.Properties[name] != nil {
		return true
	}
	for _, part := range s.Value.AllOf {
		if hasProperty(part, name) {
			return true
		}
	}
	return false
}
