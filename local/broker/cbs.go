package broker

import (
	"fmt"
	"net/http"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// tokenSAS is the type of token that $cbs takes.
const tokenSAS = "servicebus.windows.net:sastoken"

// grants are the audiences that the peer has put valid tokens for, and when
// those expire. Only audiences that exist get in, so a peer can't make the map
// grow.
type grants map[string]time.Time

// allow tells whether a token covers the address.
func (g grants) allow(a address, now time.Time) bool {
	for audience, expires := range g {
		if a.covers(audience) && now.Before(expires) {
			return true
		}
	}
	return false
}

// putToken answers a request to $cbs. The token is looked at before the
// audience: what exists is told only to those who hold a key.
func (l *link) putToken(r request) reply {
	c := l.session.conn
	if r.operation != "put-token" {
		return reply{
			status:      http.StatusNotImplemented,
			description: fmt.Sprintf("operation %q is not supported", r.operation),
			condition:   wire.CondNotImplemented,
		}
	}
	if kind := r.text("type"); kind != tokenSAS {
		return unauthorized(fmt.Sprintf("tokens of type %q are not supported", kind))
	}
	audience := r.text("name")
	token, _ := r.body.(string)
	expires, err := c.server.checkToken(token, audience)
	if err != nil {
		c.log.Info("token refused", "audience", audience, "cause", err)
		return unauthorized(err.Error())
	}
	a := parseAddress(audience)
	if _, ok := c.server.catalog.find(a.entity); !ok && !a.cbs && a.path() != "" {
		return reply{
			status:      http.StatusNotFound,
			description: notFound(audience),
			condition:   wire.CondNotFound,
		}
	}
	c.grants[a.path()] = expires
	return reply{status: http.StatusAccepted, description: "Accepted"}
}

func unauthorized(description string) reply {
	return reply{
		status:      http.StatusUnauthorized,
		description: description,
		condition:   wire.CondUnauthorizedAccess,
	}
}
