package servicebus

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

var iso8601 = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// parseDuration reads a duration as Service Bus tells it. One that is absent or
// longer than a Go duration can be has no end, which is 0.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	parts := iso8601.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	seconds := 0.0
	for i, unit := range []float64{24 * 3600, 3600, 60, 1} {
		if n, err := strconv.ParseFloat(parts[i+1], 64); err == nil {
			seconds += n * unit
		}
	}
	if seconds > math.MaxInt64/float64(time.Second)/2 {
		return 0, nil
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), nil
}

// duration writes one as Service Bus takes it, nil for 0.
func duration(d time.Duration) *string {
	if d == 0 {
		return nil
	}
	return new("PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S")
}
