package main

import (
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// badNumber is a kind of cell that can never become a phone method.
type badNumber struct {
	// reason is the code that the phone package refuses it with.
	reason string
	column string
	make   func(d *demo, i int) string
}

// badNumbers has a kind of bad number for every reason.
var badNumbers = []badNumber{
	{"InvalidPhoneNumber", "mobile", func(d *demo, i int) string { return pick(i, "+31 6 1234", "0612345", "+49 176 04", "12") }},
	{"InvalidPhoneNumber", "mobile", func(d *demo, i int) string { return pick(i, "ask reception", "n/a", "+31 6 CALL-ME", "unknown") }},
	{"PhoneNumberNotMobile", "mobile", func(d *demo, i int) string { return d.spell(d.office(pick(i, "NL", "BE", "DE", "FR", "GB"))) }},
	{"PhoneNumberPremiumRate", "mobile", func(d *demo, i int) string {
		return international(phonenumbers.GetExampleNumberForType(pick(i, "NL", "GB", "DE", "US", "ES"), phonenumbers.PREMIUM_RATE))
	}},
	{"PhoneNumberNoCountry", "mobile", func(d *demo, i int) string {
		return international(phonenumbers.GetExampleNumberForNonGeoEntity([]int{870, 882, 883, 800}[i%4]))
	}},
	{"PhoneNumberMissingCountry", "mobile", func(d *demo, i int) string {
		return phonenumbers.Format(d.mobile(pick(i, "DE", "GB", "FI")), phonenumbers.E164)[1:]
	}},
	{"PhoneNumberScientific", "mobile", func(d *demo, i int) string { return pick(i, "3.16123E+10", "4,9176E+12", "3.1612345E+10") }},
	{"PhoneNumberExtension", "mobile", func(d *demo, i int) string {
		return international(d.mobile("US")) + pick(i, " x12", " ext. 7", "x345")
	}},
	{"PhoneNumberSeveral", "mobile", func(d *demo, i int) string {
		return international(d.mobile("NL")) + pick(i, " / ", "; ", " or ") + international(d.mobile("BE"))
	}},
	{"PhoneNumberMasked", "mobile", func(d *demo, i int) string {
		return pick(i, "+XX XXXXXXXX12", "+31 6 ****5678", "06-xxxx5612", "+31 ********78")
	}},
	// 0800 numbers are short enough that, with the country code and without
	// the plus, they look like numbers of the area code 0318.
	{"PhoneNumberAmbiguous", "office", func(d *demo, i int) string { return fmt.Sprintf("3180012%02d", 30+i) }},
}

func international(n *phonenumbers.PhoneNumber) string {
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// pick returns the i-th of the texts, round and round.
func pick(i int, texts ...string) string { return texts[i%len(texts)] }

// badNumberRows adds rows that the phone policy refuses, all for users who
// exist.
func (d *demo) badNumberRows(each int) {
	for _, kind := range badNumbers {
		for i := range each {
			r := row{user: d.person(true).Name, reason: kind.reason}
			if kind.column == "office" {
				r.office = kind.make(d, i)
			} else {
				r.mobile = kind.make(d, i)
			}
			d.rows = append(d.rows, r)
		}
	}
}

// badOtherRows adds rows that are wrong in another column, or that ask for
// nothing.
func (d *demo) badOtherRows() {
	add := func(n int, reason string, fill func(i int, u *user, r *row)) {
		for i := range n {
			u := d.person(true)
			r := row{user: u.Name, reason: reason}
			fill(i, u, &r)
			d.rows = append(d.rows, r)
		}
	}
	add(6, "MissingUser", func(_ int, _ *user, r *row) { r.user, r.mobile = "", d.spell(d.mobile("NL")) })
	add(4, "InvalidUser", func(_ int, u *user, r *row) { r.user, r.mobile = u.DisplayName, d.spell(d.mobile("BE")) })
	add(7, "InvalidMfaState", func(i int, _ *user, r *row) { r.state = pick(i, "on", "mandatory", "active") })
	add(6, "InvalidDefaultMethod", func(i int, _ *user, r *row) { r.defaultMethod = pick(i, "text", "phone", "fido2") })
	add(4, "InvalidSmsSignIn", func(i int, _ *user, r *row) { r.smsSignIn = pick(i, "maybe", "sometimes") })
	add(5, "NothingToDo", func(int, *user, *row) {})
}
