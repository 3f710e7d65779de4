package report

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Order says how the rows are sorted. The zero value is that of DefaultOrder.
type Order struct{ terms []orderTerm }

type orderTerm struct {
	appendTo func([]byte, *Row) []byte
	down     bool
}

// DefaultOrder has the users on top who are enforced or enabled, and sorts by
// principal name within each state.
const DefaultOrder = "state,user"

// orderFields are what can be sorted by. A part of a key compares as bytes, and
// none is the beginning of another.
var orderFields = func() map[string]func([]byte, *Row) []byte {
	fields := map[string]func([]byte, *Row) []byte{}
	for name, of := range textFields {
		fields[name] = textKey(of)
	}
	for name, f := range rankFields {
		fields[name] = rankKey(f.of, f.ranks...)
	}
	for name, of := range flagFields {
		fields[name] = rankKey(func(r *Row) string { return of(r).String() }, Yes.String(), No.String())
	}
	for name, of := range timeFields {
		fields[name] = timeKey(of)
	}
	return fields
}()

// OrderFields lists what can be sorted by.
func OrderFields() []string { return slices.Sorted(maps.Keys(orderFields)) }

// ParseOrder reads fields separated by commas, the most important first. A - in
// front of one turns it round.
func ParseOrder(s string) (Order, error) {
	var o Order
	var faults []error
	for term := range strings.SplitSeq(s, ",") {
		name, down := strings.CutPrefix(strings.ToLower(strings.TrimSpace(term)), "-")
		field, known := orderFields[name]
		if !known {
			faults = append(faults, fmt.Errorf("sort by %q: no such field; there are %s", name, strings.Join(OrderFields(), ", ")))
			continue
		}
		o.terms = append(o.terms, orderTerm{field, down})
	}
	return o, errors.Join(faults...)
}

// key appends what the row is sorted by. The id at its end makes it unique.
func (o Order) key(b []byte, r *Row) []byte {
	for _, t := range o.terms {
		from := len(b)
		b = t.appendTo(b, r)
		if t.down {
			for i := from; i < len(b); i++ {
				b[i] = ^b[i]
			}
		}
	}
	return append(b, r.ID...)
}

func textKey(of func(*Row) string) func([]byte, *Row) []byte {
	return func(b []byte, r *Row) []byte {
		b = append(b, strings.ReplaceAll(strings.ToLower(of(r)), "\x00", "")...)
		return append(b, 0)
	}
}

// rankKey puts the listed values first, in that order, and all others last.
func rankKey(of func(*Row) string, ranks ...string) func([]byte, *Row) []byte {
	return func(b []byte, r *Row) []byte {
		if i := slices.Index(ranks, of(r)); i >= 0 {
			return append(b, byte(i))
		}
		return append(b, byte(len(ranks)))
	}
}

func timeKey(of func(*Row) time.Time) func([]byte, *Row) []byte {
	return func(b []byte, r *Row) []byte {
		t := of(r)
		if t.IsZero() {
			return binary.BigEndian.AppendUint64(b, 0)
		}
		return binary.BigEndian.AppendUint64(b, uint64(t.Unix())^1<<63)
	}
}
