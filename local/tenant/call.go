package tenant

import (
	"net/http"
	"net/url"
	"time"
)

// call is one request to the service: an HTTP request of its own, or a part of
// a $batch.
type call struct {
	method  string
	version string // v1.0 or beta
	path    []string
	query   url.Values
	header  func(name string) string
	body    []byte
	// base is scheme, host and version, as links and contexts show them.
	base    string
	inBatch bool
	// caller is who the token was issued to, nil where no tokens are checked.
	caller *caller
	// documentedOnly refuses a $select of what is in no documentation.
	documentedOnly bool
	ids            requestIDs

	// operation, user and id are filled in by routing: what is asked, of whom
	// as the request addressed them, and the id of the method.
	operation *operation
	user, id  string
	sight     sight
	dice      dice
}

// reply is what the service answers.
type reply struct {
	status  int
	headers headers
	body    []byte
	// contentType is empty for JSON.
	contentType string
	// delay holds the reply back, and cut drops the connection in its place.
	delay time.Duration
	cut   bool
}

// headers are the reply headers that tell of more than the body; empty ones are
// not sent.
type headers struct {
	allow               string
	authenticate        string
	limitPercentage     string
	resourceUnit        string
	retryAfter          string
	throttleInformation string
	throttleScope       string
}

// each calls set for every header that is there.
func (h *headers) each(set func(name, value string)) {
	for _, x := range [...]struct{ name, value string }{
		{"Allow", h.allow},
		{"Www-Authenticate", h.authenticate},
		{"X-Ms-Throttle-Limit-Percentage", h.limitPercentage},
		{"X-Ms-Resource-Unit", h.resourceUnit},
		{"Retry-After", h.retryAfter},
		{"X-Ms-Throttle-Information", h.throttleInformation},
		{"X-Ms-Throttle-Scope", h.throttleScope},
	} {
		if x.value != "" {
			set(x.name, x.value)
		}
	}
}

// ok is a 200 with a body.
func ok(body []byte) reply { return reply{status: http.StatusOK, body: body} }

// requestIDs are the ids that a reply carries in headers and, where it is an
// error, in the body.
type requestIDs struct{ request, client string }
