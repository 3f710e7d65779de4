package ledger

import "time"

// Record is what one command was about to change of one user.
type Record struct {
	Time      time.Time `json:"time"`
	CommandID string    `json:"commandId"`
	Tenant    string    `json:"tenant"`
	// UserID is the user's object id.
	UserID string `json:"userId"`
	// Run and Row say which bulk load the command belonged to, if any.
	Run string `json:"run,omitempty"`
	Row int    `json:"row,omitempty"`
	// Before and After hold the parts that were to be written, and no others.
	Before Values `json:"before"`
	After  Values `json:"after"`
	// Removed lists the ids of Microsoft Authenticator registrations that were
	// to go. Nothing brings one back but the user's own hand.
	Removed []string `json:"removedAuthenticator,omitempty"`
}

// Values are parts of what a user has. A part that is absent was not written.
type Values struct {
	// Phones holds the number per phone type; empty stands for none.
	Phones map[string]string `json:"phones,omitempty"`
	// SMSSignIn tells whether the mobile could be signed in with.
	SMSSignIn *bool `json:"smsSignIn,omitempty"`
	// PerUserMFAState is disabled, enabled or enforced; nil for absent.
	PerUserMFAState *string `json:"perUserMfaState,omitempty"`
	// DefaultMethod is as Microsoft Graph spells it; empty stands for none.
	DefaultMethod *string `json:"defaultMethod,omitempty"`
}

// IsZero tells whether there is no part.
func (v Values) IsZero() bool {
	return len(v.Phones) == 0 && v.SMSSignIn == nil && v.PerUserMFAState == nil && v.DefaultMethod == nil
}
