package graphclient

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// RegistrationDetails is what the registration report tells of a user
// (resource type userRegistrationDetails). It holds no phone numbers. The report
// lags behind, by up to a day: it can't confirm a write.
type RegistrationDetails struct {
	// ID is the user's object id.
	ID                   string   `json:"id"`
	IsAdmin              *bool    `json:"isAdmin"`
	IsMFARegistered      *bool    `json:"isMfaRegistered"`
	IsMFACapable         *bool    `json:"isMfaCapable"`
	IsPasswordlessReady  *bool    `json:"isPasswordlessCapable"`
	IsSSPRRegistered     *bool    `json:"isSsprRegistered"`
	IsSSPREnabled        *bool    `json:"isSsprEnabled"`
	IsSSPRCapable        *bool    `json:"isSsprCapable"`
	SystemPreferred      *bool    `json:"isSystemPreferredAuthenticationMethodEnabled"`
	SystemPreferredNames []string `json:"systemPreferredAuthenticationMethods"`
	// DefaultMethod is none where the user has chosen none.
	DefaultMethod DefaultMethod `json:"userPreferredMethodForSecondaryAuthentication"`
	// Methods are names such as mobilePhone or microsoftAuthenticatorPush; new
	// ones come with new methods.
	Methods []string  `json:"methodsRegistered"`
	Updated time.Time `json:"lastUpdatedDateTime"`
}

// RegistrationsQuery says how to read the registration report.
type RegistrationsQuery struct {
	// Pace is asked before every request, beside the client's Limiter. Nil does
	// not hold back.
	Pace func(context.Context) error
}

// Registrations lists the registration report, page after page, as it is asked
// for. Disabled users are not in it. An error comes with a zero value and ends
// the listing: KindForbidden where AuditLog.Read.All is missing, KindLicence
// where the tenant has no Microsoft Entra ID P1.
// GET /reports/authenticationMethods/userRegistrationDetails.
func (d *Directory) Registrations(ctx context.Context, q RegistrationsQuery) iter.Seq2[RegistrationDetails, error] {
	v := url.Values{"$top": {strconv.Itoa(maxPageSize)}}
	k := reportCall("list registration details", V1, "/reports/authenticationMethods/userRegistrationDetails", v, q.Pace)
	return pages[RegistrationDetails](ctx, d, k)
}
