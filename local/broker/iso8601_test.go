package broker

import (
	"testing"
	"time"
)

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"PT1M", "P1DT6H", "PT0.5S", unbounded, "P", "PT", "P1Y", "-PT1S", "PT1M1H", "", "P99999999DT999999999H"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err != nil {
			return
		}
		if again, err := parseDuration(formatDuration(d)); err != nil || again != d {
			t.Errorf("%q is %v, and written %q it is %v, %v", text, d, formatDuration(d), again, err)
		}
	})
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1M": time.Minute, "P1DT6H": 30 * time.Hour, "PT0.5S": 500 * time.Millisecond, "P14D": 14 * 24 * time.Hour,
		"PT90S": 90 * time.Second, unbounded: 0, "PT1H2M3.25S": time.Hour + 2*time.Minute + 3250*time.Millisecond,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "1M", "P1Y", "P1M", "PT1M1H", "-PT1M", "PT1.5M", "P1DT"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q = %v, want an error", text, got)
		}
	}
}
