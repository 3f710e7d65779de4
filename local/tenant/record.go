package tenant

import "slices"

// record is what the directory holds of one user. A record that the directory
// has is never changed; a write changes a copy.
type record struct {
	User
	// smsTaken tells that the mobile could not be registered for SMS sign-in
	// because the number belongs to another user.
	smsTaken bool
}

// methodCount counts the methods that a second factor can be, so not the
// password.
func (u User) methodCount() int {
	n := len(u.Authenticator) + u.otherFactors()
	for _, t := range phoneTypes {
		if u.Phones.number(t) != "" {
			n++
		}
	}
	return n
}

// equal tells whether a write left the record as it was, in what writes can
// reach.
func (r *record) equal(other *record) bool {
	return r.Phones == other.Phones && r.SMSSignIn == other.SMSSignIn && r.smsTaken == other.smsTaken &&
		r.PerUserMFAState == other.PerUserMFAState && r.DefaultMethod == other.DefaultMethod &&
		r.SystemPreferred == other.SystemPreferred && slices.Equal(r.Authenticator, other.Authenticator)
}
