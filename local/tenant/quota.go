package tenant

import (
	"math"
	"strconv"
	"sync"
	"time"
)

// cost is what one request takes from the quotas (Microsoft Graph, throttling
// limits: ResourceUnits per request, one write for what is no GET, and for
// reports and sign-in logs 5 requests in 10 s).
type cost struct {
	units          int
	writes         int
	authentication bool // a path below users/{id}/authentication
	report         bool // a report or the sign-in log
}

// quota is the set of token buckets of one application in one tenant.
type quota struct {
	mu      sync.Mutex
	units   bucket
	writes  bucket
	strict  bucket
	reports bucket
	limited bool
}

// quotaForSize is the quota of a tenant with that many users.
func quotaForSize(users int) Quota {
	switch {
	case users < 50:
		return QuotaSmall
	case users <= 500:
		return QuotaMedium
	}
	return QuotaLarge
}

func newQuota(q Quota, now time.Time) *quota {
	units := map[Quota]float64{QuotaSmall: 3500, QuotaMedium: 5000, QuotaLarge: 8000, QuotaStrict: 8000}[q]
	limits := &quota{
		limited: q != QuotaUnlimited,
		units:   newBucket(units, 10*time.Second, now),
		writes:  newBucket(3000, 150*time.Second, now),
		reports: newBucket(5, 10*time.Second, now),
	}
	if q == QuotaStrict {
		limits.strict = newBucket(5, 10*time.Second, now)
	}
	return limits
}

// admission is the answer of the quotas to one request.
type admission struct {
	refused bool
	// wait is what Retry-After says where the request is refused: whole seconds.
	wait time.Duration
	// scope and information are the values of x-ms-throttle-scope (its middle
	// part) and x-ms-throttle-information.
	scope, information string
	// used is the fullest bucket's use, 1 being where throttling begins.
	used float64
}

// admit charges a request. One that is refused is charged too, as the service
// does it: who knocks without waiting prolongs the wait.
func (q *quota) admit(c cost, now time.Time) admission {
	if !q.limited {
		return admission{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var a admission
	a.charge(&q.units, float64(c.units), now, "ReadWrite", "ResourceUnitLimitExceeded")
	if c.writes > 0 {
		a.charge(&q.writes, float64(c.writes), now, "Write", "WriteLimitExceeded")
	}
	if c.report {
		a.charge(&q.reports, 1, now, "ReadWrite", "ResourceUnitLimitExceeded")
	}
	if c.authentication && q.strict.size > 0 {
		a.charge(&q.strict, 1, now, "ReadWrite", "ResourceUnitLimitExceeded")
	}
	return a
}

func (a *admission) charge(b *bucket, tokens float64, now time.Time, scope, information string) {
	wait := b.take(tokens, now)
	a.used = max(a.used, b.used())
	if wait <= 0 {
		return
	}
	a.refused = true
	if wait > a.wait {
		a.wait, a.scope, a.information = wait, scope, information
	}
}

// bucket is a token bucket that may run into a debt of one second's refill.
type bucket struct {
	size      float64
	perSecond float64
	tokens    float64
	filled    time.Time
}

func newBucket(size float64, period time.Duration, now time.Time) bucket {
	return bucket{size: size, perSecond: size / period.Seconds(), tokens: size, filled: now}
}

// take charges tokens and returns how long to wait where there were too few,
// rounded up to whole seconds.
func (b *bucket) take(tokens float64, now time.Time) time.Duration {
	if passed := now.Sub(b.filled).Seconds(); passed > 0 {
		b.tokens = min(b.size, b.tokens+passed*b.perSecond)
		b.filled = now
	}
	if b.tokens >= tokens {
		b.tokens -= tokens
		return 0
	}
	b.tokens = max(b.tokens-tokens, -b.perSecond)
	seconds := math.Ceil((tokens - b.tokens) / b.perSecond)
	return time.Duration(max(seconds, 1)) * time.Second
}

// used returns the part of the limit that is used up, at most 1.8.
func (b *bucket) used() float64 { return min((b.size-b.tokens)/b.size, 1.8) }

// throttleHeaders sets what a reply tells about the quotas; the share that is
// used is told from 0.8 upwards (Microsoft Graph, throttling guidance, "Sample
// response").
func (a admission) throttleHeaders(h *headers) {
	if a.used >= 0.8 {
		h.limitPercentage = strconv.FormatFloat(a.used, 'f', 2, 64)
	}
	if a.refused {
		h.retryAfter = strconv.Itoa(int(a.wait / time.Second))
		h.throttleScope = "Tenant_Application/" + a.scope + "/" + applicationID + "/" + tenantID
		h.throttleInformation = a.information
	}
}

// The ids of the one application and the one tenant, as x-ms-throttle-scope
// shows them.
const (
	applicationID = "7a6c0b0e-1f0d-5c8e-9a55-0d3f1f0c2b11"
	tenantID      = "5d1f3c52-8f0e-5a5c-8b43-b9a7a1f3c0de"
)
