package report

import (
	"archive/zip"
	"fmt"
	"io"
	"time"

	"github.com/xuri/excelize/v2"
)

// maxSheetRows is how many rows a sheet of Excel has.
const maxSheetRows = 1_048_576

// xlsxWriter writes a workbook: a sheet with the summary, and as many sheets
// with users as their rows need. Text is written as text, whatever it begins
// with, so no cell is a formula.
type xlsxWriter struct {
	out     io.Writer
	columns []column
	limit   int // rows of a sheet, the head among them

	file       *excelize.File
	sheet      *excelize.StreamWriter
	rows       int // in the sheet
	sheets     int
	head, date int // styles
	cells      []any
}

// newXLSX returns a writer whose temporary files go into dir.
func newXLSX(w io.Writer, columns []column, dir string) *xlsxWriter {
	return &xlsxWriter{
		out: w, columns: columns, limit: maxSheetRows, cells: make([]any, len(columns)),
		file: excelize.NewFile(excelize.Options{TmpDir: dir}),
	}
}

func (w *xlsxWriter) begin(s Summary) error {
	var err error
	if w.head, err = w.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}}); err != nil {
		return fmt.Errorf("make style: %w", err)
	}
	format := "yyyy-mm-dd hh:mm"
	if w.date, err = w.file.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
		return fmt.Errorf("make style: %w", err)
	}
	if err := w.file.SetSheetName("Sheet1", "Summary"); err != nil {
		return err
	}
	if err := w.summary(s); err != nil {
		return err
	}
	return w.nextSheet()
}

// summary writes the sheet with the counts and what was read.
func (w *xlsxWriter) summary(s Summary) error {
	sheet, err := w.file.NewStreamWriter("Summary")
	if err != nil {
		return err
	}
	if err := sheet.SetColWidth(1, 1, 34); err != nil {
		return err
	}
	n := 0
	line := func(cells ...any) error {
		n++
		return sheet.SetRow(fmt.Sprintf("A%d", n), cells)
	}
	bold := func(text string) any { return excelize.Cell{StyleID: w.head, Value: text} }
	lines := [][]any{
		{bold("Tenant"), s.Tenant}, {bold("Generated"), excelize.Cell{StyleID: w.date, Value: s.Generated}},
		{bold("Users in the directory"), s.Seen}, {bold("Users in this report"), s.Users},
	}
	for _, group := range s.groups() {
		lines = append(lines, []any{}, []any{bold(group.Title), bold("Users")})
		for _, c := range group.Counts {
			lines = append(lines, []any{c.Value, c.Users})
		}
	}
	lines = append(lines, []any{}, []any{bold("What was read"), bold("Users"), bold("Note")})
	for _, p := range s.Parts {
		lines = append(lines, []any{p.Name, p.Users, p.note()})
	}
	for _, cells := range lines {
		if err := line(cells...); err != nil {
			return err
		}
	}
	return sheet.Flush()
}

// nextSheet begins a sheet for users.
func (w *xlsxWriter) nextSheet() error {
	if w.sheet != nil {
		if err := w.sheet.Flush(); err != nil {
			return err
		}
	}
	w.sheets++
	name := "Users"
	if w.sheets > 1 {
		name = fmt.Sprintf("Users %d", w.sheets)
	}
	if _, err := w.file.NewSheet(name); err != nil {
		return err
	}
	var err error
	if w.sheet, err = w.file.NewStreamWriter(name); err != nil {
		return err
	}
	if err := w.sheet.SetColWidth(1, 2, 32); err != nil {
		return err
	}
	if err := w.sheet.SetColWidth(3, len(w.columns), 18); err != nil {
		return err
	}
	if err := w.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, XSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"}); err != nil {
		return err
	}
	for i, c := range w.columns {
		w.cells[i] = excelize.Cell{StyleID: w.head, Value: c.name}
	}
	w.rows = 1
	return w.sheet.SetRow("A1", w.cells)
}

func (w *xlsxWriter) row(r *Row) error {
	if w.rows == w.limit {
		if err := w.nextSheet(); err != nil {
			return err
		}
	}
	for i, c := range w.columns {
		w.cells[i] = w.cell(c.value(r))
	}
	w.rows++
	return w.sheet.SetRow(fmt.Sprintf("A%d", w.rows), w.cells)
}

func (w *xlsxWriter) cell(v any) any {
	switch v := v.(type) {
	case Flag:
		if v == Unknown {
			return nil
		}
		return v == Yes
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return excelize.Cell{StyleID: w.date, Value: v.UTC()}
	}
	if text := asText(v); text != "" {
		return text
	}
	return nil
}

func (w *xlsxWriter) end() error {
	if err := w.sheet.Flush(); err != nil {
		return err
	}
	// The library would put the whole archive together in memory first, and then
	// write that. Given an archive that goes where it belongs, its buffer stays
	// empty.
	w.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(w.out) })
	if _, err := w.file.WriteToBuffer(); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return w.file.Close()
}
