package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Encoding is a text encoding that a Reader reads.
type Encoding string

// The encodings. Excel writes UTF-8 with a byte order mark as "CSV UTF-8",
// UTF-16LE as "Unicode Text", and Windows-1252 as plain "CSV" on a western
// European Windows.
const (
	UTF8        Encoding = "UTF-8"
	UTF8BOM     Encoding = "UTF-8 with BOM"
	UTF16LE     Encoding = "UTF-16LE"
	UTF16BE     Encoding = "UTF-16BE"
	Windows1252 Encoding = "Windows-1252"
)

var marks = []struct {
	bytes    []byte
	encoding Encoding
}{
	{[]byte{0xef, 0xbb, 0xbf}, UTF8BOM},
	{[]byte{0xff, 0xfe}, UTF16LE},
	{[]byte{0xfe, 0xff}, UTF16BE},
}

// decode finds out the encoding of src and returns a reader behind its byte
// order mark that gives UTF-8, except for Windows-1252: those bytes come as
// they are, for [toUTF8] to turn into text row by row.
func decode(src *bufio.Reader) (io.Reader, Encoding, error) {
	head, err := src.Peek(src.Size())
	if err != nil && err != io.EOF {
		return nil, "", fmt.Errorf("read file: %w", err)
	}
	if isWorkbook(head) {
		return nil, "", errors.New("the file is a workbook or another archive, not text: save the sheet as \"CSV UTF-8\" first")
	}
	encoding, skip := sniffEncoding(head)
	if _, err := src.Discard(skip); err != nil {
		return nil, "", fmt.Errorf("read file: %w", err)
	}
	var text io.Reader = src
	switch encoding {
	case UTF16LE:
		text = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Reader(src)
	case UTF16BE:
		text = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Reader(src)
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		text = macintosh{text}
	}
	return text, encoding, nil
}

// isWorkbook tells a file of Excel by its first bytes: .xlsx is a ZIP archive,
// .xls an OLE compound file ([MS-CFB] section 2.2).
func isWorkbook(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1})
}

// macintosh reads a file whose lines end with a lone carriage return, Excel's
// "CSV (Macintosh)".
type macintosh struct{ src io.Reader }

func (m macintosh) Read(p []byte) (int, error) {
	n, err := m.src.Read(p)
	for i := range p[:n] {
		if p[i] == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// sniffEncoding returns the encoding and the length of its byte order mark.
func sniffEncoding(head []byte) (Encoding, int) {
	for _, mark := range marks {
		if bytes.HasPrefix(head, mark.bytes) {
			return mark.encoding, len(mark.bytes)
		}
	}
	if len(head) >= 2 {
		// A header begins with a letter or a quote, so a zero beside it is half
		// of a UTF-16 unit.
		switch {
		case head[0] != 0 && head[1] == 0:
			return UTF16LE, 0
		case head[0] == 0 && head[1] != 0:
			return UTF16BE, 0
		}
	}
	if validUpToCut(head) {
		return UTF8, 0
	}
	return Windows1252, 0
}

// validUpToCut reports whether b is UTF-8, but for a character that its end may
// have cut.
func validUpToCut(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return false
}

// toUTF8 turns a row into UTF-8. A row of a file that began as UTF-8 but is
// none is read as Windows-1252: an export may hold its first accented letter
// far behind the part that was looked at.
func toUTF8(row []byte, encoding Encoding) []byte {
	if encoding != Windows1252 && utf8.Valid(row) {
		return row
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(row)
	if err != nil {
		return bytes.ToValidUTF8(row, []byte("\ufffd"))
	}
	return text
}
