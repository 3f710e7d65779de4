package tenant

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Probabilities says how often which fault befalls a request, each from 0 to
// 1. A request meets at most one of the faults from Throttle to Slow. The zero
// value is a service without faults.
type Probabilities struct {
	// Throttle begins a burst of 1 to BurstMax replies 429, in the requests
	// of that kind, although no quota is used up.
	Throttle float64
	// ServerError answers 500, 502, 503 or 504, in equal parts. Half of the
	// writes that are answered 504 have been carried out.
	ServerError float64
	// ResetBefore cuts the connection before the request is carried out.
	ResetBefore float64
	// LostReply carries the request out and then cuts the connection. Within a
	// $batch, where a part has no connection, the part is answered 504.
	LostReply float64
	// Slow carries the request out and answers after SlowMin to SlowMax.
	Slow float64
	// Stale lets a read within the lag of a write show what was before it.
	Stale float64
	// EmptyPage lets a listing of users answer with a page without users and a
	// link to the next one.
	EmptyPage float64
	// Odd is the share of faults in an odd dress: a Retry-After with a decimal
	// point or as a date, an error whose code is empty, a 502 that is HTML.
	Odd float64

	// BurstMax is the longest burst of 429 replies, at most 255.
	BurstMax int
	// RetryAfterMax bounds the Retry-After of a fault; it is at least 1 s.
	RetryAfterMax time.Duration
	// SlowMin and SlowMax bound the delay of a slow reply.
	SlowMin, SlowMax time.Duration
}

// Probabilities returns what the level stands for. A request meets a fault in
// about 2.4 % (default) or 16 % (harsh) of all cases; an unknown level has none.
func (f Faults) Probabilities() Probabilities {
	switch f {
	case FaultsDefault:
		return Probabilities{
			Throttle: 0.0015, ServerError: 0.004, ResetBefore: 0.003, LostReply: 0.004, Slow: 0.012,
			Stale: 0.25, EmptyPage: 0.02, Odd: 0.25,
			BurstMax: 2, RetryAfterMax: time.Second, SlowMin: 50 * time.Millisecond, SlowMax: 300 * time.Millisecond,
		}
	case FaultsHarsh:
		return Probabilities{
			Throttle: 0.02, ServerError: 0.05, ResetBefore: 0.02, LostReply: 0.03, Slow: 0.04,
			Stale: 0.6, EmptyPage: 0.2, Odd: 0.5,
			BurstMax: 4, RetryAfterMax: 5 * time.Second, SlowMin: 100 * time.Millisecond, SlowMax: 1900 * time.Millisecond,
		}
	}
	return Probabilities{}
}

// lag returns for how long reads may be stale at that level.
func (f Faults) lag() time.Duration {
	switch f {
	case FaultsDefault:
		return 500 * time.Millisecond
	case FaultsHarsh:
		return 3 * time.Second
	}
	return 0
}

// registrationLag returns how old the registration report may be at that level.
func (f Faults) registrationLag() time.Duration {
	switch f {
	case FaultsDefault:
		return 5 * time.Minute
	case FaultsHarsh:
		return 24 * time.Hour
	}
	return 0
}

func (p *Probabilities) validate() error {
	var faults []error
	for _, x := range []struct {
		name  string
		value float64
	}{
		{"Throttle", p.Throttle}, {"ServerError", p.ServerError}, {"ResetBefore", p.ResetBefore},
		{"LostReply", p.LostReply}, {"Slow", p.Slow}, {"Stale", p.Stale}, {"EmptyPage", p.EmptyPage}, {"Odd", p.Odd},
	} {
		if !(x.value >= 0 && x.value <= 1) {
			faults = append(faults, fmt.Errorf("probability %s is not from 0 to 1", x.name))
		}
	}
	if p.SlowMin < 0 || p.SlowMax < p.SlowMin {
		faults = append(faults, errors.New("SlowMin and SlowMax are not in order"))
	}
	return errors.Join(faults...)
}

// fault is what befalls a request. The zero value is nothing.
type fault struct {
	name faultName
	// landed tells that the request is carried out all the same.
	landed     bool
	delay      time.Duration
	retryAfter string
	odd        bool
}

// faultName says which fault it is, as [Stats] counts it.
type faultName string

const (
	faultThrottled   faultName = "throttled"
	faultInternal    faultName = "internalServerError"
	faultBadGateway  faultName = "badGateway"
	faultUnavailable faultName = "serviceUnavailable"
	faultTimeout     faultName = "gatewayTimeout"
	faultReset       faultName = "resetBefore"
	faultLostReply   faultName = "lostReply"
	faultSlow        faultName = "slow"
	faultStale       faultName = "stale"
	faultEmptyPage   faultName = "emptyPage"
)

// draw decides what befalls the request that the dice belong to.
func (p *Probabilities) draw(d *dice, k *kind, now time.Time) fault {
	x := d.fraction()
	in := func(probability float64) bool {
		x -= probability
		return x < 0
	}
	odd := d.chance(p.Odd)
	switch {
	case k.burst > 0:
		k.burst--
		return fault{name: faultThrottled, retryAfter: p.retryAfter(d, odd, now), odd: odd}
	case in(p.Throttle):
		k.burst = uint8(d.below(min(max(p.BurstMax, 1), 255)))
		return fault{name: faultThrottled, retryAfter: p.retryAfter(d, odd, now), odd: odd}
	case in(p.ServerError):
		return p.serverError(d, odd, now)
	case in(p.ResetBefore):
		return fault{name: faultReset}
	case in(p.LostReply):
		return fault{name: faultLostReply, landed: true}
	case in(p.Slow):
		return fault{name: faultSlow, landed: true, delay: d.between(p.SlowMin, p.SlowMax)}
	}
	return fault{landed: true}
}

func (p *Probabilities) serverError(d *dice, odd bool, now time.Time) fault {
	names := [...]faultName{faultInternal, faultBadGateway, faultUnavailable, faultTimeout}
	f := fault{name: names[d.below(len(names))], odd: odd}
	switch f.name {
	case faultUnavailable:
		f.retryAfter = p.retryAfter(d, odd, now)
	case faultTimeout:
		f.landed = d.chance(0.5)
	}
	return f
}

// retryAfter renders a Retry-After in one of the forms that clients meet: whole
// seconds; when odd, seconds with a decimal point, or a date, which is rounded
// up because it counts in seconds.
func (p *Probabilities) retryAfter(d *dice, odd bool, now time.Time) string {
	wait := d.between(time.Second, p.RetryAfterMax+time.Millisecond)
	if !odd {
		return strconv.Itoa(int(wait / time.Second))
	}
	if d.chance(0.5) {
		return strconv.FormatFloat(wait.Seconds(), 'f', 3, 64)
	}
	return now.Add(wait + time.Second - time.Nanosecond).UTC().Format(http.TimeFormat)
}

// refusal is the error reply of a fault, nil for a fault that has none.
func (f fault) refusal() *refusal {
	var no *refusal
	switch f.name {
	case faultThrottled:
		no = refuse(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	case faultInternal:
		no = refuse(http.StatusInternalServerError, "generalException", "An internal server error occurred while processing the request.")
	case faultBadGateway:
		no = refuse(http.StatusBadGateway, "UnknownError", "Bad gateway.")
	case faultUnavailable:
		no = refuse(http.StatusServiceUnavailable, "serviceNotAvailable", "The service is temporarily unavailable. Try again later.")
	case faultTimeout, faultLostReply:
		no = refuse(http.StatusGatewayTimeout, "timeout", "The request timed out.")
	default:
		return nil
	}
	if f.odd {
		no.code = ""
	}
	return no
}
