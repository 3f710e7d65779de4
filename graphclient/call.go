package graphclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// call is one request to Graph as its noun describes it.
type call struct {
	op      string
	method  string
	version Version
	place   place
	query   string
	// next is the address of a further page, instead of place and query.
	next string
	// advanced asks for Graph's advanced queries by the header ConsistencyLevel.
	// It is sent with every page, since a next link does not carry headers.
	advanced bool
	// body is sent as JSON; nil sends none.
	body any
	// wants: the reply's body is needed, so a success without a readable body is
	// a failure. Only for requests that may be repeated.
	wants         bool
	reads, writes int
	parts         int // of a $batch
	once          bool
	goneIsDone    bool
	// reread looks, with at most so many reads, whether a request in doubt took
	// effect.
	reread func(ctx context.Context, reads int) (landed bool, err error)
	// pace is asked before every attempt, beside the limiter; nil is not asked.
	pace func(context.Context) error
	// fault makes do fail before anything is sent.
	fault *Error
}

// userCall returns a call below /users/{id}; see userPlace.
func userCall(op, method string, v Version, template, user string, ids ...string) call {
	p, err := userPlace(template, user, ids...)
	k := call{op: op, method: method, version: v, place: p}
	k.reads, k.writes = cost(method)
	k.wants = method == http.MethodGet
	if err != nil {
		k.fault = &Error{Op: op, Kind: KindInvalid, Code: CodeUnusableID}
	}
	return k
}

// cost is what a request takes from the tenant's budget (Microsoft Graph
// throttling limits, identity and access: a GET with $select or below a user is
// one unit; a change is one write). The unit of a change never binds before its
// write does, so it is not asked for.
func cost(method string) (reads, writes int) {
	if method == http.MethodGet {
		return 1, 0
	}
	return 0, 1
}

func (k call) encode() ([]byte, error) {
	if k.body == nil {
		return nil, nil
	}
	body, err := json.Marshal(k.body)
	if err != nil {
		return nil, fmt.Errorf("%s: encode request: %w", k.op, err)
	}
	return body, nil
}

func (k call) url(base string) string {
	if k.next != "" {
		return k.next
	}
	u := base + "/" + string(k.version) + k.place.path
	if k.query != "" {
		u += "?" + k.query
	}
	return u
}

// urlTold is url as it may be shown: without the query's values, which hold
// filters and page marks.
func (k call) urlTold(base string) string {
	u := base + "/" + string(k.version) + k.place.told
	if k.query != "" || k.next != "" {
		u += "?" + redacted
	}
	return u
}

func (k call) rule(maxTries int) rule {
	return rule{once: k.once, goneIsDone: k.goneIsDone, maxTries: maxTries}
}
