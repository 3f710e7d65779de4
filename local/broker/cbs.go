package broker

import (
	"fmt"
	"net/http"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// The types of token that $cbs may take.
const (
	tokenSAS = "servicebus.windows.net:sastoken"
	tokenJWT = "jwt"
)

// cbs are the links of a connection to $cbs, of which Service Bus allows one in each
// direction. A client that has lost sight of one is to begin anew.
type cbs struct{ in, out *link }

func (c *cbs) take(l *link, way Rights) *wire.Error {
	place := &c.in
	if way == RightListen {
		place = &c.out
	}
	if *place != nil {
		return refuse(wire.CondNotAllowed, "There is a link to $cbs in this direction already; a connection has one.")
	}
	*place = l
	return nil
}

func (c *cbs) leave(l *link) {
	if c.in == l {
		c.in = nil
	}
	if c.out == l {
		c.out = nil
	}
}

// putToken answers a request to $cbs. The token is looked at before the
// audience: what exists is told only to those who hold a key. The replies name no
// error: the client for Python drops the status and its description where one does.
func (l *link) putToken(r request) reply {
	c := l.session.conn
	if r.operation != "put-token" {
		return reply{status: http.StatusNotImplemented, description: fmt.Sprintf("operation %q is not supported", r.operation)}
	}
	audience := r.text("name")
	if len(audience) > maxName {
		return reply{status: http.StatusUnauthorized, description: errTokenAudience.Error()}
	}
	token, _ := r.body.(string)
	given, err := c.server.checkAny(r.text("type"), token, audience)
	if err != nil {
		c.report("token refused", "audience", audience, "cause", err)
		return reply{status: http.StatusUnauthorized, description: err.Error()}
	}
	a := parseAddress(audience)
	if _, ok := c.server.catalog.find(a.entity); !ok && !a.cbs && a.path() != "" {
		return reply{status: http.StatusNotFound, description: notFound(audience)}
	}
	c.grants[a.path()] = given
	c.watchTokens()
	return reply{status: http.StatusAccepted, description: "Accepted"}
}

// checkAny checks a token of any type.
func (s *Server) checkAny(kind, token, audience string) (grant, error) {
	switch {
	case kind == tokenSAS:
		return s.checkToken(token, audience)
	case kind == tokenJWT && s.options.AcceptJWT:
		// Nobody here knows who signed it, or what its bearer may do.
		return grant{credential{rights: RightManage}, s.options.Now().Add(jwtLifetime)}, nil
	}
	return grant{}, fmt.Errorf("tokens of type %q are not supported", kind)
}

// jwtLifetime is how long a token that isn't looked into is good for.
const jwtLifetime = time.Hour
