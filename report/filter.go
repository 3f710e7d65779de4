package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Filter says which rows to keep: those that meet every condition. The zero
// value keeps all.
type Filter struct{ conditions []condition }

// condition is one member of a row and the values that it may have.
type condition struct {
	of     func(*Row) []string
	not    bool
	values []string // lower case; one that ends with * stands for all that begin so
}

// filterFields are what can be filtered by. A value that is not known is the
// empty string.
var filterFields = map[string]func(*Row) []string{
	"state":            one(func(r *Row) string { return r.PerUserMFAState }),
	"strength":         one(func(r *Row) string { return string(r.Strength) }),
	"migration":        one(func(r *Row) string { return string(r.Migration) }),
	"methods":          func(r *Row) []string { return orEmpty(r.Methods) },
	"default":          one(func(r *Row) string { return r.DefaultMethod }),
	"system-preferred": one(func(r *Row) string { return r.SystemPreferred.String() }),
	"type":             one(func(r *Row) string { return r.UserType }),
	"enabled":          one(func(r *Row) string { return r.AccountEnabled.String() }),
	"synced":           one(func(r *Row) string { return r.Synced.String() }),
	"licensed":         one(func(r *Row) string { return r.Licensed.String() }),
	"admin":            one(func(r *Row) string { return r.Admin.String() }),
	"department":       one(func(r *Row) string { return r.Department }),
	"user":             one(func(r *Row) string { return r.UserPrincipalName }),
}

// FilterFields lists what can be filtered by.
func FilterFields() []string { return slices.Sorted(maps.Keys(filterFields)) }

func one(of func(*Row) string) func(*Row) []string {
	return func(r *Row) []string { return []string{of(r)} }
}

func orEmpty(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// ParseFilter reads conditions such as state=enforced,enabled or type!=Guest.
// A condition with several values is met by any of them; of several conditions
// all must be met. Letter case does not count, a value may end with *, and one
// with a comma in it goes into double quotes. An empty value means not known.
func ParseFilter(conditions ...string) (Filter, error) {
	var f Filter
	var faults []error
	for _, text := range conditions {
		c, err := parseCondition(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("filter %q: %w", text, err))
			continue
		}
		f.conditions = append(f.conditions, c)
	}
	return f, errors.Join(faults...)
}

func parseCondition(text string) (condition, error) {
	field, values, ok := strings.Cut(text, "=")
	if !ok {
		return condition{}, errors.New("want FIELD=VALUE[,VALUE] or FIELD!=VALUE[,VALUE]")
	}
	field, not := strings.CutSuffix(field, "!")
	name := strings.ToLower(strings.TrimSpace(field))
	of, known := filterFields[name]
	if !known {
		return condition{}, fmt.Errorf("no such field; there are %s", strings.Join(FilterFields(), ", "))
	}
	list, err := splitValues(strings.ToLower(values))
	return condition{of: of, not: not, values: list}, err
}

// splitValues splits at commas that are not between double quotes, of which two
// in a row within quotes stand for one.
func splitValues(s string) ([]string, error) {
	var values []string
	for {
		s = strings.TrimLeft(s, " ")
		var value string
		if strings.HasPrefix(s, `"`) {
			var closed bool
			if value, s, closed = quoted(s[1:]); !closed {
				return nil, errors.New("a double quote is not closed")
			}
			s = strings.TrimLeft(s, " ")
			if s != "" && s[0] != ',' {
				return nil, errors.New("something follows a closing double quote")
			}
		} else {
			end := strings.IndexByte(s, ',')
			if end < 0 {
				end = len(s)
			}
			value, s = strings.TrimRight(s[:end], " "), s[end:]
		}
		values = append(values, value)
		if s == "" {
			return values, nil
		}
		s = s[1:]
	}
}

func quoted(s string) (value, rest string, closed bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `"`)
		if !found {
			return "", "", false
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, `"`) {
			return b.String(), after, true
		}
		b.WriteByte('"')
		s = after[1:]
	}
}

func (f Filter) accepts(r *Row) bool {
	for _, c := range f.conditions {
		if !c.accepts(r) {
			return false
		}
	}
	return true
}

func (c condition) accepts(r *Row) bool {
	met := slices.ContainsFunc(c.of(r), func(have string) bool {
		have = strings.ToLower(have)
		return slices.ContainsFunc(c.values, func(want string) bool {
			if prefix, open := strings.CutSuffix(want, "*"); open {
				return strings.HasPrefix(have, prefix)
			}
			return have == want
		})
	})
	return met != c.not
}
