package queue

import (
	"math"
	"time"
)

// instant is a point in time as entries hold it: nanoseconds since 1970, 0 for none.
// There are those of the years 1678 to 2261; what is earlier or later is taken for the
// first or the last of them.
type instant int64

var firstInstant, lastInstant = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

func instantOf(t time.Time) instant {
	switch {
	case t.IsZero():
		return 0
	case t.Before(firstInstant):
		return math.MinInt64
	case t.After(lastInstant):
		return math.MaxInt64
	}
	return instant(t.UnixNano())
}

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// over tells whether the instant is there and past, or now.
func (i instant) over(now time.Time) bool { return i != 0 && i <= instantOf(now) }

// plus returns the instant a duration later.
func (i instant) plus(d time.Duration) instant {
	if later := i + instant(d); later >= i {
		return later
	}
	return math.MaxInt64
}
