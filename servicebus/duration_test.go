package servicebus

import (
	"testing"
	"time"
)

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"", "PT1M", "P10675199DT2H48M5.4775807S", "P14D", "PT0.0000001S", "P", "PT90061.5S", "P99999999999999999999D"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is %v", text, d)
		}
		written := value(duration(d))
		if again, err := parseDuration(written); err != nil || again.Round(time.Microsecond) != d.Round(time.Microsecond) {
			t.Errorf("%q is %v, and written %q it is %v, %v", text, d, written, again, err)
		}
	})
}
