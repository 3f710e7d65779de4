package graphclient

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// tokenMargin is how long before its end a token is replaced.
const tokenMargin = 5 * time.Minute

// tokens keeps one access token per tenant. azidentity keeps most of them as
// well, but not all credentials do: the one of the Azure CLI starts a process
// for each.
type tokens struct {
	credential azcore.TokenCredential
	scope      string

	mu      sync.Mutex // guards tenants, not what they hold
	tenants map[string]*tenantToken
}

// tenantToken belongs to whoever holds its turn, so that a tenant's token is
// fetched once however many calls wait for it.
type tenantToken struct {
	turn   chan struct{}
	token  azcore.AccessToken
	claims string // what Graph demanded of the next token
}

func newTokens(credential azcore.TokenCredential, scope string) *tokens {
	return &tokens{credential: credential, scope: scope, tenants: map[string]*tenantToken{}}
}

func (t *tokens) of(tenant string) *tenantToken {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tenants[tenant]
	if tt == nil {
		tt = &tenantToken{turn: make(chan struct{}, 1)}
		t.tenants[tenant] = tt
	}
	return tt
}

// get returns the tenant's token, a new one where the old is about to end. A nil
// receiver has no tokens and returns none.
func (t *tokens) get(ctx context.Context, tenant string) (string, error) {
	if t == nil {
		return "", nil
	}
	tt := t.of(tenant)
	select {
	case tt.turn <- struct{}{}:
		defer func() { <-tt.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	now := time.Now()
	if isFresh(tt.token, now) {
		return tt.token.Token, nil
	}
	token, err := t.credential.GetToken(ctx, policy.TokenRequestOptions{
		Claims: tt.claims, EnableCAE: true, Scopes: []string{t.scope}, TenantID: tenant,
	})
	switch {
	case err == nil:
		tt.token, tt.claims = token, ""
		return token.Token, nil
	case tt.token.Token != "" && tt.token.ExpiresOn.After(now):
		// The old token still serves; the next call tries again.
		return tt.token.Token, nil
	}
	return "", err
}

func isFresh(t azcore.AccessToken, now time.Time) bool {
	if t.Token == "" || !t.RefreshOn.IsZero() && now.After(t.RefreshOn) {
		return false
	}
	return t.ExpiresOn.Sub(now) > tokenMargin
}

// drop forgets the tenant's token if it is still the one that was refused:
// another call may have replaced it meanwhile. Claims that Graph demands
// (continuous access evaluation) go into the request for the next one.
func (t *tokens) drop(ctx context.Context, tenant, refused string, h http.Header) {
	if t == nil {
		return
	}
	tt := t.of(tenant)
	select {
	case tt.turn <- struct{}{}:
		defer func() { <-tt.turn }()
	case <-ctx.Done():
		return
	}
	if tt.token.Token == refused {
		tt.token, tt.claims = azcore.AccessToken{}, claimsChallenge(h)
	}
}

var claimsParameter = regexp.MustCompile(`(?i)\bclaims="([^"]+)"`)

// claimsChallenge returns the claims of a WWW-Authenticate header, decoded
// (Microsoft identity platform, claims challenges).
func claimsChallenge(h http.Header) string {
	for _, challenge := range h.Values("Www-Authenticate") {
		m := claimsParameter.FindStringSubmatch(challenge)
		if m == nil || !strings.Contains(challenge, "insufficient_claims") {
			continue
		}
		encoding := base64.RawStdEncoding
		if strings.ContainsAny(m[1], "-_") {
			encoding = base64.RawURLEncoding
		}
		if claims, err := encoding.DecodeString(strings.TrimRight(m[1], "=")); err == nil {
			return string(claims)
		}
	}
	return ""
}

// tokenError keeps the text of a credential's error to what may be told: the
// token service's code, or the first line where it names nobody.
type tokenError struct{ cause error }

var aadsts = regexp.MustCompile(`AADSTS\d+`)

func (e *tokenError) Error() string {
	text := e.cause.Error()
	if code := aadsts.FindString(text); code != "" {
		return "get token: " + code
	}
	text, _, _ = strings.Cut(text, "\n")
	if strings.Contains(text, "@") || len(text) > 300 {
		return "get token: the credential failed"
	}
	return "get token: " + strings.TrimSpace(text)
}

func (e *tokenError) Unwrap() error { return e.cause }

// tokenFailure is the error of a call for which there was no token. azidentity
// marks what it must not be asked again by a method NonRetriable.
func tokenFailure(op string, err error) *Error {
	kind := KindTransient
	var final interface{ NonRetriable() }
	if errors.As(err, &final) {
		kind = KindUnauthorized
	}
	return &Error{Op: op, Kind: kind, Code: aadsts.FindString(err.Error()), cause: &tokenError{err}}
}
