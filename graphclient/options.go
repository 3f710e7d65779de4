package graphclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Options configure a [Client]. The zero value lacks only a Credential.
type Options struct {
	// Endpoint is Graph's address without the version, such as those of
	// [Clouds]; it may have a path prefix. Default https://graph.microsoft.com.
	// Plain http is accepted for loopback addresses only.
	Endpoint string
	// Credential supplies tokens; it is asked per tenant. It may be nil only
	// for a loopback http endpoint.
	Credential azcore.TokenCredential
	// Limiter is asked before every attempt and told of throttling. Nil means no
	// budget; Retry-After is then waited out by each call alone.
	Limiter Limiter
	// HTTPClient sends the requests. Redirects are never followed, whatever its
	// CheckRedirect says. Nil means one of our own: up to 256 idle connections
	// to a host and 75 seconds per attempt, since Graph itself gives up on a
	// write to an authentication method only after 60 seconds (Microsoft Entra
	// authentication methods API overview).
	HTTPClient *http.Client
	// RootCAs are trusted in place of the system's by the client that a nil
	// HTTPClient stands for. Nil means the system's.
	RootCAs *x509.CertPool
	// MaxTries is how often a request is sent in the face of trouble other than
	// throttling. Default 4.
	MaxTries int
	// UserAgent is sent as product/version. Default muster.
	UserAgent string
	// Priority is sent as x-ms-throttle-priority. Default: not sent, which Graph
	// takes as Normal.
	Priority Priority
	// TracerProvider and MeterProvider default to the global ones.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Logger receives one debug record per attempt. Nil discards.
	Logger *slog.Logger
}

// Limiter keeps the budget of requests per tenant. It must be safe for
// concurrent use.
type Limiter interface {
	// Wait blocks until the tenant's budget allows so many reads and writes, or
	// ctx ends.
	Wait(ctx context.Context, tenant string, reads, writes int) error
	// Halt reports that Graph throttles the tenant: until d has passed Wait must
	// let nobody through to it. Halt does not block.
	Halt(tenant string, d time.Duration)
}

// Priority says which requests Graph should throttle first when it must
// (Microsoft Graph throttling guidance, header x-ms-throttle-priority). It
// changes no limit.
type Priority string

// The priorities.
const (
	PriorityLow    Priority = "Low"
	PriorityNormal Priority = "Normal"
	PriorityHigh   Priority = "High"
)

const (
	defaultMaxTries  = 4
	defaultUserAgent = "muster"
	attemptTimeout   = 75 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Endpoint == "" {
		o.Endpoint = Clouds()[0].Endpoint
	}
	if o.MaxTries == 0 {
		o.MaxTries = defaultMaxTries
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate reports every fault at once. It expects the defaults to be filled in.
func (o Options) validate() (*url.URL, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	endpoint, err := parseEndpoint(o.Endpoint)
	switch {
	case err != nil:
		fault("endpoint: %w", err)
	case o.Credential == nil && endpoint.Scheme != "http":
		fault("credential: none given, and only a loopback http endpoint needs none")
	}
	if o.MaxTries < 0 {
		fault("max tries: %d is negative", o.MaxTries)
	}
	switch o.Priority {
	case "", PriorityLow, PriorityNormal, PriorityHigh:
	default:
		fault("priority: %q is not Low, Normal or High", o.Priority)
	}
	if strings.ContainsFunc(o.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		fault("user agent: holds something else than printable ASCII")
	}
	return endpoint, errors.Join(faults...)
}

// parseEndpoint refuses every address to which a token must not be sent.
func parseEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must be scheme, host and path only")
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, fmt.Errorf("%s is plain http and not loopback: a token would travel in the clear", u.Host)
	default:
		return nil, fmt.Errorf("scheme %q is not https", u.Scheme)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
