package graphclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxBatch is how many parts a $batch may have (Microsoft Graph, Combine
// multiple HTTP requests using JSON batching).
const MaxBatch = 20

// Part is one request of a $batch.
type Part struct {
	// Method is GET, POST, PATCH or DELETE.
	Method string
	// Path is where it goes, below the version and percent-encoded, such as
	// [UserPath] makes it; a query may follow.
	Path string
	// Body is sent as JSON. Nil sends none, and {} with a POST, which must not
	// be empty here.
	Body any
	// DependsOn holds the indices of parts that must succeed before this one.
	// They must be lower than its own.
	DependsOn []int
	// Repeatable says that a POST may be sent again while it is unknown whether
	// it took effect. The other methods always may.
	Repeatable bool
}

// Reply is what came of one part.
type Reply struct {
	// StatusCode is zero where no reply to the part arrived.
	StatusCode int
	Header     http.Header
	// Body is the part's JSON. Do not log it.
	Body json.RawMessage
	// Err is an *Error where the part did not succeed, or the error of the
	// context that ended before it did. A part that fails because one that it
	// depends on failed (status 424) has that one's Kind. A DELETE of what is
	// gone (404) is a success.
	Err error
}

// Batch sends up to [MaxBatch] requests in one and returns their replies in the
// order of the parts. All parts are of one version. POST /$batch.
//
// Parts that were throttled or met passing trouble are sent again, and only
// they, as single requests would be. A POST in doubt is not, unless it is
// Repeatable: its Err is then of KindThrottled or KindTransient, and the caller
// must look whether it took effect. The error is not nil only where no part was
// answered at all.
func (d *Directory) Batch(ctx context.Context, v Version, parts []Part) ([]Reply, error) {
	if err := validateBatch(v, parts); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	b := batch{
		parts: parts, replies: make([]Reply, len(parts)), histories: make([]history, len(parts)),
		maxTries: d.client.maxTries, answered: len(parts) == 0,
	}
	for i := range parts {
		b.pending = append(b.pending, i)
	}
	for len(b.pending) > 0 {
		r, err := d.do(ctx, b.call(v))
		if err != nil {
			return b.abandon(err)
		}
		wait := b.take(r, time.Now(), rand.Float64())
		if slices.ContainsFunc(b.replies, func(r Reply) bool { return KindOf(r.Err) == KindForbidden }) {
			d.client.tokens.forbidden(ctx, d.tenant, r.token)
		}
		if err := d.waitForParts(ctx, wait); err != nil {
			return b.abandon(err)
		}
	}
	return b.replies, nil
}

// waitForParts waits as the parts of one reply demand together.
func (d *Directory) waitForParts(ctx context.Context, w partsWait) error {
	for _, h := range w.throttled {
		d.client.throttled.Add(1)
		d.client.tel.throttled(ctx, h)
	}
	if len(w.throttled) > 0 && d.client.limiter != nil {
		d.client.limiter.Halt(d.tenant, w.halt)
		w.halt = 0
	}
	return pause(ctx, "batch", max(w.halt, w.pause))
}

// UserPath returns the path of something below a user, for a [Part]: rest is as
// in /authentication/phoneMethods, percent-encoded where need be.
func UserPath(userID, rest string) (string, error) {
	key, err := userKey(userID)
	if err != nil {
		return "", &Error{Op: "make path", Kind: KindInvalid, Code: CodeUnusableID}
	}
	return "/users" + key + rest, nil
}

// validateBatch reports every fault at once. It names parts by their index only:
// a path can hold a principal name.
func validateBatch(v Version, parts []Part) error {
	var faults []error
	if v != V1 && v != Beta {
		faults = append(faults, fmt.Errorf("unknown version %q", v))
	}
	if len(parts) > MaxBatch {
		faults = append(faults, fmt.Errorf("%d parts, but %d is the most", len(parts), MaxBatch))
	}
	for i, p := range parts {
		for _, fault := range p.faults(i) {
			faults = append(faults, fmt.Errorf("part %d: %s", i, fault))
		}
	}
	return errors.Join(faults...)
}

func (p Part) faults(i int) []string {
	var faults []string
	switch p.Method {
	case http.MethodGet:
		if p.Body != nil {
			faults = append(faults, "GET with a body")
		}
	case http.MethodPost, http.MethodPatch, http.MethodDelete:
	default:
		faults = append(faults, "method is not GET, POST, PATCH or DELETE")
	}
	if !strings.HasPrefix(p.Path, "/") || strings.HasPrefix(p.Path, "//") ||
		strings.ContainsFunc(p.Path, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '\\' }) {
		faults = append(faults, "path is not a percent-encoded path below the version")
	}
	for _, on := range p.DependsOn {
		if on < 0 || on >= i {
			faults = append(faults, "depends on a part that is not before it")
		}
	}
	return faults
}

func (p Part) rule(maxTries int) rule {
	return rule{
		once:       p.Method == http.MethodPost && !p.Repeatable,
		goneIsDone: p.Method == http.MethodDelete,
		maxTries:   maxTries,
	}
}
