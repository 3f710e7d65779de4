package report

import (
	"encoding/binary"
	"errors"
	"time"
)

// This file writes a row as bytes and reads it back, for the runs on disk. There
// is no version: the runs do not outlive the process.

// codec goes through the members of a row, to write or to fill them.
type codec interface {
	text(*string)
	flag(*Flag)
	list(*[]string)
	time(*time.Time)
}

// members shows every member to the codec, in one order for both ways.
func (r *Row) members(c codec) {
	for _, s := range [...]*string{
		&r.ID, &r.UserPrincipalName, &r.DisplayName, &r.UserType, &r.Department, &r.PerUserMFAState, &r.DefaultMethod,
	} {
		c.text(s)
	}
	for _, f := range [...]*Flag{
		&r.AccountEnabled, &r.Synced, &r.Licensed, &r.SystemPreferred, &r.Admin, &r.MFARegistered, &r.MFACapable,
		&r.Passwordless, &r.SSPRRegistered, &r.SSPREnabled, &r.SSPRCapable,
	} {
		c.flag(f)
	}
	c.list(&r.Methods)
	for _, t := range [...]*time.Time{&r.LastPasswordChange, &r.LastMFASignIn, &r.RegistrationUpdated} {
		c.time(t)
	}
	phones := []string(nil)
	if r.Phones != nil {
		phones = []string{r.Phones.Mobile, r.Phones.AlternateMobile, r.Phones.Office}
	}
	if c.list(&phones); len(phones) == 3 {
		r.Phones = &Phones{phones[0], phones[1], phones[2]}
	}
}

// encode appends the row to b. What complete fills in is left out.
func (r *Row) encode(b []byte) []byte {
	e := encoder{b}
	r.members(&e)
	return e.b
}

var errDamaged = errors.New("a temporary file is damaged")

// decodeRow reads what encode has written.
func decodeRow(b []byte) (Row, error) {
	var r Row
	d := decoder{b: b}
	r.members(&d)
	if d.bad || len(d.b) > 0 {
		return Row{}, errDamaged
	}
	r.complete()
	return r, nil
}

type encoder struct{ b []byte }

func (e *encoder) text(s *string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(*s)))
	e.b = append(e.b, *s...)
}

func (e *encoder) flag(f *Flag) { e.b = append(e.b, byte(*f)) }

// list writes the length and one, so that nil and empty differ.
func (e *encoder) list(l *[]string) {
	if *l == nil {
		e.b = append(e.b, 0)
		return
	}
	e.b = binary.AppendUvarint(e.b, uint64(len(*l))+1)
	for i := range *l {
		e.text(&(*l)[i])
	}
}

func (e *encoder) time(t *time.Time) {
	seconds := int64(0)
	if !t.IsZero() {
		seconds = t.Unix()
	}
	e.b = binary.AppendVarint(e.b, seconds)
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text(s *string) {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return
	}
	*s = string(d.b[:n])
	d.b = d.b[n:]
}

func (d *decoder) flag(f *Flag) {
	if len(d.b) == 0 || d.b[0] > byte(Yes) {
		d.bad = true
		return
	}
	*f = Flag(d.b[0])
	d.b = d.b[1:]
}

func (d *decoder) list(l *[]string) {
	n := d.uvarint()
	if n == 0 || n-1 > uint64(len(d.b)) {
		d.bad = d.bad || n > 0
		return
	}
	*l = make([]string, n-1)
	for i := range *l {
		d.text(&(*l)[i])
	}
}

func (d *decoder) time(t *time.Time) {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		return
	}
	d.b = d.b[n:]
	if v != 0 {
		*t = time.Unix(v, 0).UTC()
	}
}
