package report

import (
	"strconv"
	"time"
)

// Row is one user in the report. A member that is not in its JSON is not known;
// one that is known to be empty is there.
type Row struct {
	ID                string   `json:"id"`
	UserPrincipalName string   `json:"userPrincipalName"`
	DisplayName       string   `json:"displayName,omitzero"`
	UserType          string   `json:"userType,omitzero"` // Member or Guest
	AccountEnabled    Flag     `json:"accountEnabled,omitzero"`
	Synced            Flag     `json:"onPremisesSyncEnabled,omitzero"`
	Licensed          Flag     `json:"licensed,omitzero"`
	Department        string   `json:"department,omitzero"`
	PerUserMFAState   string   `json:"perUserMfaState,omitzero"` // disabled, enabled or enforced
	Methods           []string `json:"methodsRegistered,omitzero"`
	Strength          Strength `json:"strength,omitzero"`
	// DefaultMethod is none where the user has chosen none.
	DefaultMethod   string  `json:"defaultMethod,omitzero"`
	SystemPreferred Flag    `json:"systemPreferred,omitzero"`
	Phones          *Phones `json:"phones,omitzero"`
	Admin           Flag    `json:"isAdmin,omitzero"`
	MFARegistered   Flag    `json:"isMfaRegistered,omitzero"`
	MFACapable      Flag    `json:"isMfaCapable,omitzero"`
	Passwordless    Flag    `json:"isPasswordlessCapable,omitzero"`
	SSPRRegistered  Flag    `json:"isSsprRegistered,omitzero"`
	SSPREnabled     Flag    `json:"isSsprEnabled,omitzero"`
	SSPRCapable     Flag    `json:"isSsprCapable,omitzero"`
	// Migration is empty for a user who is not on per-user MFA.
	Migration           Migration `json:"migration,omitzero"`
	LastPasswordChange  time.Time `json:"lastPasswordChangeDateTime,omitzero"`
	LastMFASignIn       time.Time `json:"lastMfaSignInDateTime,omitzero"`
	RegistrationUpdated time.Time `json:"registrationUpdatedDateTime,omitzero"`
}

// Phones holds the numbers of a user, in full or masked; empty where there is
// none of that type.
type Phones struct {
	Mobile          string `json:"mobile,omitempty"`
	AlternateMobile string `json:"alternateMobile,omitempty"`
	Office          string `json:"office,omitempty"`
}

// Flag is yes, no, or not known, which is its zero value.
type Flag int8

// The values of a Flag.
const (
	Unknown Flag = iota
	No
	Yes
)

// FlagOf returns the flag for a truth.
func FlagOf(b bool) Flag {
	if b {
		return Yes
	}
	return No
}

func flagOf(b *bool) Flag {
	if b == nil {
		return Unknown
	}
	return FlagOf(*b)
}

// String is yes, no, or empty.
func (f Flag) String() string { return [...]string{"", "no", "yes"}[f] }

// MarshalJSON writes true or false; one that is not known is left out.
func (f Flag) MarshalJSON() ([]byte, error) { return strconv.AppendBool(nil, f == Yes), nil }

// UnmarshalJSON reads true or false; null is not known.
func (f *Flag) UnmarshalJSON(b []byte) error {
	*f = Unknown
	if string(b) == "null" {
		return nil
	}
	v, err := strconv.ParseBool(string(b))
	if err == nil {
		*f = FlagOf(v)
	}
	return err
}

// complete fills in what follows from the rest.
func (r *Row) complete() {
	r.Strength = strengthOf(r.Methods)
	r.Migration = migrationOf(r.PerUserMFAState, r.Strength)
}
