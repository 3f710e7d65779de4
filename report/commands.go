package report

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/graphclient"
)

// commandWriter writes a CSV file that muster apply takes.
type commandWriter struct {
	out *csv.Writer
	// rows counts what was written, kept the users who had to be left out.
	rows, kept int64
	// cells are the cells after the user, nil for a row without a command. A user
	// who is kept wants the command and can't have it.
	cells func(*Row) (cells []string, kept bool)
}

// newDisableWriter takes those off per-user MFA who are ready for Conditional
// Access.
func newDisableWriter(w io.Writer) (*commandWriter, error) {
	c := &commandWriter{out: csv.NewWriter(w), cells: func(r *Row) ([]string, bool) {
		if r.Migration != Ready {
			return nil, false
		}
		return []string{string(graphclient.MFADisabled)}, false
	}}
	return c, c.out.Write([]string{"UserPrincipalName", "PerUserMfaState"})
}

// newRemovalWriter removes the phones of those who have a strong method. A
// default method that is a phone gives way to Microsoft Authenticator, or to the
// codes of an app or a token; a user who has neither is kept, since Graph removes
// no default method. The office phone of a synced user comes from the
// on-premises directory and stays.
func newRemovalWriter(w io.Writer) (*commandWriter, error) {
	c := &commandWriter{out: csv.NewWriter(w), cells: phoneRemoval}
	return c, c.out.Write([]string{"UserPrincipalName", "Mobile", "AlternateMobile", "OfficePhone", "DefaultMethod"})
}

func phoneRemoval(r *Row) (cells []string, kept bool) {
	if r.Strength != Strong {
		return nil, false
	}
	cells = []string{"", "", "", ""}
	removed := false
	for i, name := range phoneMethods {
		has := slices.ContainsFunc(r.Methods, func(m string) bool { return strings.EqualFold(m, name) })
		if has && !(name == "officePhone" && r.Synced == Yes) {
			cells[i], removed = "-", true
		}
	}
	if !removed {
		return nil, false
	}
	if r.DefaultMethod == string(graphclient.DefaultSMS) || strings.HasPrefix(r.DefaultMethod, "voice") {
		if cells[3] = replacement(r.Methods); cells[3] == "" {
			return nil, true
		}
	}
	return cells, false
}

// replacement is the default method that takes the place of a phone, empty where
// the user has none that can.
func replacement(methods []string) string {
	has := func(prefix string) bool {
		return slices.ContainsFunc(methods, func(m string) bool { return strings.HasPrefix(strings.ToLower(m), prefix) })
	}
	switch {
	case has("microsoftauthenticator"):
		return string(graphclient.DefaultPush)
	case has("softwareonetimepasscode"), has("hardwareonetimepasscode"):
		return string(graphclient.DefaultOath)
	}
	return ""
}

func (w *commandWriter) row(r *Row) error {
	cells, kept := w.cells(r)
	if kept {
		w.kept++
	}
	if cells == nil {
		return nil
	}
	w.rows++
	// A name that a spreadsheet would take for a formula gives way to the id.
	user := r.UserPrincipalName
	if inert(user) != user {
		user = r.ID
	}
	return w.out.Write(append([]string{user}, cells...))
}

func (w *commandWriter) end() error {
	w.out.Flush()
	return w.out.Error()
}
