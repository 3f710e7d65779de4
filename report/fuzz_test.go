package report

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParseFilter: a filter is refused or works, and one made of a value that a
// row has lets that row through.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"state=enforced,enabled", `department="Sales, EMEA"`, "type!=Guest", "user=a*", `name="`, "=", "department=\"a\"\"b\" , c", "methods=,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		filter, err := ParseFilter(condition)
		if err == nil {
			filter.accepts(&Row{UserPrincipalName: condition, Department: "Sales"})
		}
		if strings.Contains(condition, "*") || strings.ToLower(condition) != condition {
			return
		}
		quoted := `department="` + strings.ReplaceAll(condition, `"`, `""`) + `"`
		filter, err = ParseFilter(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		if !filter.accepts(&Row{Department: condition}) {
			t.Errorf("%s does not accept %q", quoted, condition)
		}
	})
}

// FuzzReadLines: an earlier report is refused without quoting it, or its rows go
// to the disk and back.
func FuzzReadLines(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","userPrincipalName":"ada@contoso.example","methodsRegistered":[],"accountEnabled":true}`,
		"\ufeff{\"id\":\"1\"}\n\n{\"id\":\"2\",\"phones\":{\"mobile\":\"+1 2065550100\"}}", `{"id":1}`, `[]`, `{"id":"x","isAdmin":null}`,
		`{"id":"x","lastPasswordChangeDateTime":"0001-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		err := readLines(bytes.NewReader(in), func(r *Row) error {
			again, err := decodeRow(r.encode(nil))
			if err != nil {
				t.Fatal(err)
			}
			if len(differences(r, &again)) > 0 || again.ID != r.ID {
				t.Errorf("%+v became %+v", r, again)
			}
			return nil
		})
		if err != nil && len(err.Error()) > 100 {
			t.Errorf("the error is long enough to quote what was read: %v", err)
		}
	})
}

// FuzzDecodeRow: a damaged run is refused, and what is read can be written.
func FuzzDecodeRow(f *testing.F) {
	row := Row{ID: "1", UserPrincipalName: "ada@contoso.example", Methods: []string{"mobilePhone"}, Phones: &Phones{Mobile: "+1 2065550100"}, Admin: Yes}
	f.Add(row.encode(nil))
	f.Add([]byte{0, 0, 0, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := decodeRow(in)
		if err != nil {
			return
		}
		again, err := decodeRow(r.encode(nil))
		if err != nil || again.ID != r.ID || again.Admin != r.Admin {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
