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
	out  *csv.Writer
	rows int64
	// cells are the cells after the user, nil for a row without a command.
	cells func(*Row) []string
}

// newDisableWriter takes those off per-user MFA who are ready for Conditional
// Access.
func newDisableWriter(w io.Writer) (*commandWriter, error) {
	c := &commandWriter{out: csv.NewWriter(w), cells: func(r *Row) []string {
		if r.Migration != Ready {
			return nil
		}
		return []string{string(graphclient.MFADisabled)}
	}}
	return c, c.out.Write([]string{"UserPrincipalName", "PerUserMfaState"})
}

// newRemovalWriter removes the phones of those who have a strong method. A
// default method that is a phone gives way to Microsoft Authenticator where the
// user has that. The office phone of a synced user comes from the on-premises
// directory and stays.
func newRemovalWriter(w io.Writer) (*commandWriter, error) {
	c := &commandWriter{out: csv.NewWriter(w), cells: phoneRemoval}
	return c, c.out.Write([]string{"UserPrincipalName", "Mobile", "AlternateMobile", "OfficePhone", "DefaultMethod"})
}

func phoneRemoval(r *Row) []string {
	if r.Strength != Strong {
		return nil
	}
	cells := []string{"", "", "", ""}
	for i, method := range phoneMethods[:3] {
		if slices.Contains(r.Methods, method) && !(method == "officePhone" && r.Synced == Yes) {
			cells[i] = "-"
		}
	}
	if cells[0] == "" && cells[1] == "" && cells[2] == "" {
		return nil
	}
	phoneDefault := r.DefaultMethod == string(graphclient.DefaultSMS) || strings.HasPrefix(r.DefaultMethod, "voice")
	if phoneDefault && slices.Contains(r.Methods, "microsoftAuthenticatorPush") {
		cells[3] = string(graphclient.DefaultPush)
	}
	return cells
}

func (w *commandWriter) row(r *Row) error {
	cells := w.cells(r)
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
