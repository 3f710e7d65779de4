package queue

import "sort"

// span is the number of consecutive sequence numbers in one block. A block
// that has a single survivor wastes its other slots, so it is kept small.
const span = 64

// block holds the entries of the sequence numbers base to base+span-1.
type block struct {
	base  int64
	live  int
	slots [span]*entry
}

// index finds entries by sequence number, exactly or the next one at or after
// it. Blocks are sorted by base and never empty. Arrivals go to the last block
// and most removals hit one of the first, so both ends are cheap; the search
// gallops from the front and costs the logarithm of the distance from it, not
// of the depth.
type index struct {
	blocks []*block
	len    int
	bytes  int64 // of all entries
}

// find returns the position of the first block that reaches seq or beyond.
func (x *index) find(seq int64) int {
	if n := len(x.blocks); n > 0 && x.blocks[n-1].base <= seq {
		if seq < x.blocks[n-1].base+span {
			return n - 1
		}
		return n
	}
	lo, hi := 0, 1
	for hi < len(x.blocks) && x.blocks[hi].base+span <= seq {
		lo, hi = hi, hi*2
	}
	hi = min(hi+1, len(x.blocks))
	return lo + sort.Search(hi-lo, func(i int) bool { return x.blocks[lo+i].base+span > seq })
}

// insert adds e; its sequence number must be free.
func (x *index) insert(e *entry) {
	base := e.seq - e.seq%span
	i := x.find(e.seq)
	if i == len(x.blocks) || x.blocks[i].base != base {
		x.blocks = append(x.blocks, nil)
		copy(x.blocks[i+1:], x.blocks[i:])
		x.blocks[i] = &block{base: base}
	}
	b := x.blocks[i]
	b.slots[e.seq-base] = e
	b.live++
	x.len++
	x.bytes += e.bytes()
}

// remove takes e out.
func (x *index) remove(e *entry) {
	i := x.find(e.seq)
	b := x.blocks[i]
	b.slots[e.seq-b.base] = nil
	b.live--
	x.len--
	x.bytes -= e.bytes()
	switch {
	case b.live > 0:
	case i == 0:
		x.blocks[0] = nil
		x.blocks = x.blocks[1:]
	default:
		copy(x.blocks[i:], x.blocks[i+1:])
		x.blocks[len(x.blocks)-1] = nil
		x.blocks = x.blocks[:len(x.blocks)-1]
	}
}

// from calls yield for the entries at or after seq, in order, until it returns
// false.
func (x *index) from(seq int64, yield func(*entry) bool) {
	for i := x.find(seq); i < len(x.blocks); i++ {
		b := x.blocks[i]
		for _, e := range b.slots[max(0, seq-b.base):] {
			if e != nil && !yield(e) {
				return
			}
		}
	}
}

// at returns the first entry at or after seq, nil when there is none.
func (x *index) at(seq int64) *entry {
	var found *entry
	x.from(seq, func(e *entry) bool {
		found = e
		return false
	})
	return found
}
