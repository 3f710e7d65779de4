package messages

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is how deep a value may nest that is passed over. What is read by
// name nests as deep as the contract does, four levels.
const maxDepth = 32

// reader reads one JSON document by its grammar. The first fault sticks, with
// the path at which it was found; after it every method returns a zero value,
// so that the functions which read a document can be written without a check
// per member.
type reader struct {
	body   []byte
	pos    int
	reason string // of the faults found
	// lenient passes over members that are not known instead of refusing them.
	lenient bool
	path    []step
	fault   *DecodeError
}

// step is one part of a path: a member's name, or an element's index where the
// name is empty.
type step struct {
	name  string
	index int
}

// fail records the first fault, at the present path.
func (r *reader) fail(problem string) {
	if r.fault == nil {
		r.fault = &DecodeError{Reason: r.reason, Path: r.where(), Problem: problem}
	}
}

func (r *reader) where() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range r.path {
		if s.name == "" {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		b.WriteString("." + s.name)
	}
	return b.String()
}

func (r *reader) enter(s step) { r.path = append(r.path, s) }
func (r *reader) leave()       { r.path = r.path[:len(r.path)-1] }

// members takes an object and yields the name of each member; the loop's body
// must take the value. The name is good only until then.
func (r *reader) members(yield func(name []byte) bool) {
	if !r.expect('{', "an object") {
		return
	}
	if r.accept('}') {
		return
	}
	for {
		name := r.str()
		if r.fault == nil && !r.accept(':') {
			r.syntax("a colon is expected")
		}
		if r.fault != nil || !yield(name) || r.fault != nil {
			return
		}
		if r.accept('}') {
			return
		}
		if !r.accept(',') {
			r.syntax("a comma or the end of an object is expected")
			return
		}
	}
}

// object takes an object that has no members but the named ones, each at most
// once, and yields their names as they come.
func (r *reader) object(names []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var seen uint64
		position := 0
		for key := range r.members {
			position++
			i := slices.IndexFunc(names, func(name string) bool { return name == string(key) })
			if i < 0 && r.lenient {
				r.skip(0)
				continue
			}
			if i < 0 {
				r.unknown(names, key, position)
				return
			}
			r.enter(step{name: names[i]})
			if seen&(1<<i) != 0 {
				r.fail("is given twice")
				return
			}
			seen |= 1 << i
			if !yield(names[i]) {
				return
			}
			r.leave()
		}
	}
}

// unknown refuses a member. It tells the position, not the name, which may be
// somebody's number; only a name that is wrong in its case alone is certainly
// ours to repeat.
func (r *reader) unknown(names []string, key []byte, position int) {
	for _, name := range names {
		if bytes.EqualFold(key, []byte(name)) {
			r.enter(step{name: name})
			r.fail("must be spelled exactly so: names of members are case-sensitive")
			return
		}
	}
	r.fail("has an unknown member (number " + strconv.Itoa(position) +
		" of the object); known are " + strings.Join(names, ", "))
}

// elements takes an array and yields the index of each element; the loop's
// body must take the value.
func (r *reader) elements(yield func(int) bool) {
	if !r.expect('[', "an array") {
		return
	}
	if r.accept(']') {
		return
	}
	for i := 0; ; i++ {
		r.enter(step{index: i})
		if !yield(i) || r.fault != nil {
			return
		}
		r.leave()
		if r.accept(']') {
			return
		}
		if !r.accept(',') {
			r.syntax("a comma or the end of an array is expected")
			return
		}
	}
}

// text takes a string that is not empty. want describes what is allowed here.
func (r *reader) text(want string) string {
	if r.fault != nil || !r.is('"', want) {
		return ""
	}
	text := r.str()
	if r.fault == nil && len(text) == 0 {
		r.fail("must not be empty")
	}
	return string(text)
}

// boolean takes true or false.
func (r *reader) boolean() bool {
	switch {
	case r.fault != nil:
	case r.literal("true"):
		return true
	case r.literal("false"):
	default:
		r.mismatch("true or false")
	}
	return false
}

// null takes null if it is next.
func (r *reader) null() bool { return r.fault == nil && r.literal("null") }

// whole takes a whole number from 0 to limit in plain digits.
func (r *reader) whole(limit int) int {
	const want = "a whole number in plain digits"
	if r.fault != nil {
		return 0
	}
	if kind(r.space()) != "a number" {
		r.mismatch(want)
		return 0
	}
	number := r.number()
	if r.fault != nil {
		return 0
	}
	if bytes.ContainsAny(number, "-.eE") {
		r.fail("must be " + want + ": no sign, fraction or exponent")
		return 0
	}
	n, err := strconv.Atoi(string(number))
	if err != nil || n > limit {
		r.fail("must be at most " + strconv.Itoa(limit))
		return 0
	}
	return n
}

// skip takes a value of any kind and checks no more than that it is JSON.
func (r *reader) skip(depth int) {
	switch c := r.space(); {
	case depth > maxDepth:
		r.fail("is nested too deeply")
	case c == '{':
		for range r.members {
			r.skip(depth + 1)
		}
	case c == '[':
		for range r.elements {
			r.skip(depth + 1)
		}
	case c == '"':
		r.str()
	case r.literal("true"), r.literal("false"), r.literal("null"):
	default:
		r.number()
	}
}

// end makes sure that nothing but white space follows the document.
func (r *reader) end() {
	if r.fault == nil && (r.space() != 0 || r.pos < len(r.body)) {
		r.syntax("something follows the document")
	}
}

// expect takes the opening byte of what is wanted.
func (r *reader) expect(c byte, want string) bool {
	if r.fault != nil || !r.is(c, want) {
		return false
	}
	r.pos++
	return true
}

// is reports whether c is next, and records what was found if not.
func (r *reader) is(c byte, want string) bool {
	if r.space() == c {
		return true
	}
	r.mismatch(want)
	return false
}

// mismatch records that a value of another kind was found than is wanted.
func (r *reader) mismatch(want string) {
	found := kind(r.space())
	if found == "" {
		r.syntax("a value is expected")
		return
	}
	r.fail("must be " + want + ", is " + found)
}

// kind names the kind of value that begins with c.
func kind(c byte) string {
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	}
	return ""
}
