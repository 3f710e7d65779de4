package bulk_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/bulk"
)

// TestLoadAccountsForEveryRow loads random sheets of good and bad rows and
// checks that each is either in the queue or in the rejects file, once.
func TestLoadAccountsForEveryRow(t *testing.T) {
	cells := [][]string{
		{"anna@contoso.example", "bob@contoso.example", "", "nobody", "\"carl\n@contoso.example\"", "dora@contoso.example"},
		{"0612345678", "+31 612345678", "-", "", "3,1E+10", "+31 900 1234567", "\"06 1 / 06 2\"", "491701234567"},
		{"yes", "no", "", "maybe", "1"},
	}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, seed))
		var b strings.Builder
		b.WriteString("UPN;Mobile;SmsSignIn\n")
		rows := random.IntN(300)
		for range rows {
			var record []string
			for _, column := range cells {
				record = append(record, column[random.IntN(len(column))])
			}
			switch random.IntN(20) {
			case 0:
				record = append(record, "extra")
			case 1:
				record = record[:2]
			}
			fmt.Fprintf(&b, "%s\n", strings.Join(record, ";"))
		}
		r := open(t, b.String())
		var rejects strings.Builder
		o := options()
		o.BatchRows, o.Workers = 1+random.IntN(40), 1+random.IntN(4)
		o.Rejects = bulk.NewRejectsWriter(&rejects, r.Detected())
		q := &queue{t: t}
		got, err := bulk.Load(t.Context(), r, q, o)
		if err != nil {
			t.Fatalf("seed %d: Load: %v", seed, err)
		}
		checkCounts(t, got)
		if got.Rows+got.Blank != rows || got.Accepted != len(q.events) {
			t.Errorf("seed %d: %d rows and %d blank of %d, %d accepted of %d", seed, got.Rows, got.Blank, rows, got.Accepted, len(q.events))
		}
		if written := len(readAll(t, open(t, rejects.String()))); written != got.Rejected {
			t.Errorf("seed %d: %d rejected, %d in the file", seed, got.Rejected, written)
		}
	}
}
