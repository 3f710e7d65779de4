package ledger_test

import (
	"path/filepath"
	"testing"

	"github.com/muster-mfa/muster/ledger"
)

func BenchmarkAppend(b *testing.B) {
	f, _, err := ledger.Open(filepath.Join(b.TempDir(), "l"), ledger.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f.Append(record(1)); err != nil {
				b.Error(err)
			}
		}
	})
}
