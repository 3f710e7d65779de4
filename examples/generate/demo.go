package main

import "math/rand/v2"

// row is a line of users.csv, and what it stands for.
type row struct {
	user, mobile, alternate, office string
	state, smsSignIn, defaultMethod string

	// reason is why the row can never be applied, empty for a good one.
	reason string
	// want holds the numbers of a good row in the form of the service.
	want phones
}

// demo is what the two files are made of.
type demo struct {
	source *rand.Rand
	rows   []row
	users  []*user

	people, numbers, abroad int // how many were made
}

// The numbers of rows of each kind; together with 120 bad ones they are 1,000.
const (
	plainAdds      = 150
	changes        = 60
	alreadyThere   = 180
	authenticators = 100
	severalPhones  = 60
	states         = 80
	removals       = 60
	defaults       = 30
	smsSignIns     = 40
	byObjectID     = 35
	guests         = 35
	unknown        = 20
	identical      = 15
	differing      = 15
	eachBadNumber  = 8

	bystanders = 60 // users of the directory whom the file leaves alone
)

func newDemo(seed uint64) *demo {
	d := &demo{source: rand.New(rand.NewPCG(seed, 0))}
	d.repeat(plainAdds, func(int) { d.set(d.person(true), "mobile") })
	d.duplicateRows()
	d.repeat(changes, func(int) { d.change(d.person(true)) })
	d.repeat(alreadyThere, d.alreadyThereRow)
	d.repeat(authenticators, d.authenticatorRow)
	d.repeat(severalPhones, func(i int) {
		d.set(d.person(true), []string{"mobile alternate", "mobile office", "mobile alternate office", "office"}[i%4])
	})
	d.repeat(states, d.stateRow)
	d.repeat(removals, d.removalRow)
	d.repeat(defaults, d.defaultRow)
	d.repeat(smsSignIns, d.smsSignInRow)
	d.repeat(byObjectID, func(i int) {
		u := d.person(true)
		u.ID = guid("1d0c", i+1)
		d.set(u, "mobile").user = u.ID
	})
	d.repeat(guests, func(int) { d.set(d.guest(), "mobile") })
	d.repeat(unknown, func(int) { d.set(d.person(false), "mobile") })
	d.badNumberRows(eachBadNumber)
	d.badOtherRows()
	d.repeat(bystanders, func(int) { d.person(true).Phones.Mobile = graphForm(d.mobile(d.region())) })
	d.source.Shuffle(len(d.rows), func(i, j int) { d.rows[i], d.rows[j] = d.rows[j], d.rows[i] })
	return d
}

func (d *demo) repeat(n int, do func(i int)) {
	for i := range n {
		do(i)
	}
}
