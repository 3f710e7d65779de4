package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// maxZeroWidth bounds how many array elements of no width (nulls, trues, uint0)
// one decoder accepts. They cost the peer nothing and us sixteen bytes each, so
// the bytes that are left do not bound them.
const maxZeroWidth = 1024

// maxElements and maxFrameElements bound how many elements of lists, maps and arrays
// one decoder builds: of a value or a section of a message, and of a frame. An
// element may take one byte of the peer and sixty of ours, and many peers may send
// such at once.
const (
	maxElements      = 100_000
	maxFrameElements = 5_000
)

// decoder is a cursor over a slice with a sticky error: after the first fault
// every read yields a zero value and the cursor stays at the end, so callers
// check err once. Nothing that it returns aliases buf unless it says so.
type decoder struct {
	buf   []byte
	pos   int
	end   int // bound of the innermost list, map or array
	depth int
	zero  int // array elements of no width so far
	room  int // elements of compounds that may still come
	err   *DecodeError
	// fields is the composite that is being read. It lives here, and not on
	// the stack, to cost no allocation: it is handed through an interface.
	fields fields
}

func newDecoder(b []byte) decoder { return decoder{buf: b, end: len(b), room: maxElements} }

// reset makes the decoder read the frame b from offset pos.
func (d *decoder) reset(b []byte, pos int) {
	*d = decoder{buf: b, pos: pos, end: len(b), room: maxFrameElements}
}

// left returns how many bytes the innermost compound still holds.
func (d *decoder) left() int { return d.end - d.pos }

// fault returns the sticky error as an error that is nil when there is none.
func (d *decoder) fault() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// fail records the first fault, found at offset at. Without a field it is laid
// to the composite that is being read.
func (d *decoder) fail(at int, condition Symbol, field, expected, found string) {
	if field == "" {
		field = d.fields.of
	}
	if d.err == nil {
		d.err = &DecodeError{Condition: condition, Offset: at, Field: field, Expected: expected, Found: found}
	}
	d.pos = d.end
}

// failCode records that the format code before the cursor does not start what
// is expected.
func (d *decoder) failCode(code byte, field, expected string) {
	d.fail(d.pos-1, CondDecodeError, field, expected, fmt.Sprintf("format code 0x%02x", code))
}

// take returns the next n bytes, which alias buf.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > d.left() {
		d.fail(d.pos, CondDecodeError, "", fmt.Sprintf("%d bytes", n), fmt.Sprintf("%d", d.left()))
		return nil
	}
	b := d.buf[d.pos : d.pos+n : d.pos+n]
	d.pos += n
	return b
}

// another counts an element of a compound that is built. It is false after a fault
// and, with one, beyond the last that is granted.
func (d *decoder) another() bool {
	if d.room--; d.room < 0 && d.err == nil {
		d.fail(d.pos, CondDecodeError, "", "no more elements in all", "another")
	}
	return d.err == nil
}

// code reads one format code.
func (d *decoder) code() byte {
	if d.pos >= d.end {
		d.fail(d.pos, CondDecodeError, "", "a format code", "the end")
		return codeNull
	}
	c := d.buf[d.pos]
	d.pos++
	return c
}

// tryCode consumes the next byte if it is code.
func (d *decoder) tryCode(code byte) bool {
	if d.pos >= d.end || d.buf[d.pos] != code {
		return false
	}
	d.pos++
	return true
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// length reads a size or count as wide as code says.
func (d *decoder) length(code byte) int {
	if !wide(code) {
		return int(d.u8())
	}
	n := d.u32()
	if n > math.MaxInt32 {
		d.fail(d.pos-4, CondDecodeError, "", "a size or count below 2 GiB", fmt.Sprint(n))
		return 0
	}
	return int(n)
}

// variable returns the content of a variable-width value whose constructor was
// code. It aliases buf.
func (d *decoder) variable(code byte) []byte { return d.take(d.length(code)) }

// text returns the content of a string or symbol.
func (d *decoder) text(code byte) string { return string(d.utf8(code)) }

// utf8 returns the content of a string or symbol, which aliases buf.
func (d *decoder) utf8(code byte) []byte {
	at := d.pos
	b := d.variable(code)
	if !utf8.Valid(b) {
		d.fail(at, CondDecodeError, "", "UTF-8", "other bytes")
		return nil
	}
	return b
}

// descend counts one level of nesting; each call that returned true is paired
// with ascend.
func (d *decoder) descend() bool {
	if d.depth >= maxDepth {
		d.fail(d.pos, CondDecodeError, "", fmt.Sprintf("nesting of at most %d levels", maxDepth), "more")
		return false
	}
	d.depth++
	return true
}

func (d *decoder) ascend() { d.depth-- }

// enter reads size and count of the list, map or array whose constructor was
// code and narrows the decoder to its content until leave(outer). It does not
// hold when the sticky error is set.
func (d *decoder) enter(code byte) (count, outer int) {
	outer = d.end
	at := d.pos
	size := d.length(code)
	if d.err != nil {
		return 0, outer
	}
	if size > d.left() {
		d.fail(at, CondDecodeError, "", fmt.Sprintf("a compound of at most %d bytes", d.left()), fmt.Sprint(size))
		return 0, outer
	}
	d.end = d.pos + size
	at = d.pos
	count = d.length(code)
	if d.err == nil && count > d.left() && codeTypes[code] != TypeArray {
		d.fail(at, CondDecodeError, "", fmt.Sprintf("a count of at most %d", d.left()), fmt.Sprint(count))
	}
	if d.err != nil {
		count = 0
	}
	return count, outer
}

// leave checks that the compound was read to its end and widens the decoder
// again.
func (d *decoder) leave(outer int) {
	if d.err == nil && d.pos != d.end {
		d.fail(d.pos, CondDecodeError, "", "the end of the compound", fmt.Sprintf("%d more bytes", d.left()))
	}
	d.end = outer
	if d.err != nil {
		d.pos = d.end
	}
}

// skip passes over one value without a look inside lists, maps and arrays: it
// checks that the value's bytes are there, and returns the type.
func (d *decoder) skip() Type {
	code := d.code()
	if code == codeDescribed {
		if !d.descend() {
			return 0
		}
		d.skip()
		d.skip()
		d.ascend()
		return 0
	}
	t := codeTypes[code]
	if t == 0 {
		d.failCode(code, "", "a format code")
		return 0
	}
	if n, fixed := fixedWidth(code); fixed {
		d.take(n)
	} else {
		d.take(d.length(code))
	}
	return t
}
