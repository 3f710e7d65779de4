package bulk_test

import (
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/bulk"
)

// TestReaderAgreesWithCSV draws rows from the few characters that matter.
func TestReaderAgreesWithCSV(t *testing.T) {
	const draws, seed = 5_000, 3
	random := rand.New(rand.NewPCG(seed, seed))
	compared := 0
	for range draws {
		var b strings.Builder
		b.WriteString("UPN,Mobile\n")
		for range random.IntN(16) {
			b.WriteByte("a\"\",\n\r="[random.IntN(7)])
		}
		if checkAgreesWithCSV(t, b.String()) {
			compared++
		}
	}
	if compared < draws/4 {
		t.Errorf("%d of %d draws had all quotes closed: too few to say anything", compared, draws)
	}
}

// checkAgreesWithCSV compares the rows of a text with those of encoding/csv
// alone. It reports false for a text with a quote that is not closed, where
// they must differ.
func checkAgreesWithCSV(t *testing.T, text string) bool {
	t.Helper()
	var got [][]string
	for _, row := range readAll(t, open(t, text)) {
		if row.Fault != nil && row.Fault.Reason == bulk.ReasonUnclosedQuote {
			return false
		}
		got = append(got, row.Cells)
	}
	c := csv.NewReader(strings.NewReader(text))
	c.FieldsPerRecord, c.LazyQuotes = -1, true
	var want [][]string
	for header := true; ; header = false {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("csv.Read: %v", err)
		}
		if !header && strings.TrimSpace(strings.Join(record, "")) != "" {
			want = append(want, record)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("rows of %q (-csv +ours):\n%s", text, diff)
	}
	return true
}
