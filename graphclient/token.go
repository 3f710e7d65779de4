package graphclient

import (
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	// tokenMargin is how long before its end a token is replaced, but no more
	// than a quarter of its life: a token that lives for minutes would never be
	// fresh otherwise, and every call would ask for another one.
	tokenMargin = 5 * time.Minute
	// tokenSettled is how old a token must be for a refusal to have it replaced:
	// permissions are in the token, so one that was granted meanwhile counts only
	// in the next.
	tokenSettled = time.Minute
	// tokenRest is how long the token service is left alone after it could not
	// renew a token that still serves, unless it says how long itself.
	tokenRest = 15 * time.Second
)

// anew is a demand for claims that demands none. azidentity answers a request
// with claims from the token service, never from what it keeps.
const anew = "{}"

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
	turn chan struct{}
	holding
}

// holding is what is known of a tenant's token.
type holding struct {
	token  azcore.AccessToken
	since  time.Time // when token was fetched
	claims string    // what Graph demanded of the next token, or anew
	// Until resting has passed the token service is not asked again; failure is
	// what it answered.
	resting time.Time
	failure error
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
	if tt.isFresh(now) {
		return tt.token.Token, nil
	}
	if now.Before(tt.resting) {
		return tt.makeDo(now, tt.failure)
	}
	token, err := t.ask(ctx, tenant, tt.claims)
	if err != nil {
		if ctx.Err() == nil {
			tt.rest(now, err)
		}
		return tt.makeDo(now, err)
	}
	tt.holding = holding{token: token, since: now}
	return token.Token, nil
}

// ask gets a token from the credential. One that can't take a demand for a new
// token, such as the Azure CLI's, is asked for any.
func (t *tokens) ask(ctx context.Context, tenant, claims string) (azcore.AccessToken, error) {
	o := policy.TokenRequestOptions{Claims: claims, EnableCAE: true, Scopes: []string{t.scope}, TenantID: tenant}
	token, err := t.credential.GetToken(ctx, o)
	if err != nil && claims == anew && ctx.Err() == nil && !isTemporary(err) {
		o.Claims = ""
		token, err = t.credential.GetToken(ctx, o)
	}
	return token, err
}

// makeDo returns the old token for as long as it serves.
func (h *holding) makeDo(now time.Time, err error) (string, error) {
	if h.token.Token != "" && h.token.ExpiresOn.After(now) {
		return h.token.Token, nil
	}
	return "", err
}

// rest leaves the token service alone for a while: for as long as it says, or
// while there is an old token to go on with.
func (h *holding) rest(now time.Time, err error) {
	wait := retryAfterOf(err)
	if wait == 0 && h.token.Token != "" {
		wait = tokenRest
	}
	h.resting, h.failure = now.Add(wait), err
}

// isFresh tells whether the token may be used and none better is to be had.
func (h *holding) isFresh(now time.Time) bool {
	t := h.token
	if t.Token == "" || h.claims != "" || !t.RefreshOn.IsZero() && now.After(t.RefreshOn) {
		return false
	}
	return t.ExpiresOn.Sub(now) > min(tokenMargin, t.ExpiresOn.Sub(h.since)/4)
}

// drop forgets the tenant's token if it is still the one that was refused. Claims
// that Graph demands (continuous access evaluation) go into the request for the
// next one.
func (t *tokens) drop(ctx context.Context, tenant, refused string, h http.Header) {
	t.change(ctx, tenant, refused, func(old *holding) {
		*old = holding{claims: claimsChallenge(h)}
		if old.claims == "" {
			old.claims = anew
		}
	})
}

// forbidden tells that Graph missed a permission in the tenant's token. One that
// is not quite new is replaced before the next call, which still has it where
// there is none to be had.
func (t *tokens) forbidden(ctx context.Context, tenant, refused string) {
	t.change(ctx, tenant, refused, func(old *holding) {
		if old.claims == "" && time.Since(old.since) >= tokenSettled {
			old.claims = anew
		}
	})
}

// change does something to what is held of the tenant, unless another call has
// replaced the token that was refused meanwhile.
func (t *tokens) change(ctx context.Context, tenant, refused string, do func(*holding)) {
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
		do(&tt.holding)
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
