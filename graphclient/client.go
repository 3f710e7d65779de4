package graphclient

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// Client talks to Microsoft Graph. It is safe for concurrent use and is meant
// to be shared: it owns the connections and the tokens.
type Client struct {
	endpoint  *url.URL
	base      string // endpoint without a slash at its end
	limiter   Limiter
	tokens    *tokens // nil: requests go without
	http      *http.Client
	fresh     *http.Client // opens a connection for every request
	maxTries  int
	userAgent string
	priority  Priority
	tel       *telemetry

	requests, writes, throttled, redundant atomic.Int64
}

// New returns a client, or an error that names every fault of the options.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	endpoint, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("configure graph client: %w", err)
	}
	tel, err := newTelemetry(endpoint, o)
	if err != nil {
		return nil, fmt.Errorf("configure graph client: %w", err)
	}
	c := &Client{
		endpoint:  endpoint,
		base:      endpoint.String(),
		limiter:   o.Limiter,
		maxTries:  o.MaxTries,
		userAgent: o.UserAgent,
		priority:  o.Priority,
		tel:       tel,
	}
	if o.Credential != nil {
		c.tokens = newTokens(o.Credential, endpoint.Scheme+"://"+endpoint.Host+"/.default")
	}
	c.http, c.fresh = httpClients(o.HTTPClient, o.RootCAs)
	return c, nil
}

// Endpoint is Graph's address without the version.
func (c *Client) Endpoint() string { return c.base }

// Close lets go of idle connections. Calls under way are not disturbed.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.fresh.CloseIdleConnections()
}

// Stats counts what was sent to Graph so far.
type Stats struct {
	// Requests counts HTTP requests, each attempt and each $batch as one.
	Requests int64
	// Writes counts changes asked for: every attempt of a request other than
	// GET, and every such part of a $batch.
	Writes int64
	// Throttled counts answers 429 and 503 with Retry-After, parts of a $batch
	// included.
	Throttled int64
	// RedundantWrites counts writes that turned out to be needless: a deletion of
	// what was gone, an addition of what was there, and a change that was sent
	// again because the first reply was lost.
	RedundantWrites int64
}

// Stats returns the counts as of now.
func (c *Client) Stats() Stats {
	return Stats{
		Requests: c.requests.Load(), Writes: c.writes.Load(),
		Throttled: c.throttled.Load(), RedundantWrites: c.redundant.Load(),
	}
}

// Directory is a cheap view of a client on one tenant.
type Directory struct {
	client   *Client
	tenant   string
	priority Priority
}

// Directory returns the view on a tenant, named by its id (a GUID) or one of its
// verified domain names.
func (c *Client) Directory(tenant string) *Directory {
	return &Directory{client: c, tenant: strings.ToLower(tenant), priority: c.priority}
}

// WithPriority returns a view that sends the given priority instead of
// [Options].Priority.
func (d *Directory) WithPriority(p Priority) *Directory {
	other := *d
	other.priority = p
	return &other
}
