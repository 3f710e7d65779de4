package tenant

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file answers the calls of users; query.go reads their query options.

// Page sizes of a listing of users (Microsoft Graph, "List users").
const (
	defaultPage = 100
	maxPage     = 999
)

// userProperty writes one property of a user.
type userProperty struct {
	name string
	// byDefault tells that v1.0 returns it without $select; beta returns all
	// but those that only a $select brings.
	byDefault  bool
	selectOnly bool
	write      func([]byte, *record) []byte
}

func null(b []byte, _ *record) []byte { return append(b, "null"...) }

func list(b []byte, _ *record) []byte { return append(b, "[]"...) }

// userProperties are the properties that can be asked for. perUserMfaState is
// in no documentation, and scripts in production live on it.
var userProperties = []userProperty{
	{name: "businessPhones", byDefault: true, write: list},
	{name: "displayName", byDefault: true, write: func(b []byte, r *record) []byte { return appendNullable(b, r.DisplayName) }},
	{name: "givenName", byDefault: true, write: null},
	{name: "jobTitle", byDefault: true, write: null},
	{name: "mail", byDefault: true, write: null},
	{name: "mobilePhone", byDefault: true, write: null},
	{name: "officeLocation", byDefault: true, write: null},
	{name: "preferredLanguage", byDefault: true, write: null},
	{name: "surname", byDefault: true, write: null},
	{name: "userPrincipalName", byDefault: true, write: func(b []byte, r *record) []byte { return appendString(b, r.UserPrincipalName) }},
	{name: "id", byDefault: true, write: func(b []byte, r *record) []byte { return appendString(b, r.ID) }},
	{name: "accountEnabled", write: func(b []byte, r *record) []byte { return appendBool(b, r.AccountEnabled) }},
	{name: "assignedLicenses", write: appendLicenses},
	{name: "department", write: func(b []byte, r *record) []byte { return appendNullable(b, r.Department) }},
	{name: "lastPasswordChangeDateTime", write: func(b []byte, r *record) []byte { return appendTime(b, r.LastPasswordChange) }},
	{name: "onPremisesSyncEnabled", write: func(b []byte, r *record) []byte { return appendBool(b, r.OnPremisesSyncEnabled) }},
	{name: "usageLocation", write: null},
	{name: "userType", write: func(b []byte, r *record) []byte { return appendString(b, r.UserType) }},
	{name: "perUserMfaState", selectOnly: true, write: func(b []byte, r *record) []byte { return appendString(b, r.PerUserMFAState) }},
}

func appendLicenses(b []byte, r *record) []byte {
	b = append(b, '[')
	for i, sku := range r.Licenses {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"disabledPlans":[],"skuId":`...)
		b = append(appendString(b, sku), '}')
	}
	return append(b, ']')
}

// selected returns the properties that the call asks for.
func (c *call) selected() ([]userProperty, *refusal) {
	option := c.query.Get("$select")
	if option == "" {
		return slices.DeleteFunc(slices.Clone(userProperties), func(p userProperty) bool {
			return p.selectOnly || !p.byDefault && c.version == "v1.0"
		}), nil
	}
	chosen := make([]userProperty, 0, 8)
	for name := range strings.SplitSeq(option, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(userProperties, func(p userProperty) bool { return strings.EqualFold(p.name, name) })
		if i < 0 || c.documentedOnly && userProperties[i].selectOnly {
			return nil, refuse(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+name+"' on type 'microsoft.graph.user'.")
		}
		chosen = append(chosen, userProperties[i])
	}
	return chosen, nil
}

// appendProperties appends the properties and closes the object.
func appendProperties(b []byte, r *record, properties []userProperty) []byte {
	for i := range properties {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, properties[i].name...)
		b = append(b, `":`...)
		b = properties[i].write(b, r)
	}
	return append(b, '}')
}

func (t *Tenant) getUser(c *call) reply {
	properties, no := c.selected()
	if no == nil {
		no = c.onlyOptions("$select")
	}
	if no != nil {
		return t.refuse(c, no)
	}
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 640), c.base, "users"+c.selectClause()+"/$entity")
	return ok(appendProperties(append(b, ','), r, properties))
}

// selectClause is the part of a context that names the selected properties.
func (c *call) selectClause() string {
	if option := c.query.Get("$select"); option != "" {
		return "(" + option + ")"
	}
	return ""
}

func (t *Tenant) listUsers(c *call) reply {
	q, no := c.usersQuery()
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 32<<10), c.base, "users"+c.selectClause())
	if q.count && q.after == "" {
		b = append(b, `,"@odata.count":`...)
		b = strconv.AppendInt(b, int64(t.countMatches(c, q)), 10)
	}
	values := make([]byte, 0, 16<<10)
	last, more, shown := q.after, false, 0
	if t.probabilities.EmptyPage > 0 && q.after != "" && !q.emptied && c.dice.chance(t.probabilities.EmptyPage) {
		t.tally.fault(faultEmptyPage)
		q.emptied, more = true, true
	} else {
		q.emptied = false
		t.matches(c, q, func(r *record) bool {
			if shown == q.top {
				more = true
				return false
			}
			if shown > 0 {
				values = append(values, ',')
			}
			values = appendProperties(append(values, '{'), r, q.properties)
			last = r.ID
			shown++
			return true
		})
	}
	if more {
		b = append(b, `,"@odata.nextLink":`...)
		b = appendString(b, c.nextLink(last, q.emptied))
	}
	b = append(b, `,"value":[`...)
	b = append(b, values...)
	return ok(append(b, "]}"...))
}

// matches calls show for the users that the query wants, in order, from where
// the page begins.
func (t *Tenant) matches(c *call, q usersQuery, show func(*record) bool) {
	if q.filter.names == nil {
		t.directory.page(q.after, c.sight, func(r *record) bool { return !q.filter.accepts(r) || show(r) })
		return
	}
	for _, r := range t.named(c, q.filter.names) {
		if r.ID > q.after && q.filter.accepts(r) && !show(r) {
			return
		}
	}
}

// named returns the users of those names, each once, in the order of listings.
func (t *Tenant) named(c *call, names []string) []*record {
	found := make([]*record, 0, len(names))
	for _, name := range names {
		r, _ := t.directory.read(name, c.sight)
		if r != nil && !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int { return strings.Compare(a.ID, b.ID) })
	return found
}

func (t *Tenant) countMatches(c *call, q usersQuery) int {
	n := 0
	q.after = ""
	t.matches(c, q, func(*record) bool { n++; return true })
	return n
}

// countUsers answers users/$count, which needs the header ConsistencyLevel.
func (t *Tenant) countUsers(c *call) reply {
	if !c.eventual() {
		return t.refuse(c, badRequest("$count is not currently supported."))
	}
	q, no := c.usersQuery()
	if no != nil {
		return t.refuse(c, no)
	}
	return reply{status: http.StatusOK, contentType: "text/plain", body: strconv.AppendInt(nil, int64(t.countMatches(c, q)), 10)}
}

// nextLink is the address of the page after the user with that id, in a listing
// of users or of what there is of each of them. Its token is
// opaque; headers are not carried by it.
func (c *call) nextLink(last string, emptied bool) string {
	query := url.Values{}
	for name, values := range c.query {
		if name != "$skiptoken" {
			query[name] = values
		}
	}
	token := "1" + last
	if emptied {
		token = "0" + last
	}
	link := strings.ReplaceAll(query.Encode(), "%24", "$")
	if link != "" {
		link += "&"
	}
	return c.base + "/" + strings.Join(c.path, "/") + "?" + link + "$skiptoken=" + base64.RawURLEncoding.EncodeToString([]byte(token))
}
