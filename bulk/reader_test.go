package bulk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/bulk"
)

// open reads the header of a text and fails the test if it is refused.
func open(t testing.TB, text string) *bulk.Reader {
	t.Helper()
	r, err := bulk.NewReader(strings.NewReader(text), bulk.ReaderOptions{})
	if err != nil {
		t.Fatalf("NewReader: %v", err)
	}
	return r
}

func readAll(t testing.TB, r *bulk.Reader) []bulk.Row {
	t.Helper()
	var rows []bulk.Row
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		row.Bytes = 0
		rows = append(rows, row)
	}
}

// TestReaderSpreadsheets reads one sheet as spreadsheets and others save it.
// Every file must come to the same rows.
func TestReaderSpreadsheets(t *testing.T) {
	want := []bulk.Row{
		{Number: 2, Cells: []string{"zoe@contoso.example", "06-12345678", "", "+31 20 123 4567", "Enabled", "ja", "sms", "Zoë"}},
		{Number: 3, Cells: []string{"rene@contoso.example", `="+31687654321"`, "-", "", "", "yes", "voiceMobile", `René; "de" Vries`}},
		{Number: 4, Cells: []string{"anais@contoso.example", "3,16123E+10", "", "", "", "", "", "Anaïs\nJansen"}},
		{Number: 6, Cells: []string{"joerg@contoso.example", "+49 170 1234567", "", "", "enforced", "no", "push", "Jörg €"}},
	}
	for _, tt := range []struct {
		file      string
		encoding  bulk.Encoding
		delimiter byte
	}{
		{"excel-utf8-semicolon.csv", bulk.UTF8BOM, ';'},
		{"excel-unicode-text.csv", bulk.UTF16LE, '\t'},
		{"utf16be-tab.csv", bulk.UTF16BE, '\t'},
		{"excel-cp1252-semicolon.csv", bulk.Windows1252, ';'},
		{"excel-sep-pipe.csv", bulk.UTF8, '|'},
		{"excel-macintosh.csv", bulk.UTF8, ';'},
		{"plain-comma.csv", bulk.UTF8, ','},
	} {
		t.Run(tt.file, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := bulk.NewReader(iotest.OneByteReader(f), bulk.ReaderOptions{Ignore: []string{"naam"}})
			if err != nil {
				t.Fatalf("NewReader: %v", err)
			}
			d := r.Detected()
			if d.Encoding != tt.encoding || d.Delimiter != tt.delimiter {
				t.Errorf("detected %s with %q, want %s with %q", d.Encoding, d.Delimiter, tt.encoding, tt.delimiter)
			}
			if diff := cmp.Diff(want, readAll(t, r)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if got := r.Blank(); got != 1 {
				t.Errorf("%d blank rows, want 1", got)
			}
		})
	}
}

func TestReaderEncodings(t *testing.T) {
	t.Run("UTF-16 without mark", func(t *testing.T) {
		text := strings.Join(strings.Split("UPN\tMobile\nanna@contoso.example\t-\n", ""), "\x00") + "\x00"
		r := open(t, text)
		if got := r.Detected().Encoding; got != bulk.UTF16LE {
			t.Errorf("encoding %s, want %s", got, bulk.UTF16LE)
		}
		if got, want := readAll(t, r)[0].Cells[0], "anna@contoso.example"; got != want {
			t.Errorf("user %q, want %q", got, want)
		}
	})
	t.Run("first accent behind the part looked at", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("user,Mobile\n")
		for i := range 4000 {
			fmt.Fprintf(&b, "user%d@contoso.example,\n", i)
		}
		b.WriteString("zo\xeb@contoso.example,-\n")
		rows := readAll(t, open(t, b.String()))
		if got, want := rows[len(rows)-1].Cells[0], "zoë@contoso.example"; got != want {
			t.Errorf("user %q, want %q", got, want)
		}
	})
}

func TestReaderDelimiters(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		options    bulk.ReaderOptions
		want       byte
	}{
		{"comma", "UPN,Mobile\n", bulk.ReaderOptions{}, ','},
		{"semicolons with commas in quotes", "UPN;\"Mobile\";\"a,b,c,d\"\n", bulk.ReaderOptions{Ignore: []string{"a,b,c,d"}}, ';'},
		{"sep line over count", "sep=;\nUPN;Mobile\n", bulk.ReaderOptions{}, ';'},
		{"sep line in quotes and capitals", "\"SEP=\t\"\nUPN\tMobile\n", bulk.ReaderOptions{}, '\t'},
		{"asked for", "UPN|Mobile\n", bulk.ReaderOptions{Delimiter: '|'}, '|'},
		{"asked for, over sep line", "sep=;\nUPN|Mobile\n", bulk.ReaderOptions{Delimiter: '|'}, '|'},
		{"blank rows before the header", "\r\n\r\nUPN;Mobile\r\n", bulk.ReaderOptions{}, ';'},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := bulk.NewReader(strings.NewReader(tt.text), tt.options)
			if err != nil {
				t.Fatalf("NewReader: %v", err)
			}
			if got := r.Detected().Delimiter; got != tt.want {
				t.Errorf("delimiter %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReaderRowNumbers(t *testing.T) {
	text := "UPN,Mobile\na@contoso.example,1\n\n,\n\"b@contoso.example\",\"2\n3\"\nc@contoso.example,4"
	var got []int
	for _, row := range readAll(t, open(t, text)) {
		got = append(got, row.Number)
	}
	if diff := cmp.Diff([]int{2, 5, 6}, got); diff != "" {
		t.Errorf("row numbers (-want +got):\n%s", diff)
	}
}

func TestReaderFaults(t *testing.T) {
	long := strings.Repeat("x", bulk.MaxRowBytes+10)
	for _, tt := range []struct {
		name, rows string
		want       []string // per row: its first cell, and its fault's reason if any
	}{
		{"too few cells", "a\nb,1\n", []string{"a WrongFieldCount", "b"}},
		{"too many cells", "a,1,2\nb,1\n", []string{"a WrongFieldCount", "b"}},
		{"quote not closed", "a,\"1\nb,1\nc,1\n", []string{"a UnclosedQuote", "b", "c"}},
		{"quote not closed in the last row", "a,1\nb,\"1", []string{"a", "b UnclosedQuote"}},
		{"quote not closed, far from the end", "a,\"1\n" + strings.Repeat("b,1\n", 20000), append([]string{"a UnclosedQuote"}, repeat("b", 20000)...)},
		{"row too long", long + ",1\nb,1\n", []string{" RowTooLong", "b"}},
		{"quoted cell too long", "\"" + long + "\",1\nb,1\n", []string{" RowTooLong", "b"}},
		{"row too long at the end", "a,1\n" + long, []string{"a", " RowTooLong"}},
		{"quotes inside a bare cell", "a,=\"1\"\nb,1\"\n", []string{"a", "b"}},
		{"text behind a closing quote", "\"a\"x,1\nb,1\n", []string{`a"x,1 UnclosedQuote`, "b"}},
		{"escaped quotes", "\"a\"\"\n\"\"b\",1\n", []string{"a\"\n\"b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, row := range readAll(t, open(t, "UPN,Mobile\n"+tt.rows)) {
				s := ""
				if len(row.Cells) > 0 {
					s = row.Cells[0]
				}
				if row.Fault != nil {
					s += " " + row.Fault.Reason
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func repeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// endless gives rows for ever; the reader must not try to hold them.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReaderKeepsMemoryBounded(t *testing.T) {
	const length = 16 << 20
	src := io.MultiReader(strings.NewReader("UPN,Mobile\na,\""), io.LimitReader(endless{}, length), strings.NewReader("\nb,1\n"))
	allocated := testing.AllocsPerRun(1, func() {
		r, err := bulk.NewReader(src, bulk.ReaderOptions{})
		if err != nil {
			return // the second run finds the source read
		}
		rows := readAll(t, r)
		if len(rows) != 2 || rows[0].Fault == nil || rows[0].Fault.Reason != bulk.ReasonRowTooLong {
			t.Errorf("%d rows, want the long one and one more", len(rows))
		}
	})
	if allocated > 1000 {
		t.Errorf("%.0f allocations for one long row", allocated)
	}
}

func TestReaderReportsReadErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	text := "UPN,Mobile\n" + strings.Repeat("a@contoso.example,\n", 10000)
	r, err := bulk.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), bulk.ReaderOptions{})
	if err != nil {
		t.Fatalf("NewReader: %v", err)
	}
	for err == nil {
		_, err = r.Read()
	}
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "row 10002") {
		t.Errorf("error %v, want %v at row 10002", err, broken)
	}
	if _, err := bulk.NewReader(iotest.ErrReader(broken), bulk.ReaderOptions{}); !errors.Is(err, broken) {
		t.Errorf("NewReader = %v, want %v", err, broken)
	}
}
