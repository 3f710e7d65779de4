package graphclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Access is what a tenant's access token says of itself. Graph alone judges the
// token; this is for telling people what it holds.
type Access struct {
	// Tenant and Application are ids (claims tid and appid).
	Tenant, Application string
	// Delegated tokens act for a person who has signed in.
	Delegated bool
	// Permissions are the application permissions that have consent (claim
	// roles), or the delegated ones (claim scp), sorted.
	Permissions []string
	// Issued and Expires are by the clock of the token service.
	Issued, Expires time.Time
}

// Access gets a token for the tenant and reads it. The error is that of a call
// for which there is no token. Without a credential all is empty.
func (d *Directory) Access(ctx context.Context) (Access, error) {
	const op = "read access token"
	token, err := d.client.tokens.get(ctx, d.tenant)
	if err != nil {
		if ctx.Err() != nil {
			return Access{}, interrupted(ctx, op)
		}
		return Access{}, tokenFailure(op, err)
	}
	if token == "" {
		return Access{}, nil
	}
	return readAccess(token), nil
}

// NeedsToken tells whether the client has a credential.
func (c *Client) NeedsToken() bool { return c.tokens != nil }

// readAccess reads the claims of a token. One that can't be read, which Microsoft
// allows itself, is empty.
func readAccess(token string) Access {
	var claims struct {
		Tenant      string   `json:"tid"`
		Application string   `json:"appid"`
		Roles       []string `json:"roles"`
		Scopes      string   `json:"scp"`
		Type        string   `json:"idtyp"`
		Issued      int64    `json:"iat"`
		Expires     int64    `json:"exp"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Access{}
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return Access{}
	}
	a := Access{
		Tenant: claims.Tenant, Application: claims.Application, Delegated: claims.Scopes != "" || claims.Type == "user",
		Permissions: append(claims.Roles, strings.Fields(claims.Scopes)...),
	}
	slices.Sort(a.Permissions)
	if claims.Issued != 0 {
		a.Issued, a.Expires = time.Unix(claims.Issued, 0), time.Unix(claims.Expires, 0)
	}
	return a
}
