package broker

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// parent is the beginning of an entry that holds a description.
const parent = `<entry xmlns="http://www.w3.org/2005/Atom" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><content type="application/xml">`

// FuzzAtomBody gives the management API whatever may be put somewhere. What is taken
// must be shown, and taken again as it was shown without a change.
func FuzzAtomBody(f *testing.F) {
	for path, body := range map[string]string{
		"q": `<QueueDescription><LockDuration>PT45S</LockDuration><MaxDeliveryCount>3</MaxDeliveryCount><ForwardTo>sb://h/t</ForwardTo></QueueDescription>`,
		"n": `<TopicDescription><MaxSizeInMegabytes>2048</MaxSizeInMegabytes><AutoDeleteOnIdle>PT7M</AutoDeleteOnIdle></TopicDescription>`,
		"t/Subscriptions/n": `<SubscriptionDescription><DefaultRuleDescription><Filter i:type="SqlFilter"><SqlExpression>a = 1</SqlExpression></Filter>` +
			`<Name>r</Name></DefaultRuleDescription><UserMetadata>&lt;</UserMetadata></SubscriptionDescription>`,
		"t/Subscriptions/s/Rules/r": `<RuleDescription><Filter i:type="CorrelationFilter"><Label>l</Label><Properties><KeyValueOfstringanyType><Key>k</Key>` +
			`<Value i:type="x:double">1.5</Value></KeyValueOfstringanyType></Properties></Filter><Action i:type="SqlRuleAction">` +
			`<SqlExpression>SET a = @p</SqlExpression><Parameters><KeyValueOfstringanyType><Key>@p</Key><Value i:type="x:duration">PT1S</Value>` +
			`</KeyValueOfstringanyType></Parameters></Action></RuleDescription>`,
		"t/Subscriptions/s/Rules/": `<RuleDescription><Filter i:type="FalseFilter"/><Action i:type="EmptyRuleAction"/><Name>f</Name></RuleDescription>`,
	} {
		f.Add(path, parent+body+"</content></entry>")
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		s, err := New(Options{Open: true, Topics: []Topic{{Name: "t", Subscriptions: []Subscription{{Name: "s"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		do := func(method, path, body, match string) (int, string) {
			r := httptest.NewRequestWithContext(t.Context(), method, "https://localhost/", strings.NewReader(body))
			r.URL.Path = path
			if match != "" {
				r.Header.Set("If-Match", match)
			}
			w := httptest.NewRecorder()
			s.ManagementHandler().ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		code, made := do(http.MethodPut, path, body, "")
		switch code {
		case http.StatusCreated:
		case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
			return
		default:
			t.Fatalf("status %d: %s", code, made)
		}
		start := strings.Index(made, "<id>https://localhost")
		end := strings.Index(made, "</id>")
		if start < 0 || end < start {
			t.Fatalf("no id: %s", made)
		}
		parsed, ok := parseAtomPath(path)
		if !ok {
			t.Fatalf("made at %q", path)
		}
		if parsed.list == listRules {
			content, err := parseAtomEntry([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			parsed.rule = content.Rule.Name
		}
		code, again := do(http.MethodPut, parsed.name(), made, "*")
		if code != http.StatusOK || content(again) != content(made) {
			t.Errorf("status %d; made:\n%s\nagain:\n%s", code, made, again)
		}
	})
}

// content is the description in an entry without the times in it.
func content(entry string) string {
	_, c, _ := strings.Cut(entry, "<content")
	for _, name := range []string{"CreatedAt", "UpdatedAt", "AccessedAt"} {
		before, rest, _ := strings.Cut(c, "<"+name+">")
		_, after, _ := strings.Cut(rest, "</"+name+">")
		c = before + after
	}
	return c
}

// FuzzRuleMap gives add-rule whatever may be the body of a request. A rule that is
// taken must be shown by both ways.
func FuzzRuleMap(f *testing.F) {
	sql := wire.Map{{Key: "expression", Value: "a = 1"}}
	for _, description := range []wire.Map{
		{{Key: "sql-filter", Value: sql}, {Key: "sql-rule-action", Value: wire.Map{{Key: "expression", Value: "SET a = 1"}}}},
		{{Key: "correlation-filter", Value: wire.Map{{Key: "label", Value: "l"}, {Key: "to", Value: nil}, {Key: "properties", Value: wire.Map{
			{Key: "n", Value: int32(1)}, {Key: wire.Symbol("u"), Value: wire.UUID{1}}, {Key: "t", Value: wire.Timestamp(1)},
			{Key: "d", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(1)}},
		}}}}},
		{{Key: "sql-filter", Value: sql}, {Key: "correlation-filter", Value: wire.Map{}}},
	} {
		b, err := wire.AppendAMQPValue(nil, wire.Map{{Key: "rule-name", Value: "r"}, {Key: "rule-description", Value: description}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sections, err := wire.Split(data)
		if err != nil {
			return
		}
		body, err := sections.Value()
		if err != nil {
			return
		}
		args, _ := body.(wire.Map)
		description, err := parseRule(args)
		if err != nil {
			var argument argumentError
			if !errors.As(err, &argument) {
				t.Errorf("error %T: %v", err, err)
			}
			return
		}
		r, err := newRule(description, time.Unix(0, 0))
		if err != nil {
			return
		}
		if _, err := wire.AppendAMQPValue(nil, encodeRule(r)); err != nil {
			t.Errorf("rule %+v can't be shown: %v", description, err)
		}
		taken, err := describeRule(r).take(description.Name)
		if err != nil {
			t.Fatalf("rule %+v can't be taken as it is shown: %v", description, err)
		}
		if _, err := newRule(taken, time.Unix(0, 0)); err != nil {
			t.Errorf("rule %+v can't be made again: %v", taken, err)
		}
	})
}

// FuzzAtomRequest gives the management API any request. It answers with a status that
// it documents and a document, and what it shows by GET it shows again.
func FuzzAtomRequest(f *testing.F) {
	for _, target := range []string{
		"/q", "/t", "/t/Subscriptions/s", "/t/subscriptions/s/rules/$Default", "/$Resources/Queues?$skip=0&$top=1", "/$Resources/topics", "/$namespaceinfo",
		"/t/Subscriptions/s/Rules/?%24skip=-1", "/?$top=99999999999999999999", "//", "/%2f%00", "/q?api-version=2021-05&enrich=False",
	} {
		f.Add(http.MethodGet, target, "", "", "SharedAccessSignature sr=a&sig=b&se=1&skn=c")
	}
	f.Add(http.MethodPut, "/n", "*", parent+"<QueueDescription/></content></entry>", "")
	f.Add(http.MethodPut, "/n", "x", strings.Repeat("<a>", 1000), "Bearer x")
	f.Add(http.MethodDelete, "/t/Subscriptions/s/Rules/$Default", "", "", "")
	f.Add(http.MethodPost, "/q", "", "", "")
	f.Fuzz(func(t *testing.T, method, target, match, body, authorization string) {
		for _, open := range []bool{true, false} {
			s, err := New(Options{Open: open, Queues: []Queue{{Name: "q"}}, Topics: []Topic{{Name: "t", Subscriptions: []Subscription{{Name: "s"}}}}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			u, err := url.Parse("https://localhost/" + target)
			if err != nil {
				return
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/", strings.NewReader(body))
			r.Method, r.URL = method, u
			r.Header.Set("If-Match", match)
			r.Header.Set("Authorization", authorization)
			w := httptest.NewRecorder()
			s.ManagementHandler().ServeHTTP(w, r)
			switch w.Code {
			case http.StatusOK, http.StatusCreated, http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed,
				http.StatusConflict, http.StatusPreconditionFailed:
			default:
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			var document struct{ XMLName xml.Name }
			if b := w.Body.Bytes(); len(b) > 0 && xml.Unmarshal(b, &document) != nil {
				t.Errorf("status %d with what is no XML: %s", w.Code, b)
			}
			if !open && w.Code != http.StatusUnauthorized {
				t.Errorf("status %d for %q", w.Code, authorization)
			}
		}
	})
}
