package broker_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

// oneSubscription has a topic t with a subscription s.
func oneSubscription() broker.Options {
	return broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}}}
}

var parameters = map[string]any{
	"@text": "hello <world>", "@whole": int64(100), "@real": 100.25, "@yes": true,
	"@time": time.Date(2001, 1, 1, 1, 2, 3, 450_000_000, time.UTC),
}

func TestAdminClientOnRules(t *testing.T) {
	client := administer(t, start(t, oneSubscription()))
	action := &admin.SQLAction{Expression: "SET a = @text SET b = @whole SET c = @real SET d = @time SET e = @yes", Parameters: parameters}
	for name, r := range map[string]struct {
		filter admin.RuleFilter
		action admin.RuleAction
	}{
		"none":  {},
		"true":  {filter: &admin.TrueFilter{}},
		"false": {filter: &admin.FalseFilter{}},
		"sql":   {filter: &admin.SQLFilter{Expression: "a > 1 AND\n\tb <> '<&>' OR [\"] = '&#39;'"}},
		"never": {filter: &admin.SQLFilter{Expression: "1=0"}},
		"parameters": {filter: &admin.SQLFilter{
			Expression: "a = @text OR a = @whole OR a = @real OR a = @time OR a = @yes", Parameters: parameters,
		}},
		"correlation": {filter: &admin.CorrelationFilter{
			ContentType: to.Ptr("application/xml"), CorrelationID: to.Ptr("c"), MessageID: to.Ptr("m"), ReplyTo: to.Ptr("r"),
			ReplyToSessionID: to.Ptr("rs"), SessionID: to.Ptr("s"), Subject: to.Ptr("l"), To: to.Ptr("t"), ApplicationProperties: parameters,
		}},
		"action": {action: action},
		"both":   {filter: &admin.SQLFilter{Expression: "a = @n", Parameters: map[string]any{"@n": int64(1)}}, action: action},
		"plain":  {filter: &admin.FalseFilter{}, action: &admin.SQLAction{Expression: "REMOVE a"}},
	} {
		want := admin.RuleProperties{Name: name, Filter: r.filter, Action: r.action}
		if want.Filter == nil {
			want.Filter = &admin.TrueFilter{}
		}
		made, err := client.CreateRule(deadline(t), "t", "s", &admin.CreateRuleOptions{Name: &name, Filter: r.filter, Action: r.action})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		updated, err := client.UpdateRule(deadline(t), "t", "s", made.RuleProperties)
		if err != nil {
			t.Errorf("%s: update: %v", name, err)
		}
		got, err := client.GetRule(deadline(t), "T", "S", strings.ToUpper(name), nil)
		if err != nil || got == nil {
			t.Fatalf("%s: get: %v, %v", name, got, err)
		}
		for _, p := range []admin.RuleProperties{made.RuleProperties, updated.RuleProperties, got.RuleProperties} {
			if d := cmp.Diff(want, p); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		_, err = client.CreateRule(deadline(t), "t", "s", &admin.CreateRuleOptions{Name: &name})
		wantStatus(t, err, http.StatusConflict)
		if _, err := client.DeleteRule(deadline(t), "t", "s", name, nil); err != nil {
			t.Errorf("%s: delete: %v", name, err)
		}
		_, err = client.DeleteRule(deadline(t), "t", "s", name, nil)
		wantStatus(t, err, http.StatusNotFound)
		_, err = client.UpdateRule(deadline(t), "t", "s", want)
		wantStatus(t, err, http.StatusNotFound)
		if got, err := client.GetRule(deadline(t), "t", "s", name, nil); got != nil || err != nil {
			t.Errorf("%s: a rule that was deleted: %v, %v", name, got, err)
		}
	}
	_, err := client.CreateRule(deadline(t), "t", "none", &admin.CreateRuleOptions{Name: to.Ptr("r")})
	wantStatus(t, err, http.StatusNotFound)
	if got, err := client.GetRule(deadline(t), "t", "none", "r", nil); got != nil || err != nil {
		t.Errorf("a rule of no subscription: %v, %v", got, err)
	}
}

func TestTheRuleThatASubscriptionBeginsWith(t *testing.T) {
	client := administer(t, start(t, topicAndQueue))
	for i, r := range []struct{ given, want *admin.RuleProperties }{
		{nil, &admin.RuleProperties{Name: "$Default", Filter: &admin.TrueFilter{}}},
		{&admin.RuleProperties{Filter: &admin.FalseFilter{}}, &admin.RuleProperties{Name: "$Default", Filter: &admin.FalseFilter{}}},
		{&admin.RuleProperties{Name: "ours", Filter: &admin.SQLFilter{Expression: "a LIKE 'O%'"}, Action: &admin.SQLAction{Expression: "REMOVE a"}},
			&admin.RuleProperties{Name: "ours", Filter: &admin.SQLFilter{Expression: "a LIKE 'O%'"}, Action: &admin.SQLAction{Expression: "REMOVE a"}}},
	} {
		name := fmt.Sprint("s", i)
		if _, err := client.CreateSubscription(deadline(t), "t", name, &admin.CreateSubscriptionOptions{
			Properties: &admin.SubscriptionProperties{DefaultRule: r.given},
		}); err != nil {
			t.Fatal(err)
		}
		var rules []admin.RuleProperties
		for _, page := range pages(t, client.NewListRulesPager("t", name, nil)) {
			rules = append(rules, page.Rules...)
		}
		if d := cmp.Diff([]admin.RuleProperties{*r.want}, rules); d != "" {
			t.Errorf("rules (-want +got):\n%s", d)
		}
	}
	_, err := client.CreateSubscription(deadline(t), "t", "wrong", &admin.CreateSubscriptionOptions{
		Properties: &admin.SubscriptionProperties{DefaultRule: &admin.RuleProperties{Filter: &admin.SQLFilter{Expression: "a ="}}},
	})
	wantStatus(t, err, http.StatusBadRequest)
	if got, _ := client.GetSubscription(deadline(t), "t", "wrong", nil); got != nil {
		t.Error("a subscription was made although its rule is wrong")
	}
}

func TestAdminClientListsRulesByPages(t *testing.T) {
	client := administer(t, start(t, oneSubscription()))
	for i := range 3 {
		if _, err := client.CreateRule(deadline(t), "t", "s", &admin.CreateRuleOptions{Name: to.Ptr(fmt.Sprint("r", i))}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	read := pages(t, client.NewListRulesPager("t", "s", &admin.ListRulesOptions{MaxPageSize: 3}))
	for _, page := range read {
		for _, r := range page.Rules {
			names = append(names, r.Name)
		}
	}
	if len(read) != 2 || !slices.Equal(names, []string{"$Default", "r0", "r1", "r2"}) {
		t.Errorf("%d pages with %v", len(read), names)
	}
	_, err := client.NewListRulesPager("t", "none", nil).NextPage(deadline(t))
	wantStatus(t, err, http.StatusNotFound)
}

func TestARuleOfTheAdminClientAtWork(t *testing.T) {
	s := start(t, oneSubscription())
	client := administer(t, s)
	if _, err := client.DeleteRule(deadline(t), "t", "s", "$Default", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateRule(deadline(t), "t", "s", &admin.CreateRuleOptions{
		Name: to.Ptr("r"), Filter: &admin.CorrelationFilter{ApplicationProperties: parameters},
		Action: &admin.SQLAction{Expression: "SET mark = @mark", Parameters: map[string]any{"@mark": "seen"}},
	}); err != nil {
		t.Fatal(err)
	}
	amqp := connect(t, s)
	properties := map[string]any{}
	for name, v := range parameters {
		properties[name] = v
	}
	sendTo(t, amqp, "t", &azservicebus.Message{Body: []byte("no")}, &azservicebus.Message{Body: []byte("yes"), ApplicationProperties: properties})
	if m := receiveOne(t, subscribe(t, amqp, "t", "s", nil)); string(m.Body) != "yes" || m.ApplicationProperties["mark"] != "seen" {
		t.Errorf("received %q with %v", m.Body, m.ApplicationProperties)
	}
}

// ruleEntry is a rule as clients other than Go's write it.
func ruleEntry(filter, action string) string {
	return `<?xml version="1.0" encoding="utf-8" standalone="yes"?><entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
		`<RuleDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">` +
		filter + action + `<Name>r</Name></RuleDescription></content></entry>`
}

// property is one property of a correlation filter.
func property(kind, text string) string {
	return ruleEntry(`<Filter xmlns:p4="http://www.w3.org/2001/XMLSchema-instance" p4:type="CorrelationFilter"><Properties>`+
		`<KeyValueOfstringanyType><Key>k</Key><Value p4:type="l28:`+kind+`" xmlns:l28="http://www.w3.org/2001/XMLSchema">`+text+
		`</Value></KeyValueOfstringanyType></Properties></Filter>`, "")
}

// request asks the management API of an open server something by hand.
func request(t *testing.T, handler http.Handler, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(deadline(t), method, "https://localhost"+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(answer)
}

// openHandler is the management API of a server that asks for no signature.
func openHandler(t *testing.T) http.Handler {
	options := oneSubscription()
	options.Open = true
	return start(t, options).ManagementHandler()
}

func TestTheTypesOfValuesInRules(t *testing.T) {
	handler := openHandler(t)
	const path = "/t/Subscriptions/s/Rules/r"
	for _, v := range []struct{ kind, text, shown string }{
		{"string", " a &amp; b ", " a &amp; b "}, {"boolean", "1", "true"}, {"boolean", "false", "false"}, {"int", "-5", "-5"}, {"long", "5000000000", "5000000000"},
		{"short", "-3", "-3"}, {"byte", "-1", "-1"}, {"unsignedByte", "255", "255"}, {"unsignedShort", "65535", "65535"},
		{"unsignedInt", "4294967295", "4294967295"}, {"unsignedLong", "18446744073709551615", "18446744073709551615"},
		{"float", "1.5", "1.5"}, {"double", " 1e3 ", "1000"}, {"double", "INF", "INF"}, {"double", "NaN", "NaN"},
		{"dateTime", "2001-01-01T02:02:03.5+01:00", "2001-01-01T01:02:03.5Z"},
		{"dateTime", "2001-01-01T01:02:03", "2001-01-01T01:02:03"}, {"dateTime", "2001-01-01T01:02:03.5", "2001-01-01T01:02:03.5"},
		{"duration", "PT90S", "PT1M30S"}, {"guid", "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"},
	} {
		code, answer := request(t, handler, http.MethodPut, path, property(v.kind, v.text))
		want := `<Value i:type="d6p1:` + v.kind + `" xmlns:d6p1="http://www.w3.org/2001/XMLSchema">` + v.shown + `</Value>`
		if code != http.StatusCreated || !strings.Contains(answer, want) {
			t.Errorf("%s %q: status %d, answer %s", v.kind, v.text, code, answer)
		}
		request(t, handler, http.MethodDelete, path, "")
	}
	for _, v := range [][2]string{
		{"int", "5000000000"}, {"int", "a"}, {"boolean", "yes"}, {"double", "0x1p3"}, {"dateTime", "yesterday"}, {"duration", "a minute"}, {"duration", noEnd},
		{"guid", "1"}, {"guid", "0011223-34455-6677-8899-aabbccddeeff"}, {"decimal", "1"}, {"anyURI", "a"},
	} {
		if code, answer := request(t, handler, http.MethodPut, path, property(v[0], v[1])); code != http.StatusBadRequest || strings.Contains(answer, "yesterday") {
			t.Errorf("%s %q: status %d, answer %s", v[0], v[1], code, answer)
		}
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	handler := openHandler(t)
	const path = "/t/Subscriptions/s/Rules/r"
	sql := `<Filter i:type="SqlFilter"><SqlExpression>a = 1</SqlExpression></Filter>`
	for name, body := range map[string]string{
		"syntax":       ruleEntry(`<Filter i:type="SqlFilter"><SqlExpression>a = </SqlExpression></Filter>`, ""),
		"empty":        ruleEntry(`<Filter i:type="SqlFilter"></Filter>`, ""),
		"type":         ruleEntry(`<Filter i:type="DateTimeRuleFilter"></Filter>`, ""),
		"no type":      ruleEntry(`<Filter></Filter>`, ""),
		"action":       ruleEntry(sql, `<Action i:type="SqlRuleAction"><SqlExpression>DROP a</SqlExpression></Action>`),
		"no action":    ruleEntry(sql, `<Action i:type="SqlRuleAction"></Action>`),
		"action type":  ruleEntry(sql, `<Action i:type="RuleCreateEntityAction"></Action>`),
		"no parameter": ruleEntry(`<Filter i:type="SqlFilter"><SqlExpression>a = @p</SqlExpression></Filter>`, ""),
		"other name":   strings.Replace(ruleEntry(sql, ""), "<Name>r<", "<Name>other<", 1),
		"queue":        `<entry xmlns="http://www.w3.org/2005/Atom"><content><QueueDescription/></content></entry>`,
		"no XML":       "{}",
	} {
		if code, answer := request(t, handler, http.MethodPut, path, body); code != http.StatusBadRequest || !strings.Contains(answer, "<Detail>SubCode=40000. ") {
			t.Errorf("%s: status %d, answer %s", name, code, answer)
		}
	}
	if code, answer := request(t, handler, http.MethodPut, path, ruleEntry(sql, ""), "If-Match", `"1"`); code != http.StatusPreconditionFailed {
		t.Errorf("a tag: status %d, answer %s", code, answer)
	}
}

func TestThePathsOfTheManagementAPI(t *testing.T) {
	handler := openHandler(t)
	for _, p := range []struct {
		method, path string
		want         int
		text         string
	}{
		{http.MethodGet, "/nothing", http.StatusOK, "Publicly Listed Services"},
		{http.MethodGet, "/T/subscriptions/S/rules/$default", http.StatusOK, "<Name>$Default</Name>"},
		{http.MethodGet, "/t/subscriptions/", http.StatusOK, "<SubscriptionDescription"},
		{http.MethodGet, "/t/subscriptions/s/rules/", http.StatusOK, "<RuleDescription"},
		{http.MethodGet, "/t/Subscriptions/s/Rules/none", http.StatusNotFound, "could not be found"},
		{http.MethodGet, "/t/Subscriptions/none", http.StatusNotFound, "could not be found"},
		{http.MethodGet, "/$Resources/Topics?$top=a", http.StatusBadRequest, "$top"},
		{http.MethodGet, "/$Resources/Relays", http.StatusBadRequest, "$Resources/Relays"},
		{http.MethodGet, "/t/Subscriptions/s/other", http.StatusBadRequest, "path"},
		{http.MethodGet, "/", http.StatusBadRequest, "path"},
		{http.MethodPut, "/$Resources/Topics", http.StatusBadRequest, "can't be written"},
		{http.MethodDelete, "/t/Subscriptions", http.StatusBadRequest, "can't be deleted"},
		{http.MethodPost, "/t", http.StatusMethodNotAllowed, "not allowed"},
	} {
		body := ""
		if p.method == http.MethodPut {
			body = ruleEntry("", "")
		}
		if code, answer := request(t, handler, p.method, p.path, body); code != p.want || !strings.Contains(answer, p.text) {
			t.Errorf("%s %s: status %d, answer %s", p.method, p.path, code, answer)
		}
	}
}

// Names are made of what Service Bus takes, by its own words.
func TestNamesThatTheManagementAPIRefuses(t *testing.T) {
	handler := openHandler(t)
	entry := func(description string) string {
		return `<entry xmlns="http://www.w3.org/2005/Atom"><content><` + description + ` xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>`
	}
	for path, want := range map[string]int{
		"/a%20b": 400, "/a%00": 400, "/a%2Bb": 400, "/a/b@c": 400, "/t/Subscriptions/a%20b": 400, "/a/$b": 400,
		"/a/B-c_d.9": 201, "/%C3%BC": 201, "/t/Subscriptions/a-b": 201,
	} {
		description := "QueueDescription"
		if strings.Contains(path, "Subscriptions") {
			description = "SubscriptionDescription"
		}
		code, answer := request(t, handler, http.MethodPut, path, entry(description))
		if code != want {
			t.Errorf("%s: status %d, answer %s", path, code, answer)
		}
		if want == http.StatusBadRequest && !strings.Contains(path, "$") && !strings.Contains(answer, path+"' contains character(s) that is not allowed by Service Bus. ") &&
			!strings.Contains(answer, path+"&#39; contains") {
			t.Errorf("%s: answer %s", path, answer)
		}
	}
}

// What XML can't show is no name, by whatever way it comes.
func TestNamesThatCannotBeShown(t *testing.T) {
	s := start(t, oneSubscription())
	for _, name := range []string{"a\x00b", "a\nb", "\x7f", "a\uFFFE", "a\uFFFD", "a\x85"} {
		if err := s.CreateQueue(broker.Queue{Name: name}); err == nil {
			t.Errorf("there is a queue named %q", name)
		}
		if err := s.CreateRule("t", "s", broker.Rule{Name: name}); err == nil {
			t.Errorf("there is a rule named %q", name)
		}
	}
}

func TestListsLinkToTheNextPage(t *testing.T) {
	handler := openHandler(t)
	request(t, handler, http.MethodPut, "/t/Subscriptions/s/Rules/r", ruleEntry("", ""))
	for query, next := range map[string]bool{"": false, "?$top=1": true, "?$top=1&$skip=1": false, "?$skip=9": false, "?$top=0": false} {
		_, answer := request(t, handler, http.MethodGet, "/t/Subscriptions/s/Rules"+query, "")
		if strings.Contains(answer, `rel="next"`) != next {
			t.Errorf("%q: %s", query, answer)
		}
		if next && !strings.Contains(answer, "%24skip=1") {
			t.Errorf("%q: %s", query, answer)
		}
	}
}

func TestWhoMayNotManageIsToldInServiceBussWords(t *testing.T) {
	options := oneSubscription()
	options.Keys = []broker.Key{{Name: "low", Value: "value", Rights: broker.RightListen | broker.RightSend}}
	client := administer(t, start(t, options))
	if got, err := client.GetTopic(deadline(t), "none", nil); got != nil || err != nil {
		t.Errorf("a topic that isn't there: %v, %v", got, err)
	}
	_, get := client.GetTopic(deadline(t), "t", nil)
	_, list := client.NewListTopicsPager(nil).NextPage(deadline(t))
	_, create := client.CreateTopic(deadline(t), "new", nil)
	_, remove := client.DeleteTopic(deadline(t), "t", nil)
	_, getSub := client.GetSubscription(deadline(t), "t", "s", nil)
	_, listSubs := client.NewListSubscriptionsPager("t", nil).NextPage(deadline(t))
	_, createSub := client.CreateSubscription(deadline(t), "t", "new", nil)
	_, removeSub := client.DeleteSubscription(deadline(t), "t", "s", nil)
	_, listRules := client.NewListRulesPager("t", "s", nil).NextPage(deadline(t))
	for _, c := range []struct {
		err  error
		text string
	}{
		{get, "Manage,EntityRead claims required for this operation"}, {list, "Manage,EntityRead claims required for this operation"},
		{create, "Authorization failed for specified action: Manage,EntityWrite"},
		{remove, "Authorization failed for specified action: Manage,EntityDelete."},
		{getSub, "401 SubCode=40100: Unauthorized : Unauthorized access for 'GetSubscription'"},
		{listSubs, "Unauthorized access for 'EnumerateSubscriptions' operation"},
		{createSub, "Unauthorized access for 'CreateOrUpdateSubscription'"}, {removeSub, "Unauthorized access for 'DeleteSubscription'"},
		{listRules, "Unauthorized access for 'EnumerateRules'"},
	} {
		wantStatus(t, c.err, http.StatusUnauthorized)
		if !contains(c.err, c.text) {
			t.Errorf("error %v, want %s", c.err, c.text)
		}
	}
}
