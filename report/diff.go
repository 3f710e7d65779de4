package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/graphclient"
)

// Change is one thing about a user that differs from an earlier report.
type Change struct {
	// What is added, removed or changed.
	What              string `json:"what"`
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	// Field, Before and After are empty unless What is changed.
	Field  string `json:"field,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// What a Change can be.
const (
	ChangeAdded   = "added"
	ChangeRemoved = "removed"
	ChangeChanged = "changed"
)

// maxLine is the longest line of an earlier report, in bytes.
const maxLine = 1 << 20

// readEarlier reads an earlier report in JSON Lines into a sorter.
func readEarlier(name string, s *sorter) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open earlier report: %w", err)
	}
	defer f.Close()
	var scratch []byte
	err = readLines(f, func(r *Row) (err error) {
		scratch, err = s.addRow([]byte(r.ID), r, scratch)
		return err
	})
	if err != nil {
		return fmt.Errorf("read earlier report %s: %w", name, err)
	}
	return nil
}

// readLines decodes JSON Lines of rows. Its errors hold no part of a line.
func readLines(in io.Reader, each func(*Row) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			continue
		}
		var r Row
		if json.Unmarshal(line, &r) != nil || r.ID == "" {
			return fmt.Errorf("line %d: not a row of a report in JSON Lines (-o report.jsonl)", n)
		}
		r.ID = strings.ToLower(r.ID)
		if err := each(&r); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes", maxLine)
	}
	return lines.Err()
}

// comparison walks the rows of an earlier report beside those of this one.
type comparison struct {
	earlier *rowsByID
	tell    func(Change) error
}

// row compares one row; rows come in the order of ids.
func (c *comparison) row(now *Row) error {
	for c.earlier.more && c.earlier.head.ID < now.ID {
		if err := c.gone(); err != nil {
			return err
		}
	}
	if !c.earlier.more || c.earlier.head.ID != now.ID {
		return c.tell(Change{What: ChangeAdded, ID: now.ID, UserPrincipalName: now.UserPrincipalName})
	}
	before := c.earlier.head
	for _, d := range differences(&before, now) {
		d.What, d.ID, d.UserPrincipalName = ChangeChanged, now.ID, now.UserPrincipalName
		if err := c.tell(d); err != nil {
			return err
		}
	}
	return c.next()
}

// next goes on to the next user of the earlier report. One who is in it twice, as
// in two reports that were put together, counts once.
func (c *comparison) next() error {
	last := c.earlier.head.ID
	for {
		if err := c.earlier.advance(); err != nil || !c.earlier.more || c.earlier.head.ID != last {
			return err
		}
	}
}

// rest tells of the users who come after the last row.
func (c *comparison) rest() error {
	for c.earlier.more {
		if err := c.gone(); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) gone() error {
	r := c.earlier.head
	if err := c.tell(Change{What: ChangeRemoved, ID: r.ID, UserPrincipalName: r.UserPrincipalName}); err != nil {
		return err
	}
	return c.next()
}

// differences compares what both rows know. What one of them does not know has
// not changed, as far as anybody can tell.
func differences(before, now *Row) []Change {
	var all []Change
	compare := func(field, b, n string, known bool) {
		if known && b != n {
			all = append(all, Change{Field: field, Before: b, After: n})
		}
	}
	texts := func(field, b, n string) { compare(field, b, n, b != "" && n != "") }
	flags := func(field string, b, n Flag) { compare(field, b.String(), n.String(), b != Unknown && n != Unknown) }
	texts("userPrincipalName", before.UserPrincipalName, now.UserPrincipalName)
	texts("userType", before.UserType, now.UserType)
	flags("accountEnabled", before.AccountEnabled, now.AccountEnabled)
	flags("onPremisesSyncEnabled", before.Synced, now.Synced)
	flags("licensed", before.Licensed, now.Licensed)
	flags("isAdmin", before.Admin, now.Admin)
	texts("perUserMfaState", before.PerUserMFAState, now.PerUserMFAState)
	compare("methodsRegistered", sortedList(before.Methods), sortedList(now.Methods),
		before.Methods != nil && now.Methods != nil && !sameMethods(before.Methods, now.Methods))
	texts("defaultMethod", before.DefaultMethod, now.DefaultMethod)
	flags("systemPreferred", before.SystemPreferred, now.SystemPreferred)
	if b, n := before.Phones, now.Phones; b != nil && n != nil {
		for _, p := range [...]struct{ field, before, now string }{
			{"mobilePhone", b.Mobile, n.Mobile}, {"alternateMobilePhone", b.AlternateMobile, n.AlternateMobile}, {"officePhone", b.Office, n.Office},
		} {
			if isMasked(p.before) || isMasked(p.now) {
				p.before, p.now = graphclient.MaskNumber(p.before), graphclient.MaskNumber(p.now)
			}
			compare(p.field, p.before, p.now, true)
		}
	}
	return all
}

// sameMethods compares lists of methods of which one may come from the
// registration report and the other from the user. These name some things
// differently: the report counts the codes of Microsoft Authenticator as a
// method of their own and tells kinds of passkey apart.
func sameMethods(a, b []string) bool {
	kinds := func(methods []string) []string {
		var kinds []string
		for _, m := range methods {
			switch lower := strings.ToLower(m); {
			case strings.HasPrefix(lower, "microsoftauthenticator"):
				m = "microsoftAuthenticator"
			case strings.HasPrefix(lower, "passkey"):
				m = "fido2"
			case m == "softwareOneTimePasscode" && slices.ContainsFunc(methods, func(o string) bool {
				return strings.HasPrefix(o, "microsoftAuthenticator")
			}):
				continue
			}
			kinds = append(kinds, m)
		}
		slices.Sort(kinds)
		return slices.Compact(kinds)
	}
	return slices.Equal(kinds(a), kinds(b))
}

func isMasked(number string) bool { return strings.ContainsAny(number, "*X") }

func sortedList(values []string) string {
	sorted := slices.Sorted(slices.Values(values))
	return strings.Join(sorted, "; ")
}
