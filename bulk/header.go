package bulk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Field is what a column means.
type Field string

// The fields, by the name of their column in a file.
const (
	User            Field = "UserPrincipalName"
	Mobile          Field = "Mobile"
	AlternateMobile Field = "AlternateMobile"
	OfficePhone     Field = "OfficePhone"
	PerUserMFAState Field = "PerUserMfaState"
	SMSSignIn       Field = "SmsSignIn"
	DefaultMethod   Field = "DefaultMethod"
	PhoneMode       Field = "PhoneMode"

	DefaultMethodMode   Field = "DefaultMethodMode"
	RemoveAuthenticator Field = "RemoveAuthenticator"

	// Ignored columns are not read, only kept for the rejects file.
	Ignored Field = ""
)

// fields lists the fields in the order in which a row's faults are reported.
var fields = []Field{
	User, Mobile, AlternateMobile, OfficePhone, PerUserMFAState, SMSSignIn, DefaultMethod, PhoneMode, DefaultMethodMode, RemoveAuthenticator,
}

// userNames are the further names of the user column.
var userNames = []string{"UPN", "user"}

// officeName is what the message contract calls the office phone.
const officeName = "office"

// The columns that a rejects file has beyond its input's.
const (
	columnRow    = "row"
	columnReason = "reason"
	columnHint   = "hint"
)

// maxColumnName is the longest unknown name that an error repeats, in bytes.
const maxColumnName = 64

// Column is one column of a file.
type Column struct {
	// Name is the header's cell as it is in the file.
	Name string
	// Field is what the column means.
	Field Field
}

// Header is a file's columns in their order.
type Header struct {
	Columns []Column
}

// Index returns the place of a field's column, -1 where the file has none.
func (h Header) Index(f Field) int {
	return slices.IndexFunc(h.Columns, func(c Column) bool { return c.Field == f })
}

// foldName reduces a name to what counts: case, spaces and the characters that
// people join words with do not.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

var knownNames = func() map[string]Field {
	known := make(map[string]Field)
	for _, f := range fields {
		known[foldName(string(f))] = f
	}
	for _, name := range userNames {
		known[foldName(name)] = User
	}
	known[officeName] = OfficePhone
	for _, name := range []string{columnRow, columnReason, columnHint} {
		known[foldName(name)] = Ignored
	}
	return known
}()

// isOurs reports whether a column is one that a rejects file adds.
func isOurs(name string) bool {
	f, known := knownNames[foldName(name)]
	return known && f == Ignored
}

// parseHeader gives every cell of the first row its meaning and reports every
// fault at once. A column without a name is ignored: spreadsheets write the
// empty columns beside a table too.
func parseHeader(cells []string, o ReaderOptions) (Header, error) {
	var h Header
	var faults []error
	ignore := make(map[string]bool)
	for _, name := range o.Ignore {
		ignore[foldName(name)] = true
	}
	recognised := false
	for i, name := range cells {
		folded := foldName(name)
		field, known := knownNames[folded]
		recognised = recognised || known
		switch {
		case ignore[folded]:
			field = Ignored
		case known && field != Ignored && h.Index(field) >= 0:
			faults = append(faults, fmt.Errorf("columns %d and %d both mean %s", h.Index(field)+1, i+1, field))
			field = Ignored
		case !known && folded != "" && !o.IgnoreUnknown:
			faults = append(faults, unknownColumn(i, name))
		}
		h.Columns = append(h.Columns, Column{Name: name, Field: field})
	}
	if !recognised {
		return Header{}, fmt.Errorf("the first row must hold column names, and it has none of %s", nameList())
	}
	return h, errors.Join(append(faults, h.missing()...)...)
}

// missing reports the columns without which a file can't be loaded.
func (h Header) missing() []error {
	var faults []error
	if h.Index(User) < 0 {
		faults = append(faults, fmt.Errorf("no column names the user: add %s, %s or %s", User, userNames[0], userNames[1]))
	}
	if !slices.ContainsFunc(h.Columns, func(c Column) bool { return c.Field != Ignored && c.Field != User }) {
		faults = append(faults, fmt.Errorf("no column says what to set: add one of %s", nameList()))
	}
	return faults
}

func nameList() string {
	return strings.Join(fieldNames(), ", ")
}

// ErrUnknownColumn is wrapped by the error of a header with a column that is
// neither known nor ignored.
var ErrUnknownColumn = errors.New("which is unknown")

// unknownColumn names a column unless it looks like data: a file without a
// header has a user or a number there.
func unknownColumn(i int, name string) error {
	digits := strings.IndexFunc(name, unicode.IsDigit) >= 0
	if digits || strings.Contains(name, "@") || len(name) > maxColumnName {
		return fmt.Errorf("column %d has no column name but what looks like data", i+1)
	}
	if near := nearest(name); near != "" {
		return fmt.Errorf("column %d is named %q, %w: did you mean %s", i+1, name, ErrUnknownColumn, near)
	}
	return fmt.Errorf("column %d is named %q, %w: known are %s", i+1, name, ErrUnknownColumn, nameList())
}

// nearest returns the known name that takes the fewest edits, if those leave
// more than half of it alone.
func nearest(name string) string {
	folded := foldName(name)
	best, fewest := "", len(folded)
	for _, candidate := range slices.Concat(userNames, fieldNames()) {
		n := edits(folded, foldName(candidate))
		if n < fewest && 2*n < max(len(candidate), len(folded)) {
			best, fewest = candidate, n
		}
	}
	return best
}

func fieldNames() []string {
	var names []string
	for _, f := range fields {
		names = append(names, string(f))
	}
	return names
}

// edits is the Levenshtein distance of two texts in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
