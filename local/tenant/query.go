package tenant

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxInLiterals is how many values an in(…) may hold.
const maxInLiterals = 15

// usersQuery is what the query options of a listing of users ask for.
type usersQuery struct {
	top        int
	properties []userProperty
	filter     userFilter
	count      bool
	after      string // the last id of the page before, empty on the first
	emptied    bool   // the page before was empty
}

// usersQuery reads the query options; what the tenant does not support it
// refuses as the service refuses what it does not.
func (c *call) usersQuery() (q usersQuery, no *refusal) {
	if no := c.onlyOptions("$select", "$top", "$filter", "$count", "$skiptoken"); no != nil {
		return q, no
	}
	if q.properties, no = c.selected(); no != nil {
		return q, no
	}
	if q.top, no = pageSize(c.query.Get("$top")); no != nil {
		return q, no
	}
	if q.filter, no = parseUserFilter(c.query.Get("$filter")); no != nil {
		return q, no
	}
	q.count = c.query.Get("$count") == "true" && c.eventual()
	return q, q.resume(c.query.Get("$skiptoken"))
}

// resume reads a skip token that nextLink has made.
func (q *usersQuery) resume(token string) *refusal {
	if token == "" {
		return nil
	}
	opened, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(opened) < 1 || opened[0] != '0' && opened[0] != '1' {
		return refuse(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and cannot be included in your request.")
	}
	q.emptied = opened[0] == '0'
	q.after = string(opened[1:])
	return nil
}

// eventual tells whether the call carries the header that advanced queries on
// directory objects demand.
func (c *call) eventual() bool {
	return strings.EqualFold(c.header("ConsistencyLevel"), "eventual")
}

// onlyOptions refuses system query options other than those listed; custom ones
// are passed over.
func (c *call) onlyOptions(supported ...string) *refusal {
	for name := range c.query {
		if strings.HasPrefix(name, "$") && !slices.Contains(supported, name) {
			return unsupportedQuery("The query option '" + name + "' is not supported for this request.")
		}
	}
	return nil
}

func pageSize(top string) (int, *refusal) {
	if top == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(top)
	if err != nil || n < 1 || n > maxPage {
		return 0, badRequest("Invalid page size specified: '" + top + "'. Must be between 1 and " + strconv.Itoa(maxPage) + " inclusive.")
	}
	return n, nil
}

// userFilter is a conjunction of conditions on users.
type userFilter struct {
	// names are the ids or user principal names that the result is among, nil
	// for no such condition.
	names      []string
	conditions []func(*record) bool
}

func (f *userFilter) accepts(r *record) bool {
	for _, holds := range f.conditions {
		if !holds(r) {
			return false
		}
	}
	return true
}

// parseUserFilter reads the documented forms that Muster and its neighbours
// use: id or userPrincipalName with eq and in, accountEnabled eq true, userType
// eq 'Member', onPremisesSyncEnabled eq true, and several of them with and.
func parseUserFilter(filter string) (userFilter, *refusal) {
	var f userFilter
	if filter == "" {
		return f, nil
	}
	p := &filterParser{rest: filter}
	for {
		if !p.clause(&f) {
			return f, p.refusal()
		}
		if p.end() {
			return f, nil
		}
		if !p.word("and") {
			return f, p.refusal()
		}
	}
}

// filterParser reads a filter from left to right.
type filterParser struct {
	rest    string
	tooMany bool
}

func (p *filterParser) refusal() *refusal {
	if p.tooMany {
		return badRequest("Too many child clauses specified in search filter expression containing 'OR' operators. Max allowed: " + strconv.Itoa(maxInLiterals) + ".")
	}
	return unsupportedQuery("Unsupported or invalid query filter clause specified for resource 'User'.")
}

func (p *filterParser) end() bool { return strings.TrimSpace(p.rest) == "" }

// word takes the next word if it is the given one.
func (p *filterParser) word(want string) bool {
	rest := strings.TrimLeft(p.rest, " ")
	if len(rest) < len(want) || !strings.EqualFold(rest[:len(want)], want) {
		return false
	}
	after := rest[len(want):]
	if want != "," && want != "(" && want != ")" && after != "" && after[0] != ' ' && after[0] != '(' {
		return false
	}
	p.rest = after
	return true
}

// literal takes a string in single quotes; two of them stand for one.
func (p *filterParser) literal() (string, bool) {
	rest, opened := strings.CutPrefix(strings.TrimLeft(p.rest, " "), "'")
	if !opened {
		return "", false
	}
	var value strings.Builder
	for {
		before, after, closed := strings.Cut(rest, "'")
		if !closed {
			return "", false
		}
		value.WriteString(before)
		if !strings.HasPrefix(after, "'") {
			p.rest = after
			return value.String(), true
		}
		value.WriteByte('\'')
		rest = after[1:]
	}
}

// clause takes one condition and adds it to the filter.
func (p *filterParser) clause(f *userFilter) bool {
	switch {
	case p.word("userPrincipalName"):
		return p.names(f, func(r *record) string { return r.UserPrincipalName })
	case p.word("id"):
		return p.names(f, func(r *record) string { return r.ID })
	case p.word("userType"):
		return p.userType(f)
	case p.word("accountEnabled"):
		return p.boolean(f, func(r *record) *bool { return r.AccountEnabled })
	case p.word("onPremisesSyncEnabled"):
		return p.boolean(f, func(r *record) *bool { return r.OnPremisesSyncEnabled })
	}
	return false
}

// names takes eq '…' or in ('…','…') of a property that identifies users.
func (p *filterParser) names(f *userFilter, of func(*record) string) bool {
	var wanted []string
	switch {
	case p.word("eq"):
		value, is := p.literal()
		if !is {
			return false
		}
		wanted = []string{value}
	case p.word("in"):
		if wanted = p.listed(); wanted == nil {
			return false
		}
	default:
		return false
	}
	if f.names == nil {
		f.names = wanted
	}
	f.conditions = append(f.conditions, func(r *record) bool {
		return slices.ContainsFunc(wanted, func(value string) bool { return strings.EqualFold(value, of(r)) })
	})
	return true
}

// listed takes ('…','…'), nil where there is none.
func (p *filterParser) listed() []string {
	if !p.word("(") {
		return nil
	}
	var values []string
	for {
		value, is := p.literal()
		if !is {
			return nil
		}
		values = append(values, value)
		if p.word(")") {
			break
		}
		if !p.word(",") {
			return nil
		}
	}
	if p.tooMany = len(values) > maxInLiterals; p.tooMany {
		return nil
	}
	return values
}

func (p *filterParser) userType(f *userFilter) bool {
	if !p.word("eq") {
		return false
	}
	want, is := p.literal()
	f.conditions = append(f.conditions, func(r *record) bool { return strings.EqualFold(r.UserType, want) })
	return is
}

func (p *filterParser) boolean(f *userFilter, of func(*record) *bool) bool {
	if !p.word("eq") {
		return false
	}
	want := p.word("true")
	if !want && !p.word("false") {
		return false
	}
	f.conditions = append(f.conditions, func(r *record) bool { v := of(r); return v != nil && *v == want })
	return true
}
