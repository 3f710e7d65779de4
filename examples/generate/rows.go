package main

import "strings"

// add adds a row for a user and returns it to be filled in.
func (d *demo) add(u *user) *row {
	d.rows = append(d.rows, row{user: u.Name})
	return &d.rows[len(d.rows)-1]
}

// set adds a row that sets new numbers of the named types.
func (d *demo) set(u *user, types string) *row {
	r := d.add(u)
	for kind := range strings.FieldsSeq(types) {
		switch kind {
		case "mobile":
			n := d.mobile(d.region())
			r.mobile, r.want.Mobile = d.spell(n), graphForm(n)
		case "alternate":
			n := d.mobile(d.region())
			r.alternate, r.want.Alternate = d.spell(n), graphForm(n)
		case "office":
			n := d.office(d.region())
			r.office, r.want.Office = d.spell(n), graphForm(n)
			if d.source.IntN(3) == 0 {
				r.office = international(n) + pick(d.numbers, " x12", " ext. 204", "x7")
				r.want.Office += pick(d.numbers, "x12", "x204", "x7")
			}
		}
	}
	return r
}

// duplicateRows adds second rows for users who have one: the same again, and
// another number. The later row of a user counts.
func (d *demo) duplicateRows() {
	first := d.rows[:identical+differing]
	d.rows = append(d.rows, first[:identical]...)
	for _, r := range first[identical:] {
		n := d.mobile(d.region())
		d.rows = append(d.rows, row{user: r.user, mobile: d.spell(n), want: phones{Mobile: graphForm(n)}})
	}
}

// change adds a row that replaces a number.
func (d *demo) change(u *user) {
	u.Phones.Mobile = graphForm(d.mobile(d.region()))
	r := d.set(u, "mobile")
	for r.want.Mobile == u.Phones.Mobile {
		d.rows = d.rows[:len(d.rows)-1]
		r = d.set(u, "mobile")
	}
}

// alreadyThereRow adds a row that asks for what the directory holds, in
// another spelling.
func (d *demo) alreadyThereRow(i int) {
	u := d.person(true)
	r := d.set(u, []string{"mobile", "mobile", "mobile alternate", "mobile office"}[i%4])
	u.Phones = r.want
	if i%10 == 0 {
		u.State, r.state = "enforced", "enabled"
	}
}

// authenticatorRow adds a mobile to a user whose default is Microsoft
// Authenticator; one row in ten asks for text messages as the default.
func (d *demo) authenticatorRow(i int) {
	r := d.set(d.withAuthenticator(d.person(true)), "mobile")
	if i%10 == 9 {
		r.defaultMethod = "sms"
	}
}

// stateRow adds a row for the per-user MFA state, alone or with a number.
func (d *demo) stateRow(i int) {
	u := d.person(true)
	u.State = []string{"", "enabled", "enforced"}[i/3%3]
	r := d.set(u, []string{"", "mobile"}[i%2])
	r.state = pick(i, "enabled", "enforced", "disabled")
}

// removalRow adds a row that removes phones, in every way that the order of
// removals allows.
func (d *demo) removalRow(i int) {
	u := d.person(true)
	mobile, other := graphForm(d.mobile(d.region())), graphForm(d.office(d.region()))
	r := d.add(u)
	switch i % 6 {
	case 0:
		u.Phones = phones{Mobile: mobile, Alternate: other}
		r.alternate = "-"
	case 1:
		u.Phones = phones{Mobile: mobile, Office: other}
		r.office = "-"
	case 2:
		u.Phones, u.Default = phones{Mobile: mobile}, "sms"
		r.mobile = "-"
	case 3:
		d.withAuthenticator(u)
		u.Phones, u.Default = phones{Mobile: mobile}, "sms"
		r.mobile, r.defaultMethod = "-", "push"
	case 4:
		u.Phones = phones{Mobile: mobile, Alternate: other}
		r.mobile, r.alternate = "-", "-"
	case 5:
		r.office = "-"
	}
}

// defaultRow adds a row that chooses the default method for a phone that it
// brings.
func (d *demo) defaultRow(i int) {
	u := d.person(true)
	switch i % 3 {
	case 0:
		d.set(u, "mobile").defaultMethod = "sms"
	case 1:
		d.set(u, "mobile").defaultMethod = "voiceMobile"
	case 2:
		d.set(u, "mobile office").defaultMethod = "voiceOffice"
	}
}

// smsSignInRow adds a row for a user who may sign in by text message. Their
// numbers differ, save those of three who get the number with which somebody
// else signs in already.
func (d *demo) smsSignInRow(i int) {
	u := d.person(true)
	u.SMSSignInAllowed = true
	r := d.add(u)
	n := d.mobile("US")
	r.mobile, r.want.Mobile = d.spell(n), graphForm(n)
	switch {
	case i < 3:
		owner := d.person(true)
		owner.SMSSignInAllowed, owner.SMSSignIn, owner.Phones.Mobile = true, true, graphForm(n)
	case i%5 == 4:
		u.SMSSignIn, u.Phones.Mobile = true, graphForm(n)
		r.smsSignIn = "false"
	default:
		r.smsSignIn = "true"
	}
}
