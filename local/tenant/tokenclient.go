package tenant

import (
	"bytes"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// This file is how an application proves that it is itself.

// How the application authenticated, as the claim appidacr tells it.
const (
	bySecret    = "1"
	byAssertion = "2"
)

// assertionType is the only type of client assertion (RFC 7523).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate checks the secret or the assertion.
func (a *authority) authenticate(q tokenRequest, app *registration) (proof string, no *tokenRefusal) {
	switch {
	case q.get("client_assertion") != "":
		if q.get("client_assertion_type") != assertionType {
			return "", badClient(50027, "The client assertion type is not supported.")
		}
		return byAssertion, a.checkAssertion(q, app)
	case q.get("client_secret") != "":
		return bySecret, a.checkSecret(q.get("client_secret"), app)
	}
	return "", badClient(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
}

func (a *authority) checkSecret(value string, app *registration) *tokenRefusal {
	for _, s := range app.Secrets {
		if subtle.ConstantTimeCompare([]byte(s.Value), []byte(value)) == 0 {
			continue
		}
		if !s.Expires.IsZero() && !a.now().Before(s.Expires) {
			return badClient(7000222, "The provided client secret keys for app '"+app.ID+"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.")
		}
		return nil
	}
	return badClient(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+app.ID+"'.")
}

// checkAssertion checks a JWT that the application's own certificate has signed,
// or one of an issuer that it trusts.
func (a *authority) checkAssertion(q tokenRequest, app *registration) *tokenRefusal {
	text := q.get("client_assertion")
	claims := jwt.MapClaims{}
	unverified, _, err := jwt.NewParser().ParseUnverified(text, claims)
	if err != nil {
		return badClient(50027, "JWT token is invalid or malformed.")
	}
	if issuer, _ := claims.GetIssuer(); issuer != app.ID {
		return a.checkFederated(text, claims, app)
	}
	certificate := app.certificateOf(unverified.Header)
	if certificate == nil {
		return badClient(700027, "The certificate with identifier used to sign the client assertion is not registered on application. Client app ID: "+app.ID+".")
	}
	if !a.now().Before(certificate.NotAfter) {
		return badClient(1000502, "The provided certificate is not within its specified validity window.")
	}
	err = a.verify(text, certificate.PublicKey, jwt.WithAudience(q.endpoint), jwt.WithSubject(app.ID))
	return assertionRefusal(err, app)
}

// certificateOf finds the certificate that the header of an assertion names, by
// x5t#S256, x5t or kid (Microsoft identity platform, "certificate credentials").
func (r *registration) certificateOf(header map[string]any) *x509.Certificate {
	for _, c := range r.certificates {
		for _, name := range [...]string{"x5t#S256", "kid"} {
			if sameBytes(header[name], thumbprint(c)) {
				return c
			}
		}
		if sameBytes(header["x5t"], sha1Thumbprint(c)) {
			return c
		}
	}
	return nil
}

// sameBytes compares with base64 in any of its spellings, for clients differ.
func sameBytes(encoded any, want []byte) bool {
	text, _ := encoded.(string)
	for _, e := range [...]*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding, base64.URLEncoding} {
		if got, err := e.DecodeString(text); err == nil && bytes.Equal(got, want) {
			return true
		}
	}
	return false
}

// checkFederated checks an assertion of another issuer.
func (a *authority) checkFederated(text string, claims jwt.MapClaims, app *registration) *tokenRefusal {
	issuer, _ := claims.GetIssuer()
	subject, _ := claims.GetSubject()
	fromIssuer := slices.DeleteFunc(slices.Clone(app.federated), func(f federation) bool { return f.Issuer != issuer })
	if len(fromIssuer) == 0 {
		return badClient(700211, "No matching federated identity record found for presented assertion issuer '"+issuer+"'.")
	}
	i := slices.IndexFunc(fromIssuer, func(f federation) bool { return f.Subject == subject })
	if i < 0 {
		return badClient(700213, "No matching federated identity record found for presented assertion subject '"+subject+"'.")
	}
	f := fromIssuer[i]
	if audience, _ := claims.GetAudience(); !slices.Contains(audience, f.Audience) {
		return badClient(700212, "No matching federated identity record found for presented assertion audience.")
	}
	return assertionRefusal(a.verify(text, f.key), app)
}

func (a *authority) verify(text string, key any, more ...jwt.ParserOption) error {
	options := append([]jwt.ParserOption{
		jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(a.now),
	}, more...)
	_, err := jwt.NewParser(options...).Parse(text, func(*jwt.Token) (any, error) { return key, nil })
	return err
}

func assertionRefusal(err error, app *registration) *tokenRefusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return badClient(700024, "Client assertion is not within its valid time range.")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return badClient(700023, "Client assertion audience claim does not match Realm issuer.")
	case errors.Is(err, jwt.ErrTokenInvalidSubject):
		return badClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	return badClient(700027, "Client assertion failed signature validation. Client app ID: "+app.ID+".")
}
