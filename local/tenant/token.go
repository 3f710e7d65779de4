package tenant

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// DefaultTokenLifetime is how long access tokens live where nothing else is
// said. The service's own live 60 to 90 minutes (Microsoft identity platform,
// access tokens, token lifetime).
const DefaultTokenLifetime = time.Hour

// authority is the tenant's part of the token service: it knows the
// applications, and issues and checks tokens.
//
//	/common/discovery/instance
//	/{tenant}/v2.0/.well-known/openid-configuration
//	/{tenant}/discovery/v2.0/keys
//	/{tenant}/oauth2/v2.0/token, /devicecode
type authority struct {
	id       string   // the tenant's
	names    []string // id and domains, in lower case
	apps     *applications
	key      *rsa.PrivateKey
	keyID    string
	lifetime time.Duration
	approve  bool // device codes at once
	now      func() time.Time

	mu       sync.Mutex
	devices  map[string]*device  // by device code, guarded by mu
	refresh  map[string]signedIn // by refresh token, guarded by mu
	throttle int                 // requests that are still to be refused, guarded by mu
}

// newAuthority returns nil where no application is registered: such a tenant
// checks no tokens.
func newAuthority(o Options) (*authority, error) {
	if len(o.Applications) == 0 {
		return nil, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	a := &authority{
		id: strings.ToLower(o.ID), names: []string{strings.ToLower(o.ID)},
		apps: &applications{byID: map[string]*registration{}},
		key:  key, keyID: base64.RawURLEncoding.EncodeToString(key.N.Bytes()[:15]),
		lifetime: o.TokenLifetime, approve: o.ApproveDevices, now: o.Now,
		devices: map[string]*device{}, refresh: map[string]signedIn{},
	}
	for _, d := range o.Domains {
		a.names = append(a.names, strings.ToLower(d))
	}
	var faults []error
	for _, app := range o.Applications {
		faults = append(faults, a.apps.put(app))
	}
	return a, errors.Join(faults...)
}

// home are the names by which a client that does not know its tenant asks.
var home = []string{"organizations", "common"}

func (a *authority) answersTo(name string) bool {
	return slices.Contains(a.names, strings.ToLower(name)) || slices.Contains(home, name)
}

// serves tells whether the path is one of the token service's, and the tenant
// that it names, empty for the one that names none.
func (a *authority) serves(path string) (tenant, what string, ok bool) {
	if a == nil {
		return "", "", false
	}
	tenant, what, _ = strings.Cut(strings.Trim(path, "/"), "/")
	switch what {
	case "discovery/instance", "v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "oauth2/v2.0/token", "oauth2/v2.0/devicecode":
		return tenant, what, true
	}
	return "", "", false
}

// serve answers a request to the token service.
func (a *authority) serve(w http.ResponseWriter, r *http.Request, tenant, what string) {
	refuse := func(no *tokenRefusal) { no.write(w, a.now(), uuid.NewString()) }
	base := "https://" + r.Host
	if what == "discovery/instance" {
		a.serveInstance(w, r, base)
		return
	}
	if !a.answersTo(tenant) {
		refuse(badTokenRequest(90002, "Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."))
		return
	}
	switch what {
	case "v2.0/.well-known/openid-configuration":
		a.serveConfiguration(w, base+"/"+tenant)
	case "discovery/v2.0/keys":
		a.serveKeys(w)
	default:
		if no := a.servePost(w, r, what == "oauth2/v2.0/devicecode"); no != nil {
			refuse(no)
		}
	}
}

func (a *authority) servePost(w http.ResponseWriter, r *http.Request, device bool) *tokenRefusal {
	if r.Method != http.MethodPost {
		return badTokenRequest(900561, "The endpoint only accepts POST requests. Received a "+r.Method+" request.")
	}
	if a.throttled() {
		no := tokenRefused(http.StatusTooManyRequests, "temporarily_unavailable", 90055, "Server is terminating a request due to excessive request rate.")
		no.retryAfter = "60"
		return no
	}
	body, broken := readBody(w, r)
	form, err := url.ParseQuery(string(body))
	if broken != nil || err != nil {
		return badTokenRequest(90023, "The request body is malformed.")
	}
	q := tokenRequest{form: form, host: r.Host, endpoint: "https://" + r.Host + r.URL.Path}
	var reply any
	var no *tokenRefusal
	if device {
		reply, no = a.startDevice(q)
	} else {
		reply, no = a.grant(q)
	}
	if no != nil {
		return no
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// throttled counts down the requests that are to be refused.
func (a *authority) throttled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.throttle == 0 {
		return false
	}
	a.throttle--
	return true
}

// ThrottleTokens refuses the next n token requests with 429 and a Retry-After of
// 60 seconds, as the service does with a client that does not keep its tokens.
func (t *Tenant) ThrottleTokens(n int) {
	if t.authority == nil {
		return
	}
	t.authority.mu.Lock()
	defer t.authority.mu.Unlock()
	t.authority.throttle = max(n, 0)
}

// serveInstance tells a client that the host may be trusted with its secrets.
func (a *authority) serveInstance(w http.ResponseWriter, r *http.Request, base string) {
	asked := r.URL.Query().Get("authorization_endpoint")
	u, err := url.Parse(asked)
	if err != nil || u.Host != r.Host {
		tokenRefused(http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance.").write(w, a.now(), uuid.NewString())
		return
	}
	name, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	type metadata struct {
		Network string   `json:"preferred_network"`
		Cache   string   `json:"preferred_cache"`
		Aliases []string `json:"aliases"`
	}
	writeJSON(w, http.StatusOK, struct {
		Endpoint string     `json:"tenant_discovery_endpoint"`
		Version  string     `json:"api-version"`
		Metadata []metadata `json:"metadata"`
	}{base + "/" + name + "/v2.0/.well-known/openid-configuration", "1.1", []metadata{{r.Host, r.Host, []string{r.Host}}}})
}

func (a *authority) serveConfiguration(w http.ResponseWriter, base string) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": a.issuer(base), "token_endpoint": base + "/oauth2/v2.0/token",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// issuer is the issuer of ID tokens: the address with the tenant's id.
func (a *authority) issuer(base string) string {
	return base[:strings.LastIndexByte(base, '/')+1] + a.id + "/v2.0"
}

func (a *authority) serveKeys(w http.ResponseWriter) {
	encode := base64.RawURLEncoding.EncodeToString
	type key struct {
		Kty string `json:"kty"`
		Use string `json:"use"`
		Kid string `json:"kid"`
		N   string `json:"n"`
		E   string `json:"e"`
	}
	writeJSON(w, http.StatusOK, struct {
		Keys []key `json:"keys"`
	}{[]key{{"RSA", "sig", a.keyID, encode(a.key.N.Bytes()), encode(big.NewInt(int64(a.key.E)).Bytes())}}})
}
