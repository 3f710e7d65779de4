package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// User is one user of the directory. Its JSON form is one line of a users
// file and of GET /_tenant/users.
type User struct {
	// ID is the object id, a GUID. Empty stands for [UserID] of the user
	// principal name.
	ID string `json:"id,omitempty"`
	// UserPrincipalName is the sign-in name; it is unique whatever its case.
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName,omitempty"`
	// AccountEnabled tells whether the user may sign in. Nil means true.
	AccountEnabled *bool `json:"accountEnabled,omitempty"`
	// UserType is Member or Guest. Empty means Member.
	UserType string `json:"userType,omitempty"`
	// OnPremisesSyncEnabled is true for a user that is synchronised from Active
	// Directory, and nil for one that never was.
	OnPremisesSyncEnabled *bool `json:"onPremisesSyncEnabled,omitempty"`
	// Department is empty for a user without one.
	Department string `json:"department,omitempty"`
	// Groups lists the object ids of the groups that the user is in, directly or
	// through other groups.
	Groups []string `json:"groups,omitempty"`
	// Roles lists the directory roles that the user has, by display name, at most
	// a page of them (100).
	Roles []string `json:"roles,omitempty"`
	// OfficeMastered tells that the office phone comes from the on-premises
	// directory and can't be written here. It is for synchronised users.
	OfficeMastered bool `json:"officeMastered,omitempty"`
	// Phones are the phone authentication methods.
	Phones Phones `json:"phones,omitzero"`
	// SMSSignIn tells that the mobile is registered for signing in by text
	// message. A number can be registered for one user of the tenant only.
	SMSSignIn bool `json:"smsSignIn,omitempty"`
	// SMSSignInAllowed tells that the tenant's policy lets the user sign in by
	// text message.
	SMSSignInAllowed bool `json:"smsSignInAllowed,omitempty"`
	// PerUserMFAState is disabled, enabled or enforced. Empty means disabled.
	PerUserMFAState string `json:"perUserMfaState,omitempty"`
	// DefaultMethod is the preferred method for secondary authentication: push,
	// oath, voiceMobile, voiceAlternateMobile, voiceOffice or sms. Empty means
	// that none was chosen.
	DefaultMethod string `json:"defaultMethod,omitempty"`
	// SystemPreferred tells that the system-preferred method is on, in which
	// case sign-in passes over DefaultMethod.
	SystemPreferred bool `json:"systemPreferred,omitempty"`
	// Authenticator lists the Microsoft Authenticator registrations.
	Authenticator []Authenticator `json:"authenticator,omitempty"`
	// OtherMethods lists further methods by their kind: email, external, fido2,
	// hardwareOath, platformCredential, softwareOath, temporaryAccessPass,
	// windowsHelloForBusiness.
	OtherMethods []string `json:"otherMethods,omitempty"`

	// What follows is for reports only.

	// Licenses are the ids (skuId) of the assigned licences.
	Licenses []string `json:"licenses,omitempty"`
	// LastPasswordChange is null in Graph where it is zero.
	LastPasswordChange time.Time `json:"lastPasswordChangeDateTime,omitzero"`
	// MFASignInHoursAgo tells how many hours before the tenant came into being
	// the user last passed multifactor authentication. Zero means never.
	MFASignInHoursAgo int `json:"mfaSignInHoursAgo,omitempty"`
}

// Phones holds the number per phone type, in the form "+31 612345678" or with
// an extension "+1 2065550100x123". Empty means that there is none.
type Phones struct {
	Mobile          string `json:"mobile,omitempty"`
	AlternateMobile string `json:"alternateMobile,omitempty"`
	Office          string `json:"office,omitempty"`
}

// Authenticator is one registration of Microsoft Authenticator.
type Authenticator struct {
	// ID is the method id, a GUID. Empty stands for one derived from the user
	// and the place in the list.
	ID              string    `json:"id,omitempty"`
	DisplayName     string    `json:"displayName,omitempty"`
	CreatedDateTime time.Time `json:"createdDateTime,omitzero"`
	DeviceTag       string    `json:"deviceTag,omitempty"`
	PhoneAppVersion string    `json:"phoneAppVersion,omitempty"`
}

// UserID returns the object id of a user whose record names none: the UUID
// version 5 of "muster:" and the user principal name in lower case, in the
// name space for URLs.
func UserID(userPrincipalName string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("muster:"+strings.ToLower(userPrincipalName))).String()
}

// normalised returns the user with the defaults filled in and the numbers in
// the form in which the service returns them, and reports what breaks the
// rules of the directory. Its errors name no number and no user.
func (u User) normalised() (User, error) {
	var faults []error
	if u.UserPrincipalName == "" {
		faults = append(faults, errors.New("userPrincipalName is missing"))
	}
	if u.ID == "" {
		u.ID = UserID(u.UserPrincipalName)
	}
	id, err := uuid.Parse(u.ID)
	if err != nil {
		faults = append(faults, errors.New("id is not a GUID"))
	}
	u.ID = id.String()
	if u.AccountEnabled == nil {
		u.AccountEnabled = new(true)
	}
	if u.UserType == "" {
		u.UserType = "Member"
	}
	if u.PerUserMFAState == "" {
		u.PerUserMFAState = mfaDisabled
	}
	u.Groups = slices.Clone(u.Groups)
	for i, id := range u.Groups {
		u.Groups[i] = strings.ToLower(id)
	}
	u, phoneFaults := u.withSpacedNumbers()
	faults = append(faults, phoneFaults, u.withinRules())
	u.Authenticator = slices.Clone(u.Authenticator)
	for i := range u.Authenticator {
		if u.Authenticator[i].ID == "" {
			u.Authenticator[i].ID = UserID(fmt.Sprintf("%s/authenticator/%d", u.ID, i))
		}
		u.Authenticator[i].ID = strings.ToLower(u.Authenticator[i].ID)
	}
	return u, errors.Join(faults...)
}

// withSpacedNumbers brings the phone numbers into the form of the service.
func (u User) withSpacedNumbers() (User, error) {
	var faults []error
	for _, t := range phoneTypes {
		raw := u.Phones.number(t)
		if raw == "" {
			continue
		}
		number, ok := spacedNumber(raw)
		if !ok {
			faults = append(faults, fmt.Errorf("phones.%s is not of the form +{country code} {number}x{extension}", t))
			continue
		}
		u.Phones = u.Phones.with(t, number)
	}
	return u, errors.Join(faults...)
}

// withinRules reports what no sequence of calls could have brought about.
func (u User) withinRules() error {
	var faults []error
	if u.UserType != "Member" && u.UserType != "Guest" {
		faults = append(faults, errors.New("userType is neither Member nor Guest"))
	}
	if !isMFAState(u.PerUserMFAState) {
		faults = append(faults, errors.New("perUserMfaState is none of disabled, enabled, enforced"))
	}
	if slices.ContainsFunc(u.Groups, func(id string) bool { return len(id) != 36 || uuid.Validate(id) != nil }) {
		faults = append(faults, errors.New("groups has an id that is not a GUID"))
	}
	if len(u.Roles) > defaultPage {
		faults = append(faults, errors.New("roles has more than a page of them"))
	}
	if u.Phones.AlternateMobile != "" && u.Phones.Mobile == "" {
		faults = append(faults, errors.New("phones.alternateMobile stands without a mobile"))
	}
	if u.SMSSignIn && (u.Phones.Mobile == "" || !u.SMSSignInAllowed) {
		faults = append(faults, errors.New("smsSignIn needs a mobile and smsSignInAllowed"))
	}
	if u.OfficeMastered && (u.OnPremisesSyncEnabled == nil || !*u.OnPremisesSyncEnabled) {
		faults = append(faults, errors.New("officeMastered needs onPremisesSyncEnabled"))
	}
	for _, kind := range u.OtherMethods {
		if _, known := otherMethods[kind]; !known {
			faults = append(faults, errors.New("otherMethods holds an unknown kind"))
		}
	}
	if u.DefaultMethod != "" && !u.canPrefer(u.DefaultMethod) {
		faults = append(faults, errors.New("defaultMethod is unknown or belongs to a method that the user lacks"))
	}
	return errors.Join(faults...)
}

// clone returns a copy that shares nothing that a caller could change.
func (u User) clone() User {
	u.Authenticator = append([]Authenticator(nil), u.Authenticator...)
	u.Groups, u.Roles = slices.Clone(u.Groups), slices.Clone(u.Roles)
	u.OtherMethods = append([]string(nil), u.OtherMethods...)
	u.Licenses = append([]string(nil), u.Licenses...)
	if u.AccountEnabled != nil {
		u.AccountEnabled = new(*u.AccountEnabled)
	}
	if u.OnPremisesSyncEnabled != nil {
		u.OnPremisesSyncEnabled = new(*u.OnPremisesSyncEnabled)
	}
	return u
}
