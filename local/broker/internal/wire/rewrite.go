package wire

import "slices"

// Rewrite says what of a message changes when it is sent on. The zero Rewrite
// changes nothing.
type Rewrite struct {
	// Header replaces the header when it is not nil.
	Header *Header
	// Properties replaces the properties when it is not nil.
	Properties *Properties

	// The entries of these maps are added to the section, in the place of
	// entries with the same key, if there are any. All other entries stay
	// as they came, to the byte. Keys are Symbols in annotations and
	// strings in application properties; an entry that came with the other
	// of these two types under the same text is replaced too.
	DeliveryAnnotations   Map
	MessageAnnotations    Map
	ApplicationProperties Map

	// These name annotations that are left out, such as those that only the
	// server may set.
	DropDeliveryAnnotations, DropMessageAnnotations []string

	// EnsureProperties writes an empty properties section when there is
	// none: the Go client reads the header only if there is one.
	EnsureProperties bool
}

// AppendRewritten appends the message with the changes of r. Every section that
// r does not touch is copied verbatim. It fails with a *DecodeError when a
// section to be merged is broken and with an *EncodeError when r holds what has
// no encoding; b is then returned as it came.
func (m *Message) AppendRewritten(b []byte, r Rewrite) ([]byte, error) {
	w := rewriter{b: b}
	w.replace(m.Header, r.Header != nil, r.Header)
	w.merge(m.DeliveryAnnotations, descDeliveryAnnotations, r.DeliveryAnnotations, r.DropDeliveryAnnotations)
	w.merge(m.MessageAnnotations, descMessageAnnotations, r.MessageAnnotations, r.DropMessageAnnotations)
	properties := r.Properties
	if properties == nil && m.Properties == nil && r.EnsureProperties {
		properties = &Properties{}
	}
	w.replace(m.Properties, properties != nil, properties)
	w.merge(m.ApplicationProperties, descApplicationProperties, r.ApplicationProperties, nil)
	if w.err != nil {
		return b, w.err
	}
	return append(append(w.b, m.Body...), m.Footer...), nil
}

type rewriter struct {
	b   []byte
	err error
}

// replace appends a new section, or the old one verbatim.
func (w *rewriter) replace(section []byte, replaced bool, with interface {
	AppendBinary([]byte) ([]byte, error)
}) {
	switch {
	case w.err != nil:
	case replaced:
		w.b, w.err = with.AppendBinary(w.b)
	default:
		w.b = append(w.b, section...)
	}
}

// merge appends a map section with the entries of with put over those it has
// and without those named in drop.
func (w *rewriter) merge(section []byte, descriptor byte, with Map, drop []string) {
	switch {
	case w.err != nil:
	case len(with) == 0 && len(drop) == 0:
		w.b = append(w.b, section...)
	case section == nil && len(with) == 0:
	case section == nil:
		w.b, w.err = appendSection(w.b, descriptor, with)
	default:
		w.b, w.err = appendMerged(w.b, section, descriptor, with, drop)
	}
}

func appendMerged(b, section []byte, descriptor byte, with Map, drop []string) ([]byte, error) {
	before := len(b)
	b, start := openCompound(append(b, codeDescribed, codeSmallUlong, descriptor), codeMap8)
	b, kept, err := appendKept(b, section, with, drop)
	if err != nil {
		return nil, err
	}
	if b, err = appendPairs(b, with, 1); err != nil {
		return nil, err
	}
	if kept+len(with) == 0 {
		return b[:before], nil
	}
	return closeCompound(b, start, 2*(kept+len(with))), nil
}

// appendKept appends the entries of a map section that are neither in with nor
// in drop, as they came, and returns how many there were.
func appendKept(b, section []byte, with Map, drop []string) ([]byte, int, error) {
	d := newDecoder(section)
	d.descriptor()
	count, outer := d.enterMap(d.code())
	kept := 0
	for i := 0; i < count && d.err == nil; i += 2 {
		from := d.pos
		key, isText := d.keyText()
		d.skip()
		if d.err == nil && !(isText && (has(with, key) || slices.Contains(drop, string(key)))) {
			b = append(b, section[from:d.pos]...)
			kept++
		}
	}
	d.leave(outer)
	return b, kept, d.fault()
}

// keyText passes over a key and returns its text, which aliases the section,
// if it is a symbol or a string.
func (d *decoder) keyText() (text []byte, ok bool) {
	if d.pos < d.end {
		switch code := d.buf[d.pos]; codeTypes[code] {
		case TypeSymbol, TypeString:
			d.pos++
			return d.variable(code), true
		}
	}
	d.skip()
	return nil, false
}

// has tells whether m has an entry whose key is the symbol or string text.
func has(m Map, text []byte) bool {
	for i := range m {
		switch k := m[i].Key.(type) {
		case Symbol:
			if string(k) == string(text) {
				return true
			}
		case string:
			if k == string(text) {
				return true
			}
		}
	}
	return false
}
