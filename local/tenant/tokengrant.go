package tenant

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// tokenRequest is one POST to the token service.
type tokenRequest struct {
	form     url.Values
	host     string // under which the client reached us
	endpoint string // which assertions have as their audience
}

func (q tokenRequest) get(name string) string { return q.form.Get(name) }

// issued is a successful reply.
type issued struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ClientInfo   string `json:"client_info,omitempty"`
}

// The grants (OAuth 2.0, RFC 6749 and RFC 8628). Microsoft's own libraries still
// send the short name of the device code's.
const (
	grantClient      = "client_credentials"
	grantDevice      = "urn:ietf:params:oauth:grant-type:device_code"
	grantDeviceShort = "device_code"
	grantRefresh     = "refresh_token"
)

// grant answers a token request.
func (a *authority) grant(q tokenRequest) (any, *tokenRefusal) {
	grantType := q.get("grant_type")
	if grantType == "" {
		return nil, badTokenRequest(900144, "The request body must contain the following parameter: 'grant_type'.")
	}
	app, no := a.client(q)
	if no != nil {
		return nil, no
	}
	switch grantType {
	case grantClient:
		return a.grantClient(q, app)
	case grantDevice, grantDeviceShort:
		return a.grantDevice(q, app)
	case grantRefresh:
		return a.grantRefresh(q, app)
	}
	return nil, tokenRefused(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+grantType+"'.")
}

// client finds the application that asks.
func (a *authority) client(q tokenRequest) (*registration, *tokenRefusal) {
	id := q.get("client_id")
	app := a.apps.find(id)
	if app == nil {
		return nil, tokenRefused(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+id+
			"' was not found in the directory '"+a.names[len(a.names)-1]+"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.")
	}
	if app.Disabled {
		return nil, tokenRefused(http.StatusBadRequest, "unauthorized_client", 7000112, "Application '"+app.ID+"'("+app.DisplayName+") is disabled.")
	}
	return app, nil
}

// resources are those, besides the address that the client uses, which have
// tokens: Graph in each cloud, and Service Bus.
var resources = []string{
	"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn", "servicebus.azure.net",
}

// resource finds the resource of the scope that ends in .default.
func (q tokenRequest) resource() (string, *tokenRefusal) {
	for scope := range strings.FieldsSeq(q.get("scope")) {
		name, ok := strings.CutSuffix(scope, "/.default")
		if !ok {
			continue
		}
		name = strings.TrimRight(name, "/")
		u, err := url.Parse(name)
		if err == nil && u.Path == "" && (u.Host == q.host || slices.Contains(resources, u.Host)) {
			return name, nil
		}
		return "", tokenRefused(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+name+" was not found in the tenant.")
	}
	return "", tokenRefused(http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope "+q.get("scope")+
		" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
}

// grantClient issues a token to the application itself.
func (a *authority) grantClient(q tokenRequest, app *registration) (any, *tokenRefusal) {
	proof, no := a.authenticate(q, app)
	if no != nil {
		return nil, no
	}
	resource, no := q.resource()
	if no != nil {
		return nil, no
	}
	claims := a.claims(resource, app)
	claims["appidacr"] = proof
	claims["idtyp"] = "app"
	claims["oid"] = UserID("principal/" + app.ID)
	claims["sub"] = claims["oid"]
	if len(app.Roles) > 0 && isGraph(resource, q.host) {
		claims["roles"] = app.Roles
	}
	return a.issue(claims), nil
}

// isGraph tells whether the resource is Microsoft Graph, whose permissions are
// the ones that an [Application] has.
func isGraph(resource, host string) bool {
	name := strings.TrimPrefix(resource, "https://")
	return name == host || slices.Contains(resources, name) && name != "servicebus.azure.net"
}

func (a *authority) claims(resource string, app *registration) jwt.MapClaims {
	now := a.now()
	return jwt.MapClaims{
		"aud": resource, "iss": "https://sts.windows.net/" + a.id + "/", "tid": a.id, "ver": "1.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(a.lifetime).Unix(),
		"appid": app.ID, "app_displayname": app.DisplayName, "uti": uuid.NewString(),
	}
}

func (a *authority) issue(claims jwt.MapClaims) issued {
	seconds := int(a.lifetime / time.Second)
	return issued{TokenType: "Bearer", ExpiresIn: seconds, ExtExpiresIn: seconds, AccessToken: a.sign(claims)}
}

// sign signs with the tenant's key, which never fails for a key of this size.
func (a *authority) sign(claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = a.keyID
	signed, err := token.SignedString(a.key)
	if err != nil {
		panic("sign token: " + err.Error())
	}
	return signed
}
