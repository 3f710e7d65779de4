package tenant

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// GenerateUsers makes n invented users, user000001@contoso.example and so on,
// the same ones for the same seed. About two in five have no method yet, a
// quarter has a mobile, a fifth Microsoft Authenticator as the default, and the
// rest have several methods; a tenth may sign in by text message, some are
// guests, synchronised, or disabled. Numbers are from ranges reserved for
// fiction.
func GenerateUsers(n int, seed uint64) []User {
	source := rand.New(rand.NewPCG(seed, 0x6d757374657221))
	users := make([]User, n)
	// What reports tell is drawn apart, so that it moves nothing else.
	reported := rand.New(rand.NewPCG(seed, 0x7265706f727473))
	for i := range users {
		users[i] = generateUser(i+1, source)
		users[i].generateReported(reported)
	}
	return users
}

func generateUser(n int, source *rand.Rand) User {
	u := User{
		UserPrincipalName: fmt.Sprintf("user%06d@contoso.example", n),
		DisplayName:       fmt.Sprintf("User %06d", n),
		AccountEnabled:    new(source.IntN(50) != 0),
		SMSSignInAllowed:  source.IntN(10) == 0,
	}
	if source.IntN(25) == 0 {
		u.UserType = "Guest"
	}
	if source.IntN(3) == 0 {
		u.OnPremisesSyncEnabled = new(true)
	}
	u.ID = UserID(u.UserPrincipalName)
	switch kind := source.IntN(100); {
	case kind < 40:
	case kind < 65:
		u.Phones.Mobile = fictionalNumber(n, source)
	case kind < 85:
		u.Authenticator = generateAuthenticator(u.ID, n, source)
		u.DefaultMethod = "push"
	default:
		u.Phones.Mobile = fictionalNumber(n, source)
		u.Phones.Office = fictionalNumber(n, source)
		u.DefaultMethod = "sms"
		u.PerUserMFAState = []string{mfaDisabled, mfaEnforced}[source.IntN(2)]
	}
	return u
}

// generateReported fills in what only reports tell.
func (u *User) generateReported(source *rand.Rand) {
	departments := strings.Fields("Sales Engineering Finance Support Legal Facilities")
	u.Department = departments[source.IntN(len(departments))]
	if u.UserType != "Guest" && source.IntN(10) != 0 {
		u.Licenses = []string{"05e9a617-0261-4cee-bb44-138d3ef5d965"} // SPE_E3
	}
	if source.IntN(60) == 0 {
		u.Roles = []string{"User Administrator"}
	}
	u.SystemPreferred = len(u.Authenticator) > 0 && source.IntN(3) == 0
	if u.PerUserMFAState == "" && source.IntN(8) == 0 {
		u.PerUserMFAState = mfaEnforced
		if u.methodCount() == 0 {
			u.PerUserMFAState = mfaEnabled
		}
	}
	u.LastPasswordChange = time.Date(2025, time.January, 1+source.IntN(600), source.IntN(24), source.IntN(60), 0, 0, time.UTC)
	if u.methodCount() > 0 && source.IntN(3) != 0 {
		u.MFASignInHoursAgo = 2 + source.IntN(28*24)
	}
}

func generateAuthenticator(userID string, n int, source *rand.Rand) []Authenticator {
	return []Authenticator{{
		ID:              UserID(userID + "/authenticator/0"),
		DisplayName:     fmt.Sprintf("Phone of user %06d", n),
		CreatedDateTime: time.Date(2026, time.January, 1+source.IntN(28), 9, source.IntN(60), 0, 0, time.UTC),
		DeviceTag:       "SoftwareTokenActivated",
		PhoneAppVersion: fmt.Sprintf("6.2412.%d", source.IntN(9000)),
	}}
}

// fictionalNumber returns a number from a range that is reserved for fiction:
// those of the North American plan, Ofcom (United Kingdom) and Arcep (France).
func fictionalNumber(n int, source *rand.Rand) string {
	areas := strings.Fields("206 212 303 415 503 617 702 808 907 972")
	switch source.IntN(3) {
	case 0:
		return fmt.Sprintf("+1 %s55501%02d", areas[n/100%len(areas)], n%100)
	case 1:
		return fmt.Sprintf("+44 7700900%03d", n%1000)
	}
	return fmt.Sprintf("+33 63998%04d", n%10000)
}
