package broker

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// unbounded is how Service Bus writes a time span without end: the longest that
// .NET has.
const unbounded = "P10675199DT2H48M5.4775807S"

var iso8601 = regexp.MustCompile(`^P(?:(\d{1,8})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$`)

// parseDuration reads an ISO 8601 duration of days, hours, minutes and seconds. One
// that is longer than a Go duration can be has no bound, which is 0.
func parseDuration(text string) (time.Duration, error) {
	parts := iso8601.FindStringSubmatch(text)
	if parts == nil || strings.HasSuffix(text, "T") || text == "P" {
		return 0, fmt.Errorf("%q is no duration such as PT1M", text)
	}
	seconds := 0.0
	for i, unit := range []float64{24 * 3600, 3600, 60, 1} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, fmt.Errorf("read duration: %w", err)
		}
		seconds += n * unit
	}
	if seconds > math.MaxInt64/float64(time.Second)/2 {
		return 0, nil
	}
	return time.Duration(math.Round(seconds*1e7)) * 100, nil
}

// parsePositive is parseDuration for one that is longer than nothing.
func parsePositive(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && d == 0 && !wholeSeconds(text) {
		return 0, fmt.Errorf("%q must be longer than nothing", text)
	}
	return d, err
}

// parseBounded is parsePositive for one that has a bound: where it has none, it is the
// longest that there is, and too long.
func parseBounded(text string) (time.Duration, error) {
	d, err := parsePositive(text)
	if err == nil && d == 0 {
		d = math.MaxInt64
	}
	return d, err
}

// wholeSeconds tells a duration that has no bound from none at all, which are both 0.
func wholeSeconds(text string) bool {
	whole, _, _ := strings.Cut(text, ".")
	return strings.ContainsAny(whole, "123456789")
}

// formatDuration is the reverse; 0 has no bound.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return unbounded
	}
	var b strings.Builder
	b.WriteByte('P')
	if days := d / (24 * time.Hour); days > 0 {
		fmt.Fprintf(&b, "%dD", days)
		d %= 24 * time.Hour
	}
	if d == 0 {
		return b.String()
	}
	b.WriteByte('T')
	if hours := d / time.Hour; hours > 0 {
		fmt.Fprintf(&b, "%dH", hours)
	}
	if minutes := d % time.Hour / time.Minute; minutes > 0 {
		fmt.Fprintf(&b, "%dM", minutes)
	}
	if seconds := d % time.Minute; seconds > 0 {
		fmt.Fprintf(&b, "%sS", strconv.FormatFloat(seconds.Seconds(), 'f', -1, 64))
	}
	return b.String()
}
