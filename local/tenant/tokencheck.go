package tenant

import (
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// bearer returns the token of an Authorization header, empty where there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// check validates an access token for the API at host and returns whom it was
// issued to. The texts are those that Graph is known to answer with.
func (a *authority) check(token, host string) (*caller, *refusal) {
	no := func(message string) *refusal {
		return refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", message)
	}
	if token == "" {
		return nil, no("Access token is empty.")
	}
	var claims struct {
		jwt.RegisteredClaims
		AppID  string   `json:"appid"`
		Tenant string   `json:"tid"`
		Roles  []string `json:"roles"`
		Scopes string   `json:"scp"`
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(a.now))
	_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, no("IDX14100: JWT is not well formed.")
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, no("Lifetime validation failed, the token is expired.")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return nil, no("Lifetime validation failed, the token is not yet valid.")
	case err != nil:
		return nil, no("Access token validation failure. Invalid signature.")
	case len(claims.Audience) != 1 || strings.TrimPrefix(claims.Audience[0], "https://") != host:
		return nil, no("Access token validation failure. Invalid audience.")
	case claims.Tenant != a.id:
		return nil, no("Access token validation failure. Invalid tenant.")
	}
	return &caller{application: claims.AppID, permissions: append(claims.Roles, strings.Fields(claims.Scopes)...)}, nil
}

// sha1Thumbprint is what the header x5t of an assertion carries (RFC 7515).
func sha1Thumbprint(c *x509.Certificate) []byte {
	sum := sha1.Sum(c.Raw)
	return sum[:]
}
