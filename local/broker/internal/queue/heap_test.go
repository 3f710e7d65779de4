package queue

import "testing"

// A heap that empties gives its memory back: a queue of millions that was restored is
// one heap.
func TestHeapIsNoLargerThanItsElements(t *testing.T) {
	type element struct {
		key   int
		place int32
	}
	h := heap[*element]{less: func(a, b *element) bool { return a.key < b.key }, place: func(e *element) *int32 { return &e.place }}
	for key := range 10_000 {
		h.push(&element{key: key * 7919 % 10_000})
	}
	for want := range 10_000 {
		e := h.min()
		if e.key != want {
			t.Fatalf("the least is %d, want %d", e.key, want)
		}
		if h.remove(e); e.place != -1 {
			t.Fatalf("what is out has place %d", e.place)
		}
		if got := cap(h.elems); got > max(16, 8*h.len()) {
			t.Fatalf("%d places for %d elements", got, h.len())
		}
	}
}
