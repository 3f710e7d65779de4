package wire

import "fmt"

// Validate looks at everything inside the message that Split left alone: every
// value in every section can be decoded, maps are maps of keys that belong
// there. What passes can be handed to another client without breaking its
// decoder. The types of the fields of header and properties are not checked
// here but by ParseHeader and ParseProperties. It does not allocate as long as
// nothing is wrong. The error is a *DecodeError, with its offset counted from
// the start of the section.
func (m *Message) Validate() error {
	for _, section := range [...][]byte{
		m.Header, m.DeliveryAnnotations, m.MessageAnnotations, m.Properties, m.ApplicationProperties, m.Body, m.Footer,
	} {
		d := newDecoder(section)
		for d.pos < d.end {
			d.checkSection()
		}
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// checkSection passes over one section whose descriptor is known.
func (d *decoder) checkSection() {
	descriptor := d.descriptor()
	switch descriptor {
	case descDeliveryAnnotations, descMessageAnnotations, descFooter:
		d.checkKeys(descriptor, true)
	case descApplicationProperties:
		d.checkKeys(descriptor, false)
	default:
		d.check()
	}
}

// checkKeys passes over a map with keys of type symbol or string, or ulong
// where the specification reserves that. Which of symbol and string is right
// depends on the section, but clients mix them up and decoders take both.
func (d *decoder) checkKeys(descriptor uint64, ulong bool) {
	count, outer := d.enterMap(d.code())
	for i := 0; i < count && d.err == nil; i += 2 {
		if d.pos < d.end {
			switch t := codeTypes[d.buf[d.pos]]; {
			case t == TypeSymbol, t == TypeString, t == TypeUlong && ulong:
			default:
				d.fail(d.pos, CondDecodeError, "message."+sectionName(descriptor), "a symbol or string as key", "another type")
			}
		}
		d.check()
		d.check()
	}
	d.leave(outer)
}

// enterMap is enter for a map, whose count must be even.
func (d *decoder) enterMap(code byte) (count, outer int) {
	at := d.pos
	count, outer = d.enter(code)
	if count%2 != 0 {
		d.fail(at, CondDecodeError, "", "an even count in a map", fmt.Sprint(count))
		count = 0
	}
	return count, outer
}

// check passes over one value as value does, with the same demands, and builds
// nothing.
func (d *decoder) check() {
	code := d.code()
	switch {
	case d.err != nil:
	case code == codeDescribed:
		if d.descend() {
			d.checkDescriptor()
			d.check()
			d.ascend()
		}
	default:
		d.checkOf(code)
	}
}

// checkDescriptor passes over a descriptor, which is not null.
func (d *decoder) checkDescriptor() {
	if d.tryCode(codeNull) {
		d.fail(d.pos-1, CondDecodeError, "", "a descriptor", "null")
	}
	d.check()
}

// checkOf passes over the data of a value whose constructor was code.
func (d *decoder) checkOf(code byte) {
	switch t := codeTypes[code]; t {
	case 0:
		d.failCode(code, "", "a format code")
	case TypeBoolean:
		d.boolOf(code)
	case TypeBinary:
		d.variable(code)
	case TypeString, TypeSymbol:
		d.utf8(code)
	case TypeList, TypeMap, TypeArray:
		if code != codeList0 && d.descend() {
			d.checkCompound(code, t)
			d.ascend()
		}
	default:
		n, _ := fixedWidth(code)
		d.take(n)
	}
}

func (d *decoder) checkCompound(code byte, t Type) {
	var count, outer int
	switch t {
	case TypeArray:
		d.checkArray(code)
		return
	case TypeMap:
		count, outer = d.enterMap(code)
	default:
		count, outer = d.enter(code)
	}
	for i := 0; i < count && d.err == nil; i++ {
		d.check()
	}
	d.leave(outer)
}

func (d *decoder) checkArray(code byte) {
	at := d.pos
	count, outer := d.enter(code)
	if d.tryCode(codeDescribed) {
		d.checkDescriptor()
	}
	element := d.code()
	if codeTypes[element] == 0 && d.err == nil {
		d.failCode(element, "", "the constructor of a primitive type")
	}
	count = d.boundCount(at, element, count)
	for i := 0; i < count && d.err == nil; i++ {
		d.checkOf(element)
	}
	d.leave(outer)
}
