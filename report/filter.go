package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Filter says which rows to keep: those that meet every condition. The zero
// value keeps all.
type Filter struct{ conditions []condition }

// condition is one field of a row and what it may be.
type condition struct {
	of     func(*Row) []string
	not    bool
	values []string // lower case; one that ends with * stands for all that begin so

	// at is not nil for a field with times, which values are not for.
	at    func(*Row) time.Time
	times []days
}

// filterField is what can be filtered by. A value that is not known is the empty
// string. Where values are listed there are no others.
type filterField struct {
	of     func(*Row) []string
	values []string
	at     func(*Row) time.Time
}

var filterFields = func() map[string]filterField {
	fields := map[string]filterField{"methods": {of: func(r *Row) []string { return orEmpty(r.Methods) }}}
	for name, of := range textFields {
		fields[name] = filterField{of: one(of)}
	}
	for name, f := range rankFields {
		fields[name] = filterField{of: one(f.of), values: f.ranks}
	}
	for name, of := range flagFields {
		fields[name] = filterField{of: one(func(r *Row) string { return of(r).String() }), values: []string{Yes.String(), No.String()}}
	}
	for name, at := range timeFields {
		fields[name] = filterField{at: at}
	}
	return fields
}()

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
// The values of times are days of UTC, such as 2026-03-01, or spans of them, such
// as 2026-03-01..2026-03-31, ..2026-03-31 or 2026-03-01.. with both ends in it.
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
	name, values, ok := strings.Cut(text, "=")
	if !ok {
		return condition{}, errors.New("want FIELD=VALUE[,VALUE] or FIELD!=VALUE[,VALUE]")
	}
	name, not := strings.CutSuffix(name, "!")
	field, known := filterFields[strings.ToLower(strings.TrimSpace(name))]
	if !known {
		return condition{}, fmt.Errorf("no such field; there are %s", strings.Join(FilterFields(), ", "))
	}
	list, err := splitValues(strings.ToLower(values))
	if err != nil {
		return condition{}, err
	}
	c := condition{of: field.of, not: not, values: list, at: field.at}
	for _, value := range list {
		switch {
		case field.at != nil:
			d, err := parseDays(value)
			if err != nil {
				return condition{}, err
			}
			c.times = append(c.times, d)
		case value != "" && field.values != nil && !slices.ContainsFunc(field.values, func(v string) bool { return matches(v, value) }):
			return condition{}, fmt.Errorf("%q is never the value; there are %s", value, strings.Join(field.values, ", "))
		}
	}
	return c, nil
}

// days are the times from one to before another; zero is open, and both zero are
// the time that is not known.
type days struct{ from, to time.Time }

func parseDays(value string) (days, error) {
	if value == "" {
		return days{}, nil
	}
	first, last, span := strings.Cut(value, "..")
	if !span {
		last = first
	}
	var d days
	var err, err2 error
	if first != "" {
		d.from, err = time.Parse(time.DateOnly, first)
	}
	if last != "" {
		d.to, err2 = time.Parse(time.DateOnly, last)
		d.to = d.to.AddDate(0, 0, 1)
	}
	if err != nil || err2 != nil || first == "" && last == "" {
		return days{}, fmt.Errorf("%q is neither a day such as 2026-03-01 nor a span such as 2026-03-01..2026-03-31, ..2026-03-31 or 2026-03-01..", value)
	}
	return d, nil
}

func (d days) hold(t time.Time) bool {
	if d == (days{}) || t.IsZero() {
		return d == (days{}) && t.IsZero()
	}
	return !t.Before(d.from) && (d.to.IsZero() || t.Before(d.to))
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
	var met bool
	if c.at != nil {
		met = slices.ContainsFunc(c.times, func(d days) bool { return d.hold(c.at(r)) })
	} else {
		met = slices.ContainsFunc(c.of(r), func(have string) bool {
			have = strings.ToLower(have)
			return slices.ContainsFunc(c.values, func(want string) bool { return matches(have, want) })
		})
	}
	return met != c.not
}

// matches tells whether a value is the wanted one, or begins like one that ends
// with *.
func matches(have, want string) bool {
	if prefix, open := strings.CutSuffix(want, "*"); open {
		return strings.HasPrefix(have, prefix)
	}
	return have == want
}
