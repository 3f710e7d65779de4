package tenant

import (
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Cloud serves several tenants at one address, as the real service does: the
// token service knows them by the first segment of the path, Graph by the token.
// Every tenant needs an ID of its own and applications. The administration is
// that of the first.
type Cloud []*Tenant

// ServeHTTP hands the request to the tenant that it is for.
func (c Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.of(r).ServeHTTP(w, r) }

// of finds the tenant of a request. One that names none that is known goes to the
// first, which refuses it.
func (c Cloud) of(r *http.Request) *Tenant {
	name, _, served := c[0].authority.serves(r.URL.Path)
	if !served {
		var claims jwt.MapClaims
		_, _, err := jwt.NewParser().ParseUnverified(bearer(r.Header.Get("Authorization")), &claims)
		if tid, ok := claims["tid"].(string); err == nil && ok {
			name = tid
		}
	}
	for _, t := range c {
		if t.authority != nil && strings.TrimSpace(name) != "" && t.authority.answersTo(name) {
			return t
		}
	}
	return c[0]
}
