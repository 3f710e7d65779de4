package bulk

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxRowBytes is the longest row that is read, in bytes of UTF-8 (of the file,
// where that is Windows-1252). It is far beyond any real row: what is longer
// has a quote that is never closed.
const MaxRowBytes = 64 << 10

// ReaderOptions say how to read a file. The zero value detects everything.
type ReaderOptions struct {
	// Delimiter between cells, one of comma, semicolon, tab and pipe; 0 detects
	// it from the header.
	Delimiter byte
	// Ignore lists columns that may be there and are not read, by name as in
	// the header (case, spaces, dashes and underscores do not count).
	Ignore []string
	// IgnoreUnknown ignores every column that is not known. By default an
	// unknown column is an error: it may be a misspelt one.
	IgnoreUnknown bool
}

func (o ReaderOptions) validate() error {
	if o.Delimiter != 0 && strings.IndexByte(delimiters, o.Delimiter) < 0 {
		return errors.New("delimiter must be a comma, a semicolon, a tab or a pipe")
	}
	return nil
}

// Detected is what a Reader found out about a file.
type Detected struct {
	Encoding  Encoding
	Delimiter byte
	Header    Header
}

// String says it in one line for a person.
func (d Detected) String() string {
	var mapped, ignored []string
	for i, c := range d.Header.Columns {
		switch name := strings.TrimSpace(c.Name); {
		case c.Field == Ignored && name == "":
			ignored = append(ignored, fmt.Sprintf("column %d", i+1))
		case c.Field == Ignored:
			ignored = append(ignored, name)
		case name == string(c.Field):
			mapped = append(mapped, name)
		default:
			mapped = append(mapped, name+" as "+string(c.Field))
		}
	}
	s := fmt.Sprintf("%s, %s; columns: %s", d.Encoding, delimiterName(d.Delimiter), strings.Join(mapped, ", "))
	if len(ignored) > 0 {
		s += "; ignored: " + strings.Join(ignored, ", ")
	}
	return s
}

func delimiterName(c byte) string {
	switch c {
	case ';':
		return "semicolons"
	case '\t':
		return "tabs"
	case '|':
		return "pipes"
	}
	return "commas"
}

// Row is one row of a file.
type Row struct {
	// Number is the row's number as a spreadsheet shows it: the header is row 1,
	// a row with line breaks inside quotes is one row, blank rows count.
	Number int
	// Cells are the row's cells as they are in the file.
	Cells []string
	// Fault is why the row can't be used, nil if it can.
	Fault *Rejection
	// Bytes is how much of the file has been read for the rows up to this one.
	// It may run ahead by what the reader buffers.
	Bytes int64
}

// Reader reads the rows of a CSV file.
type Reader struct {
	detected Detected
	source   *counter
	split    splitter
	number   int // of the row read last
	record   bytes.Reader
	buffer   *bufio.Reader // between record and encoding/csv, which takes it as its own
	blank    int
}

// NewReader reads the first row and finds out how to read the others. Its
// error names every fault of the header.
func NewReader(src io.Reader, o ReaderOptions) (*Reader, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	r := &Reader{source: &counter{src: src}}
	r.buffer = bufio.NewReader(&r.record)
	text, encoding, err := decode(bufio.NewReaderSize(r.source, MaxRowBytes))
	if err != nil {
		return nil, err
	}
	r.detected.Encoding = encoding
	r.split = splitter{src: bufio.NewReaderSize(text, MaxRowBytes)}
	if err := r.readHeader(o); err != nil {
		return nil, err
	}
	return r, nil
}

// Detected is what was found out about the file.
func (r *Reader) Detected() Detected { return r.detected }

// Blank is how many blank rows have been passed over so far. A row of empty
// cells is blank.
func (r *Reader) Blank() int { return r.blank }

func (r *Reader) readHeader(o ReaderOptions) error {
	if err := r.chooseDelimiter(o.Delimiter); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	cells, ended, err := r.cells()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty: the first row must hold column names")
	case err != nil:
		return fmt.Errorf("read header: %w", err)
	case ended != whole:
		return errors.New("the first row must hold column names, and it has a quote that is not closed or is too long")
	}
	r.blank = 0
	r.detected.Header, err = parseHeader(cells, o)
	return err
}

// chooseDelimiter settles the delimiter: the one asked for, else that of a sep=
// line, else the header's. A sep= line is no row.
func (r *Reader) chooseDelimiter(asked byte) error {
	head, err := r.split.src.Peek(r.split.src.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, rest, _ := bytes.Cut(head, []byte{'\n'})
	separator := separatorLine(line)
	if separator != 0 {
		if _, err := r.split.src.Discard(len(head) - len(rest)); err != nil {
			return err
		}
		head = rest
	}
	delimiter := cmp.Or(asked, separator, sniffDelimiter(bytes.TrimLeft(head, "\r\n")))
	r.split.delimiter, r.detected.Delimiter = delimiter, delimiter
	return nil
}

// Read returns the next row that is not blank, or io.EOF. A row with a fault is
// a row; an error is the end.
func (r *Reader) Read() (Row, error) {
	cells, ended, err := r.cells()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	if err != nil {
		return Row{}, fmt.Errorf("read row %d: %w", r.number, err)
	}
	row := Row{Number: r.number, Cells: cells, Bytes: r.source.n}
	switch want := len(r.detected.Header.Columns); {
	case ended == overlong:
		row.Fault = reject(ReasonRowTooLong, hintRowTooLong)
	case ended == unclosed:
		row.Fault = reject(ReasonUnclosedQuote, hintUnclosedQuote)
	case len(cells) < want:
		row.Fault = reject(ReasonWrongFieldCount,
			fmt.Sprintf("the row has %d cells where the header has %d; %s", len(cells), want, hintMissingCells))
	case len(cells) > want:
		row.Fault = reject(ReasonWrongFieldCount,
			fmt.Sprintf("the row has %d cells where the header has %d; %s", len(cells), want, hintExtraCells))
	}
	return row, nil
}

// cells returns the cells of the next record that is not blank.
func (r *Reader) cells() ([]string, cut, error) {
	for {
		r.number++
		record, ended, err := r.split.next()
		if err != nil || ended == overlong {
			return nil, ended, err
		}
		if ended == unclosed { // its newline is no part of the open cell
			record = bytes.TrimRight(record, "\r\n")
		}
		cells, err := r.parse(toUTF8(record, r.detected.Encoding))
		if err != nil {
			return nil, ended, err
		}
		if ended == whole && strings.TrimSpace(strings.Join(cells, "")) == "" {
			r.blank++
			continue
		}
		return cells, ended, nil
	}
}

// parse has encoding/csv read one record, which has no cells if it is empty.
func (r *Reader) parse(record []byte) ([]string, error) {
	r.record.Reset(record)
	r.buffer.Reset(&r.record)
	c := csv.NewReader(r.buffer)
	c.Comma = rune(r.detected.Delimiter)
	c.FieldsPerRecord = -1
	c.LazyQuotes = true // ="+31…" is a formula, not a mistake
	cells, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return cells, err
}

// counter counts the bytes that are read through it.
type counter struct {
	src io.Reader
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	return n, err
}
