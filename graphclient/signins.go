package graphclient

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// SignIn is an event of the sign-in log (resource type signIn of beta; v1.0 does
// not tell what authentication was required).
type SignIn struct {
	UserID  string    `json:"userId"`
	Created time.Time `json:"createdDateTime"`
	// Requirement is singleFactorAuthentication or multiFactorAuthentication.
	Requirement string       `json:"authenticationRequirement"`
	Status      SignInStatus `json:"status"`
}

// SignInStatus tells whether a sign-in succeeded.
type SignInStatus struct {
	// ErrorCode is zero for success.
	ErrorCode int `json:"errorCode"`
}

// PassedMFA tells whether the sign-in succeeded and multifactor authentication
// was required for it. The factor may have been given earlier: a claim in the
// token counts.
func (s SignIn) PassedMFA() bool {
	return s.Status.ErrorCode == 0 && s.Requirement == requiredMFA
}

const requiredMFA = "multiFactorAuthentication"

// SignInsQuery says which sign-ins to list.
type SignInsQuery struct {
	// Since is the earliest time. The log goes back 7 days, or 30 with Microsoft
	// Entra ID P1 or P2 (Microsoft Entra data retention).
	Since time.Time
	// All lists every sign-in, whatever came of it and whatever it required, for
	// a service that does not take the narrower filter (KindInvalid).
	All bool
	// Pace is asked before every request, beside the client's Limiter. Nil does
	// not hold back.
	Pace func(context.Context) error
}

// SignIns lists the interactive sign-ins that passed multifactor authentication,
// the most recent first, 1,000 at a time. Beta. An error comes
// with a zero SignIn and ends the listing: KindForbidden where AuditLog.Read.All
// is missing, KindLicence where the tenant has no Microsoft Entra ID P1.
// GET /auditLogs/signIns.
func (d *Directory) SignIns(ctx context.Context, q SignInsQuery) iter.Seq2[SignIn, error] {
	filter := "createdDateTime ge " + q.Since.UTC().Format(time.RFC3339)
	if !q.All {
		filter += " and status/errorCode eq 0 and authenticationRequirement eq '" + requiredMFA + "'"
	}
	k := reportCall("list sign-ins", Beta, "/auditLogs/signIns", url.Values{"$filter": {filter}}, q.Pace)
	return pages[SignIn](ctx, d, k)
}
