package broker

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

const (
	// maxConfigSize and maxConfigDepth bound what is parsed: the parser calls itself
	// for every level, and a stack that overflows ends the process.
	maxConfigSize  = 4 << 20
	maxConfigDepth = 64
)

// configReader reads the values of a configuration, and collects what is wrong with
// them together with the place of each.
type configReader struct {
	text   []byte
	faults []configFault
}

type configFault struct {
	offset int
	error
}

// configRead reads a value that stands at a path such as UserConfig.Namespaces[0].
type configRead func(path string, v *hujson.Value)

func (r *configReader) fault(path string, v *hujson.Value, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	err := fmt.Errorf("%s: %s%w", r.place(v.StartOffset), path, fmt.Errorf(format, args...))
	r.faults = append(r.faults, configFault{v.StartOffset, err})
}

// err is all faults in the order of the text.
func (r *configReader) err() error {
	slices.SortStableFunc(r.faults, func(a, b configFault) int { return a.offset - b.offset })
	var all []error
	for _, f := range r.faults {
		all = append(all, f.error)
	}
	return errors.Join(all...)
}

// place is the line and the column, in bytes, of an offset; both count from 1.
func (r *configReader) place(offset int) string {
	before := r.text[:offset]
	return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), offset-bytes.LastIndexByte(before, '\n'))
}

// parse reads JSON with comments.
func (r *configReader) parse() (hujson.Value, error) {
	if depth := nesting(r.text); depth > maxConfigDepth {
		return hujson.Value{}, fmt.Errorf("values are nested more than %d deep", maxConfigDepth)
	}
	// The parser wants the end of the line after a comment, even on the last line.
	v, err := hujson.Parse(append(slices.Clip(r.text), '\n'))
	if err != nil {
		text := err.Error()
		return v, errors.New(strings.TrimPrefix(text, "hujson: "))
	}
	return v, nil
}

// nesting tells how deep arrays and objects stand in each other. Brackets in strings
// and comments don't count.
func nesting(text []byte) (deepest int) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '/' && bytes.HasPrefix(text[i:], []byte("//")):
			i += skipTo(text[i:], "\n")
		case c == '/' && bytes.HasPrefix(text[i:], []byte("/*")):
			i += 2
			i += skipTo(text[min(i, len(text)):], "*/")
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// skipTo is how far it is to the last character of end, or to the end of the text.
func skipTo(text []byte, end string) int {
	if i := bytes.Index(text, []byte(end)); i >= 0 {
		return i + len(end) - 1
	}
	return len(text)
}

// object reads the members of an object. Names are found as they are written; one
// that has no reader is a fault, and null is as good as absent.
func (r *configReader) object(members map[string]configRead) configRead {
	return func(path string, v *hujson.Value) {
		object, ok := v.Value.(*hujson.Object)
		if !ok {
			r.fault(path, v, "must be an object")
			return
		}
		seen := make(map[string]bool)
		for i := range object.Members {
			m := &object.Members[i]
			name := m.Name.Value.(hujson.Literal).String()
			at := strings.TrimPrefix(path+"."+name, ".")
			switch read, known := members[name]; {
			case !known:
				r.fault(path, &m.Name, "the member %q is unknown", name)
			case seen[name]:
				r.fault(path, &m.Name, "the member %q stands here twice", name)
			case m.Value.Value.Kind() != 'n':
				read(at, &m.Value)
			}
			seen[name] = true
		}
	}
}

// elements reads each element of an array.
func (r *configReader) elements(read configRead) configRead {
	return func(path string, v *hujson.Value) {
		array, ok := v.Value.(*hujson.Array)
		if !ok {
			r.fault(path, v, "must be an array")
			return
		}
		for i := range array.Elements {
			read(fmt.Sprintf("%s[%d]", path, i), &array.Elements[i])
		}
	}
}

func (r *configReader) string(to *string) configRead {
	return func(path string, v *hujson.Value) {
		if v.Value.Kind() != '"' {
			r.fault(path, v, "must be a string")
			return
		}
		*to = v.Value.(hujson.Literal).String()
	}
}

func (r *configReader) bool(to *bool) configRead {
	return func(path string, v *hujson.Value) {
		if k := v.Value.Kind(); k != 't' && k != 'f' {
			r.fault(path, v, "must be true or false")
			return
		}
		*to = v.Value.(hujson.Literal).Bool()
	}
}

// count reads a number that is at least 1.
func (r *configReader) count(to *int) configRead {
	return func(path string, v *hujson.Value) {
		if v.Value.Kind() != '0' {
			r.fault(path, v, "must be a number")
			return
		}
		n, err := strconv.ParseInt(string(v.Value.(hujson.Literal)), 10, 32)
		if err != nil || n < 1 {
			r.fault(path, v, "must be a whole number from 1 on")
			return
		}
		*to = int(n)
	}
}

// duration reads a duration of ISO 8601 that is longer than nothing, and may have no
// bound.
func (r *configReader) duration(to *time.Duration) configRead { return r.span(parsePositive, to) }

// bounded reads one that must have a bound.
func (r *configReader) bounded(to *time.Duration) configRead { return r.span(parseBounded, to) }

func (r *configReader) span(parse func(string) (time.Duration, error), to *time.Duration) configRead {
	return func(path string, v *hujson.Value) {
		if v.Value.Kind() != '"' {
			r.fault(path, v, "must be a duration such as \"PT1M\"")
			return
		}
		text := v.Value.(hujson.Literal).String()
		d, err := parse(text)
		if err != nil {
			r.fault(path, v, "%w", err)
			return
		}
		*to = d
	}
}

// ignored takes what means nothing here.
func ignored(string, *hujson.Value) {}
