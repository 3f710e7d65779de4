package tenant

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// This file is how a person signs in: by a device code, and later by the refresh
// token that came with it.

// deviceLifetime is how long a code may be typed in (Microsoft identity platform,
// device authorization grant).
const deviceLifetime = 15 * time.Minute

// device is a device code that was handed out.
type device struct {
	userCode string
	client   string
	resource string
	expires  time.Time
	approved bool
}

// signedIn is what a refresh token stands for.
type signedIn struct{ client string }

// startDevice answers the device authorization endpoint.
func (a *authority) startDevice(q tokenRequest) (any, *tokenRefusal) {
	app, no := a.client(q)
	if no != nil {
		return nil, no
	}
	resource, no := q.resource()
	if no != nil {
		return nil, no
	}
	id := uuid.NewString()
	d := &device{
		userCode: strings.ToUpper(strings.ReplaceAll(id, "-", "")[:9]), client: app.ID, resource: resource,
		expires: a.now().Add(deviceLifetime), approved: a.approve,
	}
	a.mu.Lock()
	a.devices[id] = d
	a.mu.Unlock()
	where := "https://" + q.host + "/_tenant/devices/" + d.userCode
	return struct {
		UserCode   string `json:"user_code"`
		DeviceCode string `json:"device_code"`
		URL        string `json:"verification_uri"`
		ExpiresIn  int    `json:"expires_in"`
		Interval   int    `json:"interval"`
		Message    string `json:"message"`
	}{d.userCode, id, where, int(deviceLifetime / time.Second), 5,
		fmt.Sprintf("To sign in, send a POST to %s, which stands for entering the code %s in a browser.", where, d.userCode)}, nil
}

// ApproveDevice signs the tenant's administrator in on the device with that user
// code.
func (t *Tenant) ApproveDevice(userCode string) error {
	if t.authority != nil {
		t.authority.mu.Lock()
		defer t.authority.mu.Unlock()
		for _, d := range t.authority.devices {
			if strings.EqualFold(d.userCode, userCode) {
				d.approved = true
				return nil
			}
		}
	}
	return errors.New("approve device: there is no such code")
}

// grantDevice answers a poll.
func (a *authority) grantDevice(q tokenRequest, app *registration) (any, *tokenRefusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.devices[q.get("device_code")]
	switch {
	case d == nil || d.client != app.ID:
		return nil, badGrant(70000, "The provided value for the input parameter 'device_code' is not valid.")
	case !a.now().Before(d.expires):
		return nil, tokenRefused(http.StatusBadRequest, "expired_token", 70019, "Verification code expired.")
	case !d.approved:
		return nil, tokenRefused(http.StatusBadRequest, "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	}
	delete(a.devices, q.get("device_code"))
	return a.grantPerson(q, app, d.resource)
}

func (a *authority) grantRefresh(q tokenRequest, app *registration) (any, *tokenRefusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, known := a.refresh[q.get("refresh_token")]
	if !known || s.client != app.ID {
		return nil, badGrant(70000, "The provided refresh token is not valid.")
	}
	resource, no := q.resource()
	if no != nil {
		return nil, no
	}
	return a.grantPerson(q, app, resource)
}

// grantPerson issues the tokens of the tenant's administrator. The caller holds
// the lock.
func (a *authority) grantPerson(q tokenRequest, app *registration, resource string) (any, *tokenRefusal) {
	if len(app.Scopes) == 0 {
		no := badGrant(65001, "The user or administrator has not consented to use the application with ID '"+app.ID+"' named '"+app.DisplayName+"'. Send an interactive authorization request for this user and resource.")
		no.suberror = "consent_required"
		return nil, no
	}
	person, name := UserID("administrator/"+a.id), "administrator@"+a.names[len(a.names)-1]
	claims := a.claims(resource, app)
	claims["idtyp"], claims["oid"], claims["sub"] = "user", person, person
	if isGraph(resource, q.host) {
		claims["scp"] = strings.Join(app.Scopes, " ")
	}
	reply := a.issue(claims)
	reply.RefreshToken = uuid.NewString()
	a.refresh[reply.RefreshToken] = signedIn{client: app.ID}
	now := a.now()
	reply.IDToken = a.sign(jwt.MapClaims{
		"aud": app.ID, "iss": "https://" + q.host + "/" + a.id + "/v2.0", "tid": a.id, "oid": person, "sub": person,
		"preferred_username": name, "name": "Administrator", "ver": "2.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(a.lifetime).Unix(),
	})
	reply.ClientInfo = base64.RawURLEncoding.EncodeToString([]byte(`{"uid":"` + person + `","utid":"` + a.id + `"}`))
	granted := []string{"openid", "profile", "offline_access", resource + "/.default"}
	for _, s := range app.Scopes {
		granted = append(granted, resource+"/"+s)
	}
	reply.Scope = strings.Join(granted, " ")
	return reply, nil
}
