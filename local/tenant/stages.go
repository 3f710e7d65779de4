package tenant

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// This file is the road that every call takes, alone or as part of a $batch.

// answer takes one call, single or part of a $batch, through all stages:
// routing, denials, quotas, faults, directory.
func (t *Tenant) answer(c *call, escapedPath, rawQuery string) reply {
	var err error
	if c.query, err = url.ParseQuery(rawQuery); err != nil {
		return t.refuse(c, badRequest("The query string is malformed."))
	}
	c.documentedOnly = t.documentedOnly
	var wellFormed bool
	if c.path, wellFormed = splitPath(escapedPath); !wellFormed {
		return t.refuse(c, badRequest("The path is malformed."))
	}
	if no := c.route(); no != nil {
		return t.refuse(c, no)
	}
	no := c.permitted()
	if no == nil {
		no = t.denials.of(c.operation.name)
	}
	if no != nil {
		t.tally.count(func(s *Stats) { s.Denied++ })
		return t.refuse(c, no)
	}
	price := c.price()
	admitted := t.quota.admit(price, c.sight.now)
	var rep reply
	if admitted.refused {
		t.tally.count(func(s *Stats) { s.Throttled++ })
		rep = t.refuse(c, refuse(http.StatusTooManyRequests, "TooManyRequests", "Too many requests."))
	} else {
		rep = t.perform(c)
	}
	admitted.throttleHeaders(&rep.headers)
	rep.headers.resourceUnit = strconv.Itoa(price.units)
	return rep
}

// price is what the call costs: $select saves a unit, $expand costs one, a
// page below 20 saves one, and nothing costs less than one (throttling limits,
// "Identity and access").
func (c *call) price() cost {
	price := c.operation.cost
	if c.operation.name == "users.list" {
		price.units = 2
	}
	if c.query.Has("$select") {
		price.units--
	}
	if c.query.Has("$expand") {
		price.units++
	}
	if top, err := strconv.Atoi(c.query.Get("$top")); err == nil && top < 20 {
		price.units--
	}
	price.units = max(price.units, 1)
	return price
}

// perform lets the fault that is due befall the call, and the directory answer
// what survives it.
func (t *Tenant) perform(c *call) reply {
	t.tally.count(func(s *Stats) {
		if c.operation.writes() {
			s.Writes++
		} else {
			s.Reads++
		}
	})
	f := t.misfortune(c)
	if !f.landed {
		return t.failed(c, f)
	}
	rep := c.operation.run(t, c)
	if f.name == "" || f.name == faultSlow {
		rep.delay = f.delay
		return rep
	}
	return t.failed(c, f)
}

// misfortune draws what befalls the call.
func (t *Tenant) misfortune(c *call) fault {
	f := fault{landed: true}
	if !t.faulty {
		return f
	}
	user := strings.ToLower(c.user)
	if c.operation.name == "users.list" {
		user = c.query.Encode()
	}
	c.dice = t.dice.next(c.operation.name, user, func(d *dice, k *kind) {
		f = t.probabilities.draw(d, k, c.sight.now)
	})
	c.sight.dice, c.sight.stale = &c.dice, t.probabilities.Stale
	if f.name == faultSlow && c.inBatch {
		f = fault{landed: true}
	}
	if f.name != "" {
		t.tally.fault(f.name)
	}
	return f
}

// failed is the reply to a call that a fault befell. The part of a $batch has
// no connection of its own that could be cut.
func (t *Tenant) failed(c *call, f fault) reply {
	if f.name == faultThrottled {
		t.tally.count(func(s *Stats) { s.Throttled++ })
	}
	if !c.inBatch && (f.name == faultReset || f.name == faultLostReply) {
		return reply{cut: true, status: http.StatusGatewayTimeout}
	}
	if f.name == faultReset {
		f.name = faultTimeout
	}
	if f.name == faultBadGateway && f.odd && !c.inBatch {
		return reply{
			status: http.StatusBadGateway, contentType: "text/html",
			body: []byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\r\n"),
		}
	}
	rep := t.refuse(c, f.refusal())
	rep.headers.retryAfter = f.retryAfter
	if f.name == faultThrottled {
		rep.headers.throttleScope = "Tenant_Application/ReadWrite/" + applicationID + "/" + tenantID
		rep.headers.throttleInformation = "CPULimitExceeded"
	}
	return rep
}

// refused renders a refusal.
func (t *Tenant) refused(no *refusal, ids requestIDs) reply {
	rep := reply{status: no.status, body: no.envelope(t.now(), ids)}
	rep.headers.allow = no.allow
	if no.status == http.StatusUnauthorized {
		rep.headers.authenticate = `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`
	}
	return rep
}
