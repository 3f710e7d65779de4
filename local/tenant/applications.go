package tenant

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Application is an application of the tenant: its registration and what an
// administrator has granted to it. Its JSON form is the body of
// PUT /_tenant/applications.
type Application struct {
	// ID is the application (client) id, a GUID.
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	// Secrets are the client secrets.
	Secrets []Secret `json:"secrets,omitempty"`
	// Certificates are the registered certificates, in PEM.
	Certificates []string `json:"certificates,omitempty"`
	// Federated are the federated identity credentials.
	Federated []FederatedCredential `json:"federated,omitempty"`
	// Roles are the application permissions that have admin consent.
	Roles []string `json:"roles,omitempty"`
	// Scopes are the delegated permissions that have consent. A person can sign
	// in by device code where there are any.
	Scopes []string `json:"scopes,omitempty"`
	// Disabled applications get no token.
	Disabled bool `json:"disabled,omitempty"`
}

// Secret is a client secret. A revoked secret is one that is not there any more.
type Secret struct {
	// Name describes it, as in the portal.
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
	// Expires is its end. The zero time means that it has none.
	Expires time.Time `json:"expires,omitzero"`
}

// FederatedCredential trusts the tokens of another issuer, such as a Kubernetes
// cluster's.
type FederatedCredential struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Audience must be in the assertion. Default api://AzureADTokenExchange.
	Audience string `json:"audience,omitempty"`
	// Key is the issuer's public RSA key, in PEM. The real service asks the
	// issuer for it.
	Key string `json:"key"`
}

// defaultExchange is the audience that federated assertions have unless the
// credential says otherwise (Microsoft Entra, workload identity federation).
const defaultExchange = "api://AzureADTokenExchange"

// registration is an application with its keys parsed.
type registration struct {
	Application
	certificates []*x509.Certificate
	federated    []federation
}

type federation struct {
	FederatedCredential
	key *rsa.PublicKey
}

// register checks an application and parses its keys. Errors hold no secret.
func register(a Application) (*registration, error) {
	var faults []error
	id, err := uuid.Parse(a.ID)
	if err != nil {
		faults = append(faults, errors.New("id is not a GUID"))
	}
	r := &registration{Application: a}
	r.ID = id.String()
	for i, s := range a.Secrets {
		if s.Value == "" {
			faults = append(faults, fmt.Errorf("secret %d has no value", i+1))
		}
	}
	for i, text := range a.Certificates {
		c, err := parseCertificate(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("certificate %d: %w", i+1, err))
		}
		r.certificates = append(r.certificates, c)
	}
	for i, f := range a.Federated {
		key, err := parsePublicKey(f.Key)
		if err != nil {
			faults = append(faults, fmt.Errorf("federated credential %d: %w", i+1, err))
		}
		if f.Issuer == "" || f.Subject == "" {
			faults = append(faults, fmt.Errorf("federated credential %d: issuer or subject is missing", i+1))
		}
		f.Audience = orDefault(f.Audience, defaultExchange)
		r.federated = append(r.federated, federation{f, key})
	}
	return r, errors.Join(faults...)
}

func parseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("not a certificate in PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("not a certificate")
	}
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
		return nil, errors.New("the key is not RSA")
	}
	return c, nil
}

func parsePublicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("key is not in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("key is not a public key")
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("key is not RSA")
	}
	return public, nil
}

// applications are the applications of a tenant, by id.
type applications struct {
	mu   sync.RWMutex
	byID map[string]*registration // guarded by mu; what it points to never changes
}

func (a *applications) find(id string) *registration {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[strings.ToLower(id)]
}

// put adds an application or takes the place of the one with its id.
func (a *applications) put(app Application) error {
	r, err := register(app)
	if err != nil {
		return fmt.Errorf("application %s: %w", app.ID, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[r.ID] = r
	return nil
}

// SetApplication adds an application to a tenant that checks tokens, or takes
// the place of the one with its id: so a secret is revoked or a permission
// granted.
func (t *Tenant) SetApplication(a Application) error {
	if t.authority == nil {
		return errors.New("set application: the tenant has been made without applications")
	}
	return t.authority.apps.put(a)
}

func (t *Tenant) adminSetApplication(w http.ResponseWriter, r *http.Request) {
	body, no := readBody(w, r)
	if no != nil {
		adminError(w, no.status, no.message)
		return
	}
	var a Application
	if json.Unmarshal(body, &a) != nil {
		adminError(w, http.StatusBadRequest, "want an application: {\"id\":\"…\",\"secrets\":[…],\"roles\":[…]}")
		return
	}
	if err := t.SetApplication(a); err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getApplication answers GET /applications(appId='…'), with its credentials but
// never a secret (resource types passwordCredential and keyCredential).
func (t *Tenant) getApplication(c *call) reply {
	if no := c.onlyOptions("$select"); no != nil {
		return t.refuse(c, no)
	}
	var app *registration
	if t.authority != nil {
		app = t.authority.apps.find(c.user)
	}
	if app == nil {
		return t.refuse(c, refuse(http.StatusNotFound, "Request_ResourceNotFound",
			"Resource '"+c.user+"' does not exist or one of its queried reference-property objects are not present."))
	}
	b := appendContext(make([]byte, 0, 1024), c.base, "applications"+c.selectClause()+"/$entity")
	for i, member := range app.members() {
		if c.query.Has("$select") && !selects(c.query.Get("$select"), member.name) {
			continue
		}
		text, err := json.Marshal(member.value)
		if err != nil {
			return t.refuse(c, refuse(http.StatusInternalServerError, "generalException", fmt.Sprintf("member %d", i)))
		}
		b = append(b, `,"`+member.name+`":`...)
		b = append(b, text...)
	}
	return ok(append(b, '}'))
}

func selects(option, name string) bool {
	for s := range strings.SplitSeq(option, ",") {
		if strings.EqualFold(strings.TrimSpace(s), name) {
			return true
		}
	}
	return false
}

type member struct {
	name  string
	value any
}

func (r *registration) members() []member {
	type password struct {
		DisplayName string     `json:"displayName"`
		EndDateTime *time.Time `json:"endDateTime"`
		Hint        string     `json:"hint"`
		KeyID       string     `json:"keyId"`
		SecretText  *string    `json:"secretText"`
	}
	type key struct {
		CustomKeyIdentifier string    `json:"customKeyIdentifier"`
		DisplayName         string    `json:"displayName"`
		EndDateTime         time.Time `json:"endDateTime"`
		KeyID               string    `json:"keyId"`
		StartDateTime       time.Time `json:"startDateTime"`
		Type                string    `json:"type"`
		Usage               string    `json:"usage"`
	}
	passwords, keys := []password{}, []key{}
	for i, s := range r.Secrets {
		p := password{DisplayName: s.Name, Hint: s.Value[:min(3, len(s.Value))], KeyID: UserID(fmt.Sprintf("%s/secret/%d", r.ID, i))}
		if !s.Expires.IsZero() {
			p.EndDateTime = &s.Expires
		}
		passwords = append(passwords, p)
	}
	for i, c := range r.certificates {
		keys = append(keys, key{
			CustomKeyIdentifier: base64.StdEncoding.EncodeToString(thumbprint(c)), DisplayName: "CN=" + c.Subject.CommonName,
			StartDateTime: c.NotBefore.UTC(), EndDateTime: c.NotAfter.UTC(),
			KeyID: UserID(fmt.Sprintf("%s/key/%d", r.ID, i)), Type: "AsymmetricX509Cert", Usage: "Verify",
		})
	}
	return []member{
		{"id", UserID("application/" + r.ID)}, {"appId", r.ID}, {"displayName", r.DisplayName},
		{"passwordCredentials", passwords}, {"keyCredentials", keys},
	}
}

// thumbprint is the SHA-256 of a certificate, which the header x5t#S256 of an
// assertion carries.
func thumbprint(c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.Raw)
	return sum[:]
}
