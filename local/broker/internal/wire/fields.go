package wire

import "fmt"

// decodable is a composite that can read its fields.
type decodable interface {
	decode(*fields)
}

// fields reads the fields of a composite in order. A field that is null or
// that the list is too short for yields the zero value; the must methods
// demand it instead.
type fields struct {
	d    *decoder
	left int    // fields that the list still holds
	of   string // name of the composite, for errors
}

// composite reads a described list with the given descriptor into v.
func (d *decoder) composite(descriptor uint64, name string, v decodable) {
	at := d.pos
	if got := d.descriptor(); got != descriptor && d.err == nil {
		d.fail(at, CondDecodeError, name, fmt.Sprintf("descriptor 0x%02x", descriptor), fmt.Sprintf("0x%02x", got))
	}
	d.compositeBody(name, v)
}

// compositeBody reads the list after a descriptor into v.
func (d *decoder) compositeBody(name string, v decodable) {
	if d.err != nil || !d.descend() {
		return
	}
	defer d.ascend()
	enclosing := d.fields
	defer func() { d.fields = enclosing }()
	d.fields = fields{d: d, of: name}
	f := &d.fields
	switch code := d.code(); code {
	case codeList0:
		v.decode(f)
	case codeList8, codeList32:
		var outer int
		f.left, outer = d.enter(code)
		v.decode(f)
		if d.err == nil && f.left > 0 {
			d.fail(d.pos, CondDecodeError, name, "no further field", fmt.Sprintf("%d more", f.left))
		}
		d.leave(outer)
	default:
		d.failCode(code, name, "a list")
	}
}

// descriptor reads the constructor 0x00 and the descriptor of a composite, as
// ulong or as one of the symbols that part 2 and part 3 name. An unknown symbol
// and any other type yield unknownDescriptor.
func (d *decoder) descriptor() uint64 {
	if code := d.code(); code != codeDescribed {
		if d.err == nil {
			d.failCode(code, "", "a described value")
		}
		return unknownDescriptor
	}
	switch code := d.code(); code {
	case codeUlong0, codeSmallUlong, codeUlong:
		return d.ulongOf(code)
	case codeSymbol8, codeSymbol32:
		if n, ok := descriptorNames[string(d.variable(code))]; ok {
			return n
		}
	case codeDescribed:
		d.described()
	default:
		d.valueOf(code)
	}
	return unknownDescriptor
}

func (f *fields) name(field string) string { return f.of + "." + field }

// next moves to the next field and tells whether it holds a value.
func (f *fields) next() bool {
	if f.left == 0 || f.d.err != nil {
		return false
	}
	f.left--
	return !f.d.tryCode(codeNull)
}

// must is next for a mandatory field.
func (f *fields) must(field string) bool {
	if f.next() {
		return true
	}
	f.d.fail(f.d.pos, CondInvalidField, f.name(field), "a value in this mandatory field", "null")
	return false
}

// refuse records that a field holds the wrong type. The constructor was read.
func (f *fields) refuse(code byte, field, expected string) {
	if f.d.err == nil {
		f.d.failCode(code, f.name(field), expected)
	}
}

// outOfRange records that a field of a restricted type holds another value.
func (f *fields) outOfRange(field, expected string) {
	f.d.fail(f.d.pos, CondInvalidField, f.name(field), expected, "another value")
}

func (f *fields) readBool(field string) bool {
	code := f.d.code()
	if codeTypes[code] != TypeBoolean {
		f.refuse(code, field, "a boolean")
		return false
	}
	return f.d.boolOf(code)
}

func (f *fields) readUbyte(field string) uint8 {
	if code := f.d.code(); code != codeUbyte {
		f.refuse(code, field, "a ubyte")
		return 0
	}
	return f.d.u8()
}

func (f *fields) readUshort(field string) uint16 {
	if code := f.d.code(); code != codeUshort {
		f.refuse(code, field, "a ushort")
		return 0
	}
	return f.d.u16()
}

func (f *fields) readUint(field string) uint32 {
	code := f.d.code()
	if codeTypes[code] != TypeUint {
		f.refuse(code, field, "a uint")
		return 0
	}
	return f.d.uintOf(code)
}

func (f *fields) readUlong(field string) uint64 {
	code := f.d.code()
	if codeTypes[code] != TypeUlong {
		f.refuse(code, field, "a ulong")
		return 0
	}
	return f.d.ulongOf(code)
}

func (f *fields) readTimestamp(field string) Timestamp {
	if code := f.d.code(); code != codeTimestamp {
		f.refuse(code, field, "a timestamp")
		return 0
	}
	return Timestamp(f.d.u64())
}

func (f *fields) readString(field string) string {
	code := f.d.code()
	if codeTypes[code] != TypeString {
		f.refuse(code, field, "a string")
		return ""
	}
	return f.d.text(code)
}

func (f *fields) readSymbol(field string) Symbol {
	code := f.d.code()
	if codeTypes[code] != TypeSymbol {
		f.refuse(code, field, "a symbol")
		return ""
	}
	return Symbol(f.d.text(code))
}

// alias reads a binary that aliases the buffer, nil for null.
func (f *fields) alias(field string) []byte {
	if !f.next() {
		return nil
	}
	code := f.d.code()
	if codeTypes[code] != TypeBinary {
		f.refuse(code, field, "a binary")
		return nil
	}
	return f.d.variable(code)
}

// mustBinary is binary for a mandatory field.
func (f *fields) mustBinary(field string) []byte {
	b := f.binary(field)
	if b == nil {
		f.d.fail(f.d.pos, CondInvalidField, f.name(field), "a value in this mandatory field", "null")
	}
	return b
}

// binary reads a binary into memory of its own, nil for null.
func (f *fields) binary(field string) []byte {
	b := f.alias(field)
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (f *fields) bool(field string) bool     { return opt(f, field, (*fields).readBool).Value }
func (f *fields) uint(field string) uint32   { return opt(f, field, (*fields).readUint).Value }
func (f *fields) string(field string) string { return opt(f, field, (*fields).readString).Value }
func (f *fields) symbol(field string) Symbol { return opt(f, field, (*fields).readSymbol).Value }

func (f *fields) mustBool(field string) bool     { return must(f, field, (*fields).readBool) }
func (f *fields) mustUint(field string) uint32   { return must(f, field, (*fields).readUint) }
func (f *fields) mustUlong(field string) uint64  { return must(f, field, (*fields).readUlong) }
func (f *fields) mustString(field string) string { return must(f, field, (*fields).readString) }
func (f *fields) mustSymbol(field string) Symbol { return must(f, field, (*fields).readSymbol) }

// opt reads a field that may be null.
func opt[T any](f *fields, field string, read func(*fields, string) T) Optional[T] {
	if !f.next() {
		return Optional[T]{}
	}
	return Some(read(f, field))
}

// must reads a mandatory field.
func must[T any](f *fields, field string, read func(*fields, string) T) T {
	if !f.must(field) {
		var zero T
		return zero
	}
	return read(f, field)
}

// symbols reads a field of multiplicity many: null, one symbol, or an array of
// symbols (part 1, section 1.4).
func (f *fields) symbols(field string) []Symbol {
	if !f.next() {
		return nil
	}
	code := f.d.code()
	switch codeTypes[code] {
	case TypeSymbol:
		return []Symbol{Symbol(f.d.text(code))}
	case TypeArray:
		return f.symbolArray(code, field)
	}
	f.refuse(code, field, "a symbol or an array of symbols")
	return nil
}

func (f *fields) symbolArray(code byte, field string) []Symbol {
	d := f.d
	count, outer := d.enter(code)
	element := d.code()
	if codeTypes[element] != TypeSymbol {
		f.refuse(element, field, "an array of symbols")
	}
	var vs []Symbol
	for i := 0; i < count && d.another(); i++ {
		vs = append(vs, Symbol(d.text(element)))
	}
	d.leave(outer)
	return vs
}

// mapping reads a map, nil for null.
func (f *fields) mapping(field string) Map {
	if !f.next() {
		return nil
	}
	code := f.d.code()
	if codeTypes[code] != TypeMap {
		f.refuse(code, field, "a map")
		return nil
	}
	return f.d.mapOf(code)
}
