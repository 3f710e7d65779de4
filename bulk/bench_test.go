package bulk_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
)

// null accepts everything.
type null struct{}

func (null) Send(_ context.Context, events []messages.Event) (int, error) { return len(events), nil }

func benchmarkRows(b *testing.B, work func(r *bulk.Reader)) {
	const rows = 20_000
	text := sheet(rows)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := bulk.NewReader(strings.NewReader(text), bulk.ReaderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		work(r)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkReader(b *testing.B) {
	benchmarkRows(b, func(r *bulk.Reader) { readAll(b, r) })
}

func BenchmarkLoad(b *testing.B) {
	for _, workers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			o := options()
			o.Workers = workers
			benchmarkRows(b, func(r *bulk.Reader) {
				if _, err := bulk.Load(b.Context(), r, null{}, o); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
