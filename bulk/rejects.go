package bulk

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// RejectsWriter writes rejected rows in the columns, order and delimiter of
// their input, each with its row number, reason and hint behind it. The file is
// UTF-8, with a byte order mark unless the input was plain UTF-8: without one
// Excel would misread the names that it wrote itself. It can be mended and
// loaded as it is: a Reader ignores the added columns.
//
// Cells of the input are repeated as they were, since a changed one could not be
// loaded again; whoever opens the file in a spreadsheet trusts it as far as the
// input. The added columns never begin a formula.
type RejectsWriter struct {
	csv      *csv.Writer
	dst      io.Writer
	detected Detected
	keep     []int // the input's columns that are no added ones
	begun    bool
}

// NewRejectsWriter writes to dst what fits the file that was detected. Nothing
// is written before the first row or Flush.
func NewRejectsWriter(dst io.Writer, d Detected) *RejectsWriter {
	w := &RejectsWriter{csv: csv.NewWriter(dst), dst: dst, detected: d}
	w.csv.Comma = rune(d.Delimiter)
	for i, c := range d.Header.Columns {
		if !isOurs(c.Name) {
			w.keep = append(w.keep, i)
		}
	}
	return w
}

// Write adds one row. A row with fewer cells than the header is filled up with
// empty ones; one with more keeps them, so that nothing is lost.
func (w *RejectsWriter) Write(row Row, why Rejection) error {
	if err := w.begin(); err != nil {
		return err
	}
	record := make([]string, 0, len(row.Cells)+3)
	for _, i := range w.keep {
		if i < len(row.Cells) {
			record = append(record, row.Cells[i])
		} else {
			record = append(record, "")
		}
	}
	if columns := len(w.detected.Header.Columns); len(row.Cells) > columns {
		record = append(record, row.Cells[columns:]...)
	}
	record = append(record, strconv.Itoa(row.Number), noFormula(why.Reason), noFormula(why.Hint))
	if err := w.csv.Write(record); err != nil {
		return fmt.Errorf("write rejected row: %w", err)
	}
	return nil
}

// Flush writes what is buffered, and the header if there was no row.
func (w *RejectsWriter) Flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (w *RejectsWriter) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	if w.detected.Encoding != UTF8 {
		if _, err := io.WriteString(w.dst, "\ufeff"); err != nil {
			return fmt.Errorf("write rejects header: %w", err)
		}
	}
	var record []string
	for _, i := range w.keep {
		record = append(record, w.detected.Header.Columns[i].Name)
	}
	if err := w.csv.Write(append(record, columnRow, columnReason, columnHint)); err != nil {
		return fmt.Errorf("write rejects header: %w", err)
	}
	return nil
}

// noFormula keeps a spreadsheet from reading text as a formula
// (OWASP, "CSV Injection").
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
