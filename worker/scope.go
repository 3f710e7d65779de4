package worker

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// Scope says which users a worker may change, by named rules that look at what
// the directory holds of a user. [ReadScope] makes one. It is never changed and
// may be used by many goroutines at once.
//
// A user is in scope whom no exclude rule covers, and whom an include rule covers
// where there are any. Exclusion always wins; the order of rules means nothing.
type Scope struct {
	exclude, include []scopeRule

	// What the rules look at, besides the object id.
	properties, roles bool
	groups            []string // each once
}

func newScope(exclude, include []scopeRule) *Scope {
	s := &Scope{exclude: exclude, include: include}
	for _, r := range slices.Concat(exclude, include) {
		s.properties = s.properties || r.names || r.looksAtProperties()
		s.roles = s.roles || r.admins != nil
		s.groups = append(s.groups, r.groups...)
	}
	slices.Sort(s.groups)
	s.groups = slices.Compact(s.groups)
	return s
}

// scopeRule covers the users whom all of its matchers cover.
type scopeRule struct {
	name string

	users       map[string]bool // object ids and user principal names, folded
	names       bool            // of users, any by user principal name
	upnPatterns []string        // folded
	domains     map[string]bool // folded
	userTypes   map[string]bool // folded
	departments map[string]bool // folded
	groups      []string        // object ids, folded
	disabled    *bool
	admins      *bool
	synced      *bool
	wave        *wave
}

// wave takes a fixed part of all users: the first upTo of that many equal parts.
// Which part a user is in follows from the object id alone, so a larger upTo
// keeps those who are in.
type wave struct{ of, upTo uint64 }

// Subject is what a scope's rules look at. A part that has not been read is nil.
type Subject struct {
	// ID is the user's object id.
	ID string
	// Properties are those of the user.
	Properties *SubjectProperties
	// Groups are those of the scope's groups that the user is in, by object id.
	Groups *[]string
	// Admin tells whether the user has any directory role.
	Admin *bool
}

// SubjectProperties are the properties of a user (resource type user).
type SubjectProperties struct {
	UserPrincipalName string
	// AccountEnabled is nil where Graph does not tell.
	AccountEnabled *bool
	// UserType is Member or Guest; empty counts as Member.
	UserType              string
	OnPremisesSyncEnabled bool
	Department            string
}

// coverage is whether a rule covers a user: undecided as long as something that
// it depends on is not known. The order is that of min and max.
type coverage int

const (
	uncovered coverage = iota
	undecided
	covered
)

// ScopeDecision is what a scope says of a user.
type ScopeDecision struct {
	// Out: the worker may not change the user.
	Out bool
	// Rules names the exclude rule that covers the user. Where none does, they are
	// all the include rules, of which none does.
	Rules []string
	// Excluded tells the first case from the second.
	Excluded bool
}

// Decide says whether a user is in scope, as far as that can be told from what
// has been read; it is uncertain where more has to be. What Graph does not tell
// of a user keeps the user out.
func (s *Scope) Decide(u Subject) (d ScopeDecision, certain bool) {
	var open []string
	for _, r := range s.exclude {
		switch r.covers(u) {
		case covered:
			return ScopeDecision{Out: true, Excluded: true, Rules: []string{r.name}}, true
		case undecided:
			open = append(open, r.name)
		}
	}
	complete := s.missing(u) == nothing
	best := uncovered
	var names []string
	for _, r := range s.include {
		best = max(best, r.covers(u))
		names = append(names, r.name)
	}
	switch {
	case len(names) > 0 && (best == uncovered || best == undecided && complete):
		return ScopeDecision{Out: true, Rules: names}, true
	case len(open) > 0 && complete:
		return ScopeDecision{Out: true, Excluded: true, Rules: open[:1]}, true
	}
	return ScopeDecision{}, complete || len(open) == 0 && (len(names) == 0 || best == covered)
}

// subjectPart is a part of a subject, each read by a request of its own.
type subjectPart int

const (
	nothing subjectPart = iota
	theProperties
	theGroups
	theRoles
)

// missing is the next part to read for a decision, the cheapest first.
func (s *Scope) missing(u Subject) subjectPart {
	switch {
	case u.Properties == nil && s.properties:
		return theProperties
	case u.Groups == nil && len(s.groups) > 0:
		return theGroups
	case u.Admin == nil && s.roles:
		return theRoles
	}
	return nothing
}

// covers tells whether all matchers of the rule cover the user.
func (r scopeRule) covers(u Subject) coverage {
	return min(r.coversUser(u), r.coversProperties(u.Properties), r.coversGroups(u.Groups), is(r.admins, u.Admin), r.coversWave(u.ID))
}

func (r scopeRule) coversUser(u Subject) coverage {
	switch {
	case r.users == nil || r.users[fold(u.ID)]:
		return covered
	case !r.names:
		return uncovered
	case u.Properties == nil:
		return undecided
	}
	return whether(r.users[fold(u.Properties.UserPrincipalName)])
}

func (r scopeRule) coversProperties(p *SubjectProperties) coverage {
	switch {
	case !r.looksAtProperties():
		return covered
	case p == nil:
		return undecided
	}
	upn := fold(p.UserPrincipalName)
	_, domain, _ := cutLast(upn, '@')
	all := (r.upnPatterns == nil || slices.ContainsFunc(r.upnPatterns, func(pattern string) bool { return matchesUPN(pattern, upn) })) &&
		(r.domains == nil || r.domains[domain]) &&
		(r.userTypes == nil || r.userTypes[cmp.Or(fold(p.UserType), "member")]) &&
		(r.departments == nil || r.departments[fold(p.Department)]) &&
		(r.synced == nil || *r.synced == p.OnPremisesSyncEnabled)
	if !all {
		return uncovered
	}
	var disabled *bool
	if p.AccountEnabled != nil {
		disabled = new(!*p.AccountEnabled)
	}
	return is(r.disabled, disabled)
}

func (r scopeRule) looksAtProperties() bool {
	return r.upnPatterns != nil || r.domains != nil || r.userTypes != nil || r.departments != nil || r.synced != nil || r.disabled != nil
}

func (r scopeRule) coversGroups(groups *[]string) coverage {
	switch {
	case r.groups == nil:
		return covered
	case groups == nil:
		return undecided
	}
	return whether(slices.ContainsFunc(*groups, func(id string) bool { return slices.Contains(r.groups, fold(id)) }))
}

func (r scopeRule) coversWave(id string) coverage {
	return whether(r.wave == nil || r.wave.partOf(id) < r.wave.upTo)
}

// partOf is the part that a user is in, from zero. It must never change: a user
// who was in an earlier wave would drop out.
func (w wave) partOf(id string) uint64 {
	sum := sha256.Sum256([]byte(fold(id)))
	return binary.BigEndian.Uint64(sum[:8]) % w.of
}

// is compares what a rule wants, if anything, with what is known.
func is(wanted, known *bool) coverage {
	switch {
	case wanted == nil:
		return covered
	case known == nil:
		return undecided
	}
	return whether(*wanted == *known)
}

func whether(is bool) coverage {
	if is {
		return covered
	}
	return uncovered
}

// matchesUPN tells whether a folded pattern covers a folded name. A pattern
// without an @ is held against what stands before it.
func matchesUPN(pattern, upn string) bool {
	if !strings.Contains(pattern, "@") {
		upn, _, _ = cutLast(upn, '@')
	}
	return glob(pattern, upn)
}

// glob matches a text against a pattern in which * stands for any characters and
// ? for any one.
func glob(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, mark := -1, 0 // where the last * stands, and what it covers ends
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// accesses lists what the scope may need of Graph.
func (s *Scope) accesses() []access {
	needed := []access{signIn, readUsers}
	if len(s.groups) > 0 {
		needed = append(needed, readGroups)
	}
	if s.roles {
		needed = append(needed, readRoles)
	}
	return needed
}

// Permissions are the application permissions of Microsoft Graph that the scope's
// rules need, those with the least privilege.
func (s *Scope) Permissions() []string { return leastPermissions(s.accesses()) }
