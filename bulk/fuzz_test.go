package bulk_test

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/phone"
)

// FuzzReader loads anything at all and checks that rows are consistent, that
// what is accepted can be read by a worker, and that counts add up.
func FuzzReader(f *testing.F) {
	for _, text := range []string{
		"UPN,Mobile\nanna@contoso.example,0612345678\n",
		"\ufeffUPN;Mobile\r\nanna@contoso.example;-\r\n",
		"\xff\xfeU\x00P\x00N\x00\t\x00M\x00o\x00b\x00i\x00l\x00e\x00\n\x00a\x00\t\x00",
		"\xfe\xff\x00U", "sep=|\nuser|SmsSignIn\nbob@contoso.example|yes\n",
		"UPN,Mobile\rbob@contoso.example,1\r", "UPN,Mobile\nzo\xeb@contoso.example,-\n",
		"UPN,Mobile\na,\"1\nb,2\n\"", "UPN,Mobile,row,reason,hint\n,,,,\na,b,c,d,e\n", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := bulk.NewReader(bytes.NewReader(text), bulk.ReaderOptions{IgnoreUnknown: true})
		if err != nil {
			return
		}
		checkRows(t, r)
		r, err = bulk.NewReader(bytes.NewReader(text), bulk.ReaderOptions{IgnoreUnknown: true})
		if err != nil {
			t.Fatalf("NewReader, second time: %v", err)
		}
		o := options()
		o.Rejects = bulk.NewRejectsWriter(io.Discard, r.Detected())
		got, err := bulk.Load(t.Context(), r, &queue{t: t}, o)
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		checkCounts(t, got)
	})
}

func checkRows(t *testing.T, r *bulk.Reader) {
	header := r.Detected().Header
	reasons := bulk.Reasons()
	number := 1
	for _, row := range readAll(t, r) {
		if row.Number <= number {
			t.Fatalf("row %d after row %d", row.Number, number)
		}
		number = row.Number
		if row.Fault == nil && len(row.Cells) != len(header.Columns) {
			t.Fatalf("row %d has %d cells and no fault", row.Number, len(row.Cells))
		}
		for _, cell := range row.Cells {
			if !utf8.ValidString(cell) {
				t.Fatalf("row %d has a cell that is not UTF-8", row.Number)
			}
		}
		_, rejection := header.Command(row, phone.Policy{Region: "NL"}, bulk.Modes{})
		if rejection == nil {
			continue
		}
		if !slices.ContainsFunc(reasons, func(x phone.Reason) bool { return x.Code == rejection.Reason }) {
			t.Fatalf("row %d: reason %q is not listed", row.Number, rejection.Reason)
		}
	}
}

// FuzzReaderAgreesWithCSV checks that cutting a file into records before
// encoding/csv sees them changes nothing, wherever all quotes are closed.
func FuzzReaderAgreesWithCSV(f *testing.F) {
	for _, body := range []string{
		"a,1\n\"b\",\"2\n3\"\n", "a,\"\"\n", "\"a\"\"b\",1\r\n", "a,=\"1\"\n", "\"a\"x,1\n", "\"a\"\r,\"1\"\r\n", "a,b\r\r\n", "\"a\"\r",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		text := "UPN,Mobile\n" + body
		if utf8.ValidString(text) && len(text) <= bulk.MaxRowBytes {
			checkAgreesWithCSV(t, text)
		}
	})
}
