package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// writer writes the rows of a report in one format.
type writer interface {
	begin(Summary) error
	row(*Row) error
	end() error
}

// draft is a file under a temporary name. It holds personal data, so nobody else
// may read it.
type draft struct {
	*bufio.Writer
	file *os.File
	path string
}

func newDraft(path string) (*draft, error) {
	if path == ToStdout {
		f, err := os.CreateTemp("", "muster-report-")
		if err != nil {
			return nil, fmt.Errorf("make temporary file: %w", err)
		}
		return &draft{bufio.NewWriterSize(f, 64<<10), f, path}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("write %s: %w", path, errIsFolder)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		// What the draft would have been called is of no use to anybody.
		if at, ok := errors.AsType[*os.PathError](err); ok {
			err = at.Err
		}
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &draft{bufio.NewWriterSize(f, 64<<10), f, path}, nil
}

var errIsFolder = errors.New("it is a folder")

// finish writes what is left and closes the file.
func (d *draft) finish() error {
	if err := errors.Join(d.Flush(), d.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	return nil
}

// copyTo sends the finished draft elsewhere and takes it away.
func (d *draft) copyTo(w io.Writer) error {
	f, err := os.Open(d.file.Name())
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// drafts are the files of one report.
type drafts struct{ all []*draft }

// open begins all files. That goes before reading, so that a file which can't be
// written is told of at once and not after hours.
func (ds *drafts) open(paths []string) error {
	for _, path := range paths {
		d, err := newDraft(path)
		if err != nil {
			return err
		}
		ds.all = append(ds.all, d)
	}
	return nil
}

// of is the draft of an open file.
func (ds *drafts) of(path string) *draft {
	return ds.all[slices.IndexFunc(ds.all, func(d *draft) bool { return d.path == path })]
}

// publish gives all files their names. All are complete by then.
func (ds *drafts) publish(stdout io.Writer) error {
	for _, d := range ds.all {
		if err := d.finish(); err != nil {
			return err
		}
	}
	for len(ds.all) > 0 {
		d := ds.all[0]
		if d.path == ToStdout {
			if err := d.copyTo(stdout); err != nil {
				return fmt.Errorf("write to standard output: %w", err)
			}
		} else if err := os.Rename(d.file.Name(), d.path); err != nil {
			return fmt.Errorf("write %s: %w", d.path, err)
		}
		ds.all = ds.all[1:]
	}
	return nil
}

// discard takes away what was not published.
func (ds *drafts) discard() {
	for _, d := range ds.all {
		// It may be closed already, and there is nobody to tell.
		d.file.Close()
		os.Remove(d.file.Name())
	}
	ds.all = nil
}

// csvWriter writes CSV in UTF-8 with one line of heads.
type csvWriter struct {
	out     *csv.Writer
	columns []column
	cells   []string
}

func newCSV(w io.Writer, columns []column) *csvWriter {
	return &csvWriter{out: csv.NewWriter(w), columns: columns, cells: make([]string, len(columns))}
}

func (w *csvWriter) begin(Summary) error {
	for i, c := range w.columns {
		w.cells[i] = c.name
	}
	return w.out.Write(w.cells)
}

func (w *csvWriter) row(r *Row) error {
	for i, c := range w.columns {
		w.cells[i] = inert(asText(c.value(r)))
	}
	return w.out.Write(w.cells)
}

func (w *csvWriter) end() error {
	w.out.Flush()
	return w.out.Error()
}

// inert makes sure that no spreadsheet takes a cell for a formula: one that
// begins like a formula gets an apostrophe in front (OWASP, CSV Injection). So
// does what begins like one within the cell after a semicolon, a tab or a line
// break: a spreadsheet that separates cells there takes it for the next cell.
// NUL, at which some stop reading, is replaced.
func inert(cell string) string {
	if !strings.ContainsAny(cell, formulaStarts+"\x00") {
		return cell
	}
	var b strings.Builder
	begins := true
	for i, r := range cell {
		if begins && strings.ContainsRune(formulaStarts, r) && (i == 0 || !strings.ContainsRune("\t\r\n", r)) {
			b.WriteByte('\'')
		}
		begins = begins && r == ' ' || strings.ContainsRune(";\t\r\n", r)
		if r == 0 {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

const formulaStarts = "=+-@\t\r\n＝＋－＠"

// jsonlWriter writes one JSON object a line.
type jsonlWriter struct{ out *json.Encoder }

func newJSONL(w io.Writer) *jsonlWriter {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return &jsonlWriter{e}
}

func (w *jsonlWriter) begin(Summary) error { return nil }
func (w *jsonlWriter) row(r *Row) error    { return w.out.Encode(r) }
func (w *jsonlWriter) end() error          { return nil }

// changeWriter writes changes as CSV or JSON Lines, by the file's ending.
type changeWriter struct {
	csv   *csv.Writer
	jsonl *json.Encoder
}

func newChangeWriter(w io.Writer, path string) (*changeWriter, error) {
	if filepath.Ext(path) == ".jsonl" {
		return &changeWriter{jsonl: newJSONL(w).out}, nil
	}
	out := csv.NewWriter(w)
	return &changeWriter{csv: out}, out.Write([]string{"What", "UserPrincipalName", "Field", "Before", "After", "Id"})
}

func (w *changeWriter) write(c Change) error {
	if w.jsonl != nil {
		return w.jsonl.Encode(c)
	}
	return w.csv.Write([]string{c.What, inert(c.UserPrincipalName), c.Field, inert(c.Before), inert(c.After), c.ID})
}

func (w *changeWriter) end() error {
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}
