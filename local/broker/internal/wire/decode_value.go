package wire

import (
	"fmt"
	"math"
)

// growStep bounds the room that is made ahead for the elements of a compound.
// A count is only a claim, and nested claims would multiply.
const growStep = 32

// DecodeValue decodes the value at the start of b and returns it with the
// number of bytes that it took. Nothing in it aliases b. The error is a
// *DecodeError.
func DecodeValue(b []byte) (v any, n int, err error) {
	d := newDecoder(b)
	v = d.value()
	if d.err != nil {
		return nil, 0, d.err
	}
	return v, d.pos, nil
}

// value reads one value of any type.
func (d *decoder) value() any {
	code := d.code()
	if d.err != nil {
		return nil
	}
	if code == codeDescribed {
		return d.described()
	}
	return d.valueOf(code)
}

// described reads descriptor and value after the constructor 0x00.
func (d *decoder) described() any {
	at := d.pos
	if !d.descend() {
		return nil
	}
	defer d.ascend()
	descriptor := d.value()
	if descriptor == nil && d.err == nil {
		d.fail(at, CondDecodeError, "", "a descriptor", "null")
	}
	v := d.value()
	if d.err != nil {
		return nil
	}
	return Described{Descriptor: descriptor, Value: v}
}

// valueOf reads the data of a value whose constructor was code.
func (d *decoder) valueOf(code byte) any {
	switch code {
	case codeNull:
		return nil
	case codeTrue, codeFalse, codeBool:
		return d.boolOf(code)
	case codeUbyte:
		return d.u8()
	case codeUshort:
		return d.u16()
	case codeUint0, codeSmallUint, codeUint:
		return d.uintOf(code)
	case codeUlong0, codeSmallUlong, codeUlong:
		return d.ulongOf(code)
	case codeByte:
		return int8(d.u8())
	case codeShort:
		return int16(d.u16())
	case codeSmallInt:
		return int32(int8(d.u8()))
	case codeInt:
		return int32(d.u32())
	case codeSmallLong:
		return int64(int8(d.u8()))
	case codeLong:
		return int64(d.u64())
	case codeFloat:
		return math.Float32frombits(d.u32())
	case codeDouble:
		return math.Float64frombits(d.u64())
	}
	return d.otherOf(code)
}

func (d *decoder) otherOf(code byte) any {
	switch code {
	case codeChar:
		return Char(d.u32())
	case codeTimestamp:
		return Timestamp(d.u64())
	case codeUUID:
		var v UUID
		copy(v[:], d.take(len(v)))
		return v
	case codeDecimal32:
		var v Decimal32
		copy(v[:], d.take(len(v)))
		return v
	case codeDecimal64:
		var v Decimal64
		copy(v[:], d.take(len(v)))
		return v
	case codeDecimal128:
		var v Decimal128
		copy(v[:], d.take(len(v)))
		return v
	case codeBinary8, codeBinary32:
		return append([]byte{}, d.variable(code)...)
	case codeString8, codeString32:
		return d.text(code)
	case codeSymbol8, codeSymbol32:
		return Symbol(d.text(code))
	case codeList0, codeList8, codeList32:
		return d.listOf(code)
	case codeMap8, codeMap32:
		return d.mapOf(code)
	case codeArray8, codeArray32:
		return d.arrayOf(code)
	}
	d.failCode(code, "", "a format code")
	return nil
}

func (d *decoder) boolOf(code byte) bool {
	switch code {
	case codeTrue:
		return true
	case codeFalse:
		return false
	}
	v := d.u8()
	if v > 1 {
		d.fail(d.pos-1, CondDecodeError, "", "0x00 or 0x01 for a boolean", "another byte")
	}
	return v == 1
}

func (d *decoder) uintOf(code byte) uint32 {
	switch code {
	case codeUint0:
		return 0
	case codeSmallUint:
		return uint32(d.u8())
	}
	return d.u32()
}

func (d *decoder) ulongOf(code byte) uint64 {
	switch code {
	case codeUlong0:
		return 0
	case codeSmallUlong:
		return uint64(d.u8())
	}
	return d.u64()
}

func (d *decoder) listOf(code byte) List {
	if code == codeList0 {
		return List{}
	}
	if !d.descend() {
		return nil
	}
	defer d.ascend()
	count, outer := d.enter(code)
	l := make(List, 0, min(count, growStep))
	for i := 0; i < count && d.another(); i++ {
		l = append(l, d.value())
	}
	d.leave(outer)
	return l
}

func (d *decoder) mapOf(code byte) Map {
	if !d.descend() {
		return nil
	}
	defer d.ascend()
	count, outer := d.enterMap(code)
	m := make(Map, 0, min(count/2, growStep))
	for i := 0; i < count && d.another(); i += 2 {
		key := d.value()
		m = append(m, Pair{Key: key, Value: d.value()})
	}
	d.leave(outer)
	return m
}

func (d *decoder) arrayOf(code byte) Array {
	if !d.descend() {
		return Array{}
	}
	defer d.ascend()
	at := d.pos
	count, outer := d.enter(code)
	a := Array{}
	element := d.code()
	if element == codeDescribed {
		a.Descriptor = d.value()
		if a.Descriptor == nil && d.err == nil {
			d.fail(d.pos, CondDecodeError, "", "a descriptor", "null")
		}
		element = d.code()
	}
	a.Type = codeTypes[element]
	if a.Type == 0 && d.err == nil {
		d.failCode(element, "", "the constructor of a primitive type")
	}
	count = d.boundCount(at, element, count)
	a.Elements = make([]any, 0, min(count, growStep))
	for i := 0; i < count && d.another(); i++ {
		a.Elements = append(a.Elements, d.valueOf(element))
	}
	d.leave(outer)
	return a
}

// boundCount refuses an array's count that the bytes left cannot hold, and more
// elements of no width than one decoder grants.
func (d *decoder) boundCount(at int, element byte, count int) int {
	if d.err != nil {
		return 0
	}
	width, fixed := fixedWidth(element)
	if !fixed {
		width = 1
	}
	limit := maxZeroWidth - d.zero
	if width > 0 {
		limit = d.left() / width
	} else {
		d.zero += count
	}
	if count > limit {
		d.fail(at, CondDecodeError, "", fmt.Sprintf("a count of at most %d", limit), fmt.Sprint(count))
		return 0
	}
	return count
}
