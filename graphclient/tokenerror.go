package graphclient

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// Temporary is implemented by errors of a credential that know whether the same
// request may fare better later, and when: the token service was not reached, or
// throttles.
type Temporary interface {
	Temporary() bool
	// RetryAfter is how long the token service asked to wait, zero where it did
	// not.
	RetryAfter() time.Duration
}

func isTemporary(err error) bool {
	var t Temporary
	return errors.As(err, &t) && t.Temporary()
}

func retryAfterOf(err error) time.Duration {
	var t Temporary
	if !errors.As(err, &t) {
		return 0
	}
	return min(max(t.RetryAfter(), 0), maxRetryAfter)
}

// tokenError keeps the text of a credential's error to what may be told: the
// token service's code, or the first line where it names nobody.
type tokenError struct{ cause error }

var aadsts = regexp.MustCompile(`AADSTS\d+`)

func (e *tokenError) Error() string {
	text := e.cause.Error()
	if code := aadsts.FindString(text); code != "" {
		if meaning := TokenErrorMeaning(code); meaning != "" {
			return "get token: " + code + " (" + meaning + ")"
		}
		return "get token: " + code
	}
	text, _, _ = strings.Cut(text, "\n")
	if strings.Contains(text, "@") || len(text) > 300 {
		return "get token: the credential failed"
	}
	return "get token: " + strings.TrimSpace(text)
}

func (e *tokenError) Unwrap() error { return e.cause }

// TokenErrorMeaning says in a few words what a code of the token service means,
// empty where the code is none of those that a worker meets (Microsoft identity
// platform, "Microsoft Entra authentication and authorization error codes").
func TokenErrorMeaning(code string) string {
	return map[string]string{
		"AADSTS50027":   "the assertion is not a valid token",
		"AADSTS50034":   "the account does not exist in this tenant",
		"AADSTS50049":   "the authority is not one of Microsoft's; use --authority for one of your own",
		"AADSTS53003":   "a Conditional Access policy blocks the sign-in",
		"AADSTS65001":   "consent is missing",
		"AADSTS70019":   "the device code expired before somebody entered it",
		"AADSTS90002":   "the tenant does not exist in this cloud",
		"AADSTS90055":   "the token service throttles",
		"AADSTS500011":  "the API does not exist in this tenant, or not in this cloud",
		"AADSTS700016":  "the application does not exist in this tenant",
		"AADSTS700024":  "the assertion is expired or not yet valid: compare the clocks",
		"AADSTS700027":  "the certificate is not registered with the application, or is expired",
		"AADSTS700211":  "no federated credential has the assertion's issuer",
		"AADSTS700212":  "no federated credential has the assertion's audience",
		"AADSTS700213":  "no federated credential has the assertion's subject",
		"AADSTS1000502": "the certificate is expired or not yet valid",
		"AADSTS7000112": "the application is disabled",
		"AADSTS7000215": "the client secret is wrong or was removed",
		"AADSTS7000218": "the application does not allow public client flows, which a device code needs",
		"AADSTS7000222": "the client secret or certificate is expired",
		"AADSTS7000229": "the application has no service principal in this tenant",
	}[code]
}

// tokenFailure is the error of a call for which there was no token. azidentity
// marks what it must not be asked again by a method NonRetriable, trouble of the
// network among it, which is why a [Temporary] is asked first.
func tokenFailure(op string, err error) *Error {
	kind := KindTransient
	var final interface{ NonRetriable() }
	if errors.As(err, &final) && !isTemporary(err) {
		kind = KindUnauthorized
	}
	return &Error{Op: op, Kind: kind, Code: aadsts.FindString(err.Error()), RetryAfter: retryAfterOf(err), cause: &tokenError{err}}
}
