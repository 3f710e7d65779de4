package queue

// heap is a binary min-heap whose elements know where they are, so that one
// can be taken out of the middle in logarithmic time. One that empties gives back the
// memory that it had.
type heap[T any] struct {
	elems []T
	less  func(a, b T) bool
	place func(T) *int32 // where the element keeps its position; -1 is out
}

func (h *heap[T]) len() int { return len(h.elems) }

// min returns the smallest element; the heap must not be empty.
func (h *heap[T]) min() T { return h.elems[0] }

func (h *heap[T]) push(v T) {
	h.elems = append(h.elems, v)
	h.set(len(h.elems)-1, v)
	h.up(len(h.elems) - 1)
}

// remove takes v out; it does nothing when v is not in the heap.
func (h *heap[T]) remove(v T) {
	i := int(*h.place(v))
	if i < 0 {
		return
	}
	last := len(h.elems) - 1
	h.set(i, h.elems[last])
	var zero T
	h.elems[last] = zero
	h.elems = trimmed(h.elems[:last])
	*h.place(v) = -1
	if i < last {
		h.fix(i)
	}
}

// moved restores the order after v's key has changed.
func (h *heap[T]) moved(v T) { h.fix(int(*h.place(v))) }

func (h *heap[T]) fix(i int) {
	if !h.up(i) {
		h.down(i)
	}
}

func (h *heap[T]) set(i int, v T) {
	h.elems[i] = v
	*h.place(v) = int32(i)
}

func (h *heap[T]) swap(i, j int) {
	a, b := h.elems[i], h.elems[j]
	h.set(i, b)
	h.set(j, a)
}

func (h *heap[T]) up(i int) bool {
	start := i
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.elems[i], h.elems[parent]) {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i != start
}

func (h *heap[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.elems) {
			return
		}
		if r := child + 1; r < len(h.elems) && h.less(h.elems[r], h.elems[child]) {
			child = r
		}
		if !h.less(h.elems[child], h.elems[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
