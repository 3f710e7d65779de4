package bulk

import (
	"bufio"
	"errors"
	"io"
)

// splitter cuts a file into records without ever holding more than one.
// encoding/csv can't bound a record: one quote that is opened and never closed
// makes it read the rest of the file into memory. The splitter finds a record's
// end by the same rules, gives up at a limit, and goes on behind the line that
// opened the quote.
type splitter struct {
	src       *bufio.Reader // its size is the limit of a record
	delimiter byte
}

// cut says how a record ended.
type cut int

const (
	whole    cut = iota
	unclosed     // a quote was opened and not closed; the record is its first line
	overlong     // a single line was longer than the limit; the record is dropped
)

// next returns the next record with its newline, valid until the following
// call. The error is io.EOF or one of reading.
func (s *splitter) next() ([]byte, cut, error) {
	scan := scanner{delimiter: s.delimiter}
	for at := 0; ; {
		buf, err := s.src.Peek(max(s.src.Buffered(), 1))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, whole, err
		}
		for ; at < len(buf); at++ {
			if scan.step(buf[at]) {
				return s.take(at + 1)
			}
		}
		if len(buf) == s.src.Size() {
			return s.firstLine(scan.firstLine, len(buf))
		}
		if _, err = s.src.Peek(len(buf) + 1); err == nil {
			continue
		}
		switch {
		case !errors.Is(err, io.EOF):
			return nil, whole, err
		case len(buf) == 0:
			return nil, whole, io.EOF
		case scan.state == inQuotes:
			return s.firstLine(scan.firstLine, len(buf))
		}
		return s.take(len(buf))
	}
}

func (s *splitter) take(n int) ([]byte, cut, error) {
	record, err := s.src.Peek(n)
	if err != nil {
		return nil, whole, err
	}
	// Discarding n buffered bytes moves an index and leaves the bytes alone.
	_, err = s.src.Discard(n)
	return record, whole, err
}

// firstLine ends a record that has no end of its own at its first newline, n
// bytes having been looked at.
func (s *splitter) firstLine(end, n int) ([]byte, cut, error) {
	if end > 0 {
		record, _, err := s.take(end)
		return record, unclosed, err
	}
	if n < s.src.Size() {
		record, _, err := s.take(n)
		return record, unclosed, err
	}
	for {
		_, err := s.src.ReadSlice('\n')
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return nil, overlong, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, overlong, err
		}
	}
}

// scanner follows the state of encoding/csv with LazyQuotes through a record:
// a quote opens only at the beginning of a field, and closes only before a
// delimiter, a newline or the end.
type scanner struct {
	delimiter byte
	state     scanState
	seen      int
	firstLine int // length up to and with the first newline, 0 for none
}

type scanState int

const (
	fieldStart scanState = iota
	unquoted
	inQuotes
	afterQuote       // inside quotes, behind a quote that may close them
	afterQuoteReturn // behind that quote and a carriage return
)

// step takes one byte and reports whether it ends the record.
func (s *scanner) step(c byte) bool {
	s.seen++
	if c == '\n' {
		if s.firstLine == 0 {
			s.firstLine = s.seen
		}
		if s.state != inQuotes {
			return true
		}
	}
	switch s.state {
	case fieldStart, unquoted:
		s.state = s.outside(c)
	case inQuotes, afterQuoteReturn:
		s.state = inQuotes
		if c == '"' {
			s.state = afterQuote
		}
	case afterQuote:
		s.state = s.behindQuote(c)
	}
	return false
}

func (s *scanner) outside(c byte) scanState {
	switch {
	case c == s.delimiter:
		return fieldStart
	case c == '"' && s.state == fieldStart:
		return inQuotes
	}
	return unquoted
}

func (s *scanner) behindQuote(c byte) scanState {
	switch c {
	case s.delimiter:
		return fieldStart
	case '\r':
		return afterQuoteReturn
	}
	// A second quote is an escaped one; anything else was no end either.
	return inQuotes
}
