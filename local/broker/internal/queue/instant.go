package queue

import (
	"math"
	"time"
)

// instant is a point in time as entries hold it: nanoseconds since 1970, 0 for none.
// It ends in the year 2262; what is later is taken for that.
type instant int64

var lastInstant = time.Unix(0, math.MaxInt64)

func instantOf(t time.Time) instant {
	switch {
	case t.IsZero():
		return 0
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
