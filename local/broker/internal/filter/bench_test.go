package filter

import (
	"fmt"
	"testing"
)

// usual are expressions as topics have them, none of which may allocate.
var usual = []string{
	"color='blue' AND quantity=10",
	"sys.Label LIKE '%bus%' OR user.tag IN ('queue', 'topic', 'subscription')",
	"sys.To IN ('Store5','Store6','Store7') OR StoreId = 'Store8'",
	"quantity * 2 > 15 AND price < 3.5 AND NOT EXISTS(deleted)",
	"missing IS NULL AND symbol = 'sym' AND sys.SequenceNumber >= 1",
	"p('color') = @blue AND started < ended",
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	m := order1()
	label := "the bus stops"
	filters := []Filter{True, False, Correlation{Label: &label, Properties: map[string]any{"Color": "blue"}}.Filter()}
	for _, expression := range usual {
		f, err := ParseSQL(expression, given)
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	for i, f := range filters {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := f.Matches(m); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("filter %d allocates %v times", i, n)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	m := order1()
	for _, expression := range usual {
		f, err := ParseSQL(expression, given)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(expression[:12], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Matches(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTopic decides for 100 subscriptions who gets a message; one operation is
// one message.
func BenchmarkTopic(b *testing.B) {
	b.Run("SQL", func(b *testing.B) {
		benchmarkTopic(b, func(i int) Filter {
			f, err := ParseSQL(fmt.Sprintf("color='blue' AND quantity=%d", i), nil)
			if err != nil {
				b.Fatal(err)
			}
			return f
		})
	})
	b.Run("correlation", func(b *testing.B) {
		benchmarkTopic(b, func(i int) Filter {
			id := fmt.Sprintf("abc-%d", i)
			return Correlation{CorrelationID: &id, Properties: map[string]any{"color": "blue"}}.Filter()
		})
	})
}

func benchmarkTopic(b *testing.B, filter func(i int) Filter) {
	filters := make([]Filter, 100)
	for i := range filters {
		filters[i] = filter(i)
	}
	m := order1()
	b.ReportAllocs()
	for b.Loop() {
		wanted := 0
		for _, f := range filters {
			if ok, err := f.Matches(m); ok && err == nil {
				wanted++
			}
		}
		if wanted != 1 {
			b.Fatalf("%d subscriptions want the message", wanted)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSQL(usual[1], nil); err != nil {
			b.Fatal(err)
		}
	}
}
