package messages

import (
	"slices"
	"strconv"
)

// envelope reads a structured event up to its data: the attributes, and the
// place of the data in the body. The data is passed over until it is known
// what it is, as attributes may stand behind it.
func (r *reader) envelope() (a attributes, data int) {
	data = -1
	position := 0
	var extensions []string
	for name := range r.members {
		position++
		if position > maxAttributes {
			r.fail("must not have more than " + strconv.Itoa(maxAttributes) + " members")
			return a, data
		}
		i := attributeIndex(name)
		switch {
		case i >= 0:
			r.attribute(&a, i)
		case string(name) == "data":
			if data >= 0 {
				a.note(r.about(".data", "is given twice"))
			}
			r.space()
			data = r.pos
			r.enter(step{name: "data"})
			r.skip(1)
			r.leave()
		case string(name) == "data_base64":
			a.note(r.about(".data_base64", "is not allowed: data must be a JSON object"))
			r.skip(1)
		default:
			extension := string(name)
			r.extension(&a, extension, slices.Contains(extensions, extension), position)
			extensions = append(extensions, extension)
		}
	}
	r.end()
	return a, data
}

// about makes a fault which is not one of the JSON's form.
func (r *reader) about(path, problem string) *DecodeError {
	return &DecodeError{Reason: r.reason, Path: "$" + path, Problem: problem}
}

// attribute reads the value of a known attribute. Null means that it is not
// given (CloudEvents JSON format, section 2.2).
func (r *reader) attribute(a *attributes, i int) {
	path := attributeRules[i].name
	if a.given[i] {
		a.note(r.about("."+path, "is given twice"))
	}
	r.enter(step{name: path})
	defer r.leave()
	switch found := kind(r.space()); {
	case found == "a string":
		a.text[i], a.given[i] = string(r.str()), true
	case r.null():
	default:
		r.skip(1)
		a.given[i] = true
		a.note(r.about("."+path, "must be a string, is "+found))
	}
}

// extension passes over an extension attribute. Its name is not repeated in a
// fault, since anything may be in it.
func (r *reader) extension(a *attributes, name string, twice bool, position int) {
	which := "has an attribute (number " + strconv.Itoa(position) + " of the object) "
	switch c := r.space(); {
	case !legalExtension(name):
		a.note(r.about("", which+"whose name is not made of lower-case letters and digits"))
	case twice:
		a.note(r.about("", which+"that is given twice"))
	case c == '{' || c == '[':
		a.note(r.about("", which+"that is neither a string nor a boolean nor a number"))
	}
	r.skip(1)
}

// structured reads the envelope of a structured event of the wanted type and
// leaves the reader before its data.
func (r *reader) structured(wantType string) (h header) {
	a, data := r.envelope()
	if r.fault != nil {
		return h
	}
	if h, r.fault = a.header(wantType, r.reason); r.fault != nil {
		return h
	}
	r.enter(step{name: "data"})
	if data < 0 {
		r.fail("is required")
		return h
	}
	r.pos = data
	return h
}

// appendEnvelope appends a structured event up to its data.
func appendEnvelope(b []byte, eventType, schema string, h *header) []byte {
	b = append(b, '{')
	b = appendText(b, "specversion", specVersion)
	b = appendText(b, "type", eventType)
	b = appendText(b, "id", h.id)
	b = appendText(b, "source", h.source)
	b = appendTime(b, "time", h.time)
	b = appendText(b, "datacontenttype", BinaryContentType)
	b = appendText(b, "dataschema", schema)
	b = appendText(b, "traceparent", h.traceParent)
	b = appendText(b, "tracestate", h.traceState)
	return appendName(b, "data")
}
