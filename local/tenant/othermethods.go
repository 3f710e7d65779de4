package tenant

import (
	"fmt"
	"slices"
)

// otherMethods are the kinds of method that a user can have beside phones and
// Microsoft Authenticator, by the name of their resource type without
// "AuthenticationMethod". An e-mail address serves password reset only; a
// Temporary Access Pass is a first factor (Microsoft Entra, "What authentication
// and verification methods are available"). No list of the names in the
// registration report is complete; external and platformCredential are guesses.
var otherMethods = map[string]struct {
	secondFactor bool
	reported     string
}{
	"email":                   {false, "email"},
	"external":                {true, "external"},
	"fido2":                   {true, "passKeyDeviceBound"},
	"hardwareOath":            {true, "hardwareOneTimePasscode"},
	"platformCredential":      {true, "platformCredential"},
	"softwareOath":            {true, "softwareOneTimePasscode"},
	"temporaryAccessPass":     {false, "temporaryAccessPass"},
	"windowsHelloForBusiness": {true, "windowsHelloForBusiness"},
}

// otherFactors counts the other methods that a second factor can be.
func (u User) otherFactors() int {
	n := 0
	for _, kind := range u.OtherMethods {
		if otherMethods[kind].secondFactor {
			n++
		}
	}
	return n
}

// generatesCodes tells whether something other than Microsoft Authenticator
// makes one-time codes for the user.
func (u User) generatesCodes() bool {
	return slices.Contains(u.OtherMethods, "softwareOath") || slices.Contains(u.OtherMethods, "hardwareOath")
}

// passwordless tells whether the user can sign in without the password.
func (u User) passwordless() bool {
	return slices.ContainsFunc([]string{"fido2", "platformCredential", "windowsHelloForBusiness"}, func(kind string) bool {
		return slices.Contains(u.OtherMethods, kind)
	})
}

// canResetPassword tells whether the user has a method that self-service password
// reset takes: phones, codes, notifications and an e-mail address.
func (u User) canResetPassword() bool {
	return u.Phones != (Phones{}) || len(u.Authenticator) > 0 || u.generatesCodes() || slices.Contains(u.OtherMethods, "email")
}

// otherMethodID is the id of the i-th other method.
func (u User) otherMethodID(i int) string {
	return UserID(fmt.Sprintf("%s/%s/%d", u.ID, u.OtherMethods[i], i))
}

// appendOther appends the properties of another method and closes the object.
// All but the id are left out, as the calls that show one are no part of this
// tenant.
func (u User) appendOther(b []byte, i int) []byte {
	b = append(b, u.OtherMethods[i]...)
	b = append(b, `AuthenticationMethod","id":`...)
	return append(appendString(b, u.otherMethodID(i)), '}')
}
