package tenant

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// This file keeps the log of changes to users and answers
// auditLogs/directoryAudits from it. Unlike the service's, the log has no delay.

const (
	// auditLimit bounds the log: the oldest entries go.
	auditLimit = 20_000
	// auditPage is the size of a page where $top does not say (Microsoft Graph,
	// paging: the default differs between APIs).
	auditPage = 1000
)

// audit is one entry of the log.
type audit struct {
	id          string
	time        time.Time
	activity    auditActivity
	correlation string
	user        *record
	// refused is why the change was not made, nil where it was.
	refused *refusal
}

// auditActivity is how the log names an operation.
type auditActivity struct{ name, category, service, kind string }

const (
	authenticationMethods = "Authentication Methods"
	userManagement        = "UserManagement"
)

// auditActivities are the names that the log gives to operations (Microsoft
// Entra, "Audit log activity reference", services Authentication Methods and
// Core Directory). Which of them a call of the API gets is not documented; that
// is our reading of the names.
var auditActivities = map[string]auditActivity{
	"phoneMethods.add":                     {"Admin registered security info", userManagement, authenticationMethods, "Add"},
	"phoneMethods.change":                  {"Admin updated security info", userManagement, authenticationMethods, "Update"},
	"phoneMethods.delete":                  {"Admin deleted security info", userManagement, authenticationMethods, "Delete"},
	"phoneMethods.enableSmsSignIn":         {"Admin updated security info", userManagement, authenticationMethods, "Update"},
	"phoneMethods.disableSmsSignIn":        {"Admin updated security info", userManagement, authenticationMethods, "Update"},
	"microsoftAuthenticatorMethods.delete": {"Admin deleted security info", userManagement, authenticationMethods, "Delete"},
	"signInPreferences.change":             {"PATCH UserAuthMethod.PatchSignInPreferencesAsync", "ApplicationManagement", authenticationMethods, "Update"},
	"requirements.change":                  {"Update user", userManagement, "Core Directory", "Update"},
}

// audits is the log, the newest entry last. The zero value is empty.
type audits struct {
	mu   sync.Mutex
	list []audit
}

// note enters a change to the user, or an attempt that was refused.
func (a *audits) note(c *call, user *record, no *refusal) {
	activity, known := auditActivities[c.operation.name]
	if !known || user == nil || no != nil && no.status == http.StatusNotFound {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) >= auditLimit {
		a.list = slices.Delete(a.list, 0, auditLimit/4)
	}
	a.list = append(a.list, audit{
		id:          "AuthenticationMethods_" + c.ids.request + "_" + strconv.Itoa(len(a.list)),
		time:        c.sight.now,
		activity:    activity,
		correlation: c.ids.client,
		user:        user,
		refused:     no,
	})
}

// matching returns the entries that the filter accepts, the newest first unless
// said otherwise.
func (a *audits) matching(accepts func(*audit) bool, ascending bool) []audit {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []audit
	for i := range a.list {
		if accepts(&a.list[i]) {
			found = append(found, a.list[i])
		}
	}
	slices.SortStableFunc(found, func(x, y audit) int { return x.time.Compare(y.time) })
	if !ascending {
		slices.Reverse(found)
	}
	return found
}

// auditsQuery is what the query options of a listing of the log ask for.
type auditsQuery struct {
	accepts   func(*audit) bool
	ascending bool
	top, skip int
}

func (c *call) auditsQuery() (q auditsQuery, no *refusal) {
	if no := c.onlyOptions("$filter", "$top", "$orderby", "$skiptoken"); no != nil {
		return q, no
	}
	switch strings.ToLower(c.query.Get("$orderby")) {
	case "", "activitydatetime desc":
	case "activitydatetime", "activitydatetime asc":
		q.ascending = true
	default:
		return q, unsupportedQuery("The $orderby clause is not supported for this request.")
	}
	if q.top, no = pageSize(cmp.Or(c.query.Get("$top"), strconv.Itoa(maxPage))); no != nil {
		return q, no
	}
	if !c.query.Has("$top") {
		q.top = auditPage
	}
	if token := c.query.Get("$skiptoken"); token != "" {
		opened, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			q.skip, err = strconv.Atoi(string(opened))
		}
		if err != nil || q.skip < 0 {
			return q, badRequest("Invalid skip token.")
		}
	}
	q.accepts, no = parseAuditFilter(c.query.Get("$filter"))
	return q, no
}

// parseAuditFilter reads conditions joined by and, of those that the
// documentation lists ("List directoryAudits", $filter): activityDateTime ge and
// le, activityDisplayName eq, loggedByService eq, and
// targetResources/any(t:t/id eq '…').
func parseAuditFilter(filter string) (func(*audit) bool, *refusal) {
	var conditions []func(*audit) bool
	for clause := range strings.SplitSeq(filter, " and ") {
		clause = strings.TrimSpace(clause)
		if clause == "" && filter == "" {
			break
		}
		condition := auditCondition(clause)
		if condition == nil {
			return nil, badRequest("Invalid filter clause")
		}
		conditions = append(conditions, condition)
	}
	return func(a *audit) bool {
		return !slices.ContainsFunc(conditions, func(holds func(*audit) bool) bool { return !holds(a) })
	}, nil
}

// auditCondition reads one condition, nil for what is not understood.
func auditCondition(clause string) func(*audit) bool {
	if lambda, ok := strings.CutPrefix(clause, "targetResources/any("); ok {
		variable, rest, _ := strings.Cut(strings.TrimSuffix(lambda, ")"), ":")
		literal, ok := strings.CutPrefix(strings.TrimSpace(rest), strings.TrimSpace(variable)+"/id eq '")
		id, closed := strings.CutSuffix(literal, "'")
		if !ok || !closed {
			return nil
		}
		return func(a *audit) bool { return strings.EqualFold(a.user.ID, id) }
	}
	words := strings.SplitN(clause, " ", 3)
	if len(words) != 3 {
		return nil
	}
	literal, closed := strings.CutSuffix(strings.TrimPrefix(words[2], "'"), "'")
	switch words[0] + " " + words[1] {
	case "activityDateTime ge", "activityDateTime le":
		at, err := time.Parse(time.RFC3339, words[2])
		if err != nil {
			return nil
		}
		if words[1] == "ge" {
			return func(a *audit) bool { return !a.time.Before(at) }
		}
		return func(a *audit) bool { return !a.time.After(at) }
	case "activityDisplayName eq":
		return func(a *audit) bool { return closed && a.activity.name == literal }
	case "loggedByService eq":
		return func(a *audit) bool { return closed && a.activity.service == literal }
	}
	return nil
}

func (t *Tenant) listAudits(c *call) reply {
	q, no := c.auditsQuery()
	if no != nil {
		return t.refuse(c, no)
	}
	found := t.directory.audits.matching(q.accepts, q.ascending)
	found = found[min(q.skip, len(found)):]
	b := appendContext(make([]byte, 0, 16<<10), c.base, "auditLogs/directoryAudits")
	if len(found) > q.top {
		found = found[:q.top]
		b = append(b, `,"@odata.nextLink":`...)
		b = appendString(b, c.auditsLink(q.skip+q.top))
	}
	b = append(b, `,"value":[`...)
	for i := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = found[i].append(b)
	}
	return ok(append(b, "]}"...))
}

// auditsLink is the address of the page that begins after so many entries.
func (c *call) auditsLink(skip int) string {
	query := make([]string, 0, len(c.query)+1)
	for name, values := range c.query {
		if name != "$skiptoken" {
			query = append(query, name+"="+strings.NewReplacer(" ", "%20", "'", "%27", "+", "%2B").Replace(values[0]))
		}
	}
	slices.Sort(query)
	query = append(query, "$skiptoken="+base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(skip))))
	return c.base + "/auditLogs/directoryAudits?" + strings.Join(query, "&")
}

// append appends the entry (resource type directoryAudit).
func (a *audit) append(b []byte) []byte {
	result, reason := "success", ""
	if a.refused != nil {
		result, reason = "failure", a.refused.code
	}
	b = append(b, '{')
	for i, property := range [...]struct{ name, value string }{
		{"id", a.id}, {"category", a.activity.category}, {"correlationId", a.correlationID()}, {"result", result},
		{"resultReason", reason}, {"activityDisplayName", a.activity.name}, {"loggedByService", a.activity.service},
		{"operationType", a.activity.kind},
	} {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+property.name+`":`...)
		b = appendString(b, property.value)
	}
	b = append(b, `,"activityDateTime":`...)
	b = appendTime(b, a.time)
	b = append(b, `,"initiatedBy":{"user":null,"app":{"appId":"`+applicationID+`","displayName":"Muster","servicePrincipalId":null,"servicePrincipalName":null}}`...)
	b = append(b, `,"targetResources":[{"id":`...)
	b = appendString(b, a.user.ID)
	b = append(b, `,"displayName":`...)
	b = appendNullable(b, a.user.DisplayName)
	b = append(b, `,"type":"User","userPrincipalName":`...)
	b = appendString(b, a.user.UserPrincipalName)
	return append(b, `,"groupType":null,"modifiedProperties":[]}],"additionalDetails":[]}`...)
}

// correlationID is the client's id of the request where that is a GUID.
func (a *audit) correlationID() string {
	if uuid.Validate(a.correlation) == nil {
		return a.correlation
	}
	return uuid.Nil.String()
}
