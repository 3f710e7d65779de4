package queue

import (
	"cmp"
	"slices"
)

// fan is the largest number of entries in a leaf, and of children of an inner node.
const fan = 64

// tree is a map in the order of its keys that also counts: it finds the first key at
// or after another, and the n-th. It is a B+ tree. Whatever is asked of it costs the
// logarithm of its size, wherever the key is, and memory follows the number of keys:
// keys that come in ascending order fill the leaves, and a leaf that empties gives
// back what it had. Leaves are not merged; the height stays that of the largest size.
type tree[K cmp.Ordered, V any] struct {
	root *node[K, V]
}

// node is a leaf, which has values, or has children. The key of a child is not above
// any in it.
type node[K cmp.Ordered, V any] struct {
	keys     []K
	values   []V
	children []*node[K, V]
	size     int // of all leaves below
}

func (t *tree[K, V]) len() int {
	if t.root == nil {
		return 0
	}
	return t.root.size
}

// insert adds a key, which must not be there.
func (t *tree[K, V]) insert(k K, v V) {
	if t.root == nil {
		t.root = &node[K, V]{}
	}
	if right := t.root.insert(k, v); right != nil {
		left := t.root
		t.root = &node[K, V]{keys: []K{left.keys[0], right.keys[0]}, children: []*node[K, V]{left, right}, size: left.size + right.size}
	}
}

// remove takes a key out. It does nothing when the key is not there.
func (t *tree[K, V]) remove(k K) {
	if t.root == nil || !t.root.remove(k) {
		return
	}
	for len(t.root.children) == 1 {
		t.root = t.root.children[0]
	}
	if t.root.size == 0 {
		t.root = nil
	}
}

// at returns the value of the first key at or after k.
func (t *tree[K, V]) at(k K) (key K, v V, ok bool) {
	if t.root == nil {
		return key, v, false
	}
	return t.root.at(k)
}

// get returns the value of a key.
func (t *tree[K, V]) get(k K) (v V, ok bool) {
	if key, v, ok := t.at(k); ok && key == k {
		return v, true
	}
	return v, false
}

// before is how many keys are smaller than k.
func (t *tree[K, V]) before(k K) int {
	if t.root == nil {
		return 0
	}
	return t.root.before(k)
}

// page returns the values of at most limit keys, from the skip-th on.
func (t *tree[K, V]) page(skip, limit int) []V {
	if t.root == nil || skip >= t.root.size || limit <= 0 {
		return nil
	}
	return t.root.page(nil, skip, limit)
}

// rank is how many of the keys are not above k.
func rank[K cmp.Ordered](keys []K, k K) int {
	low, high := 0, len(keys)
	for low < high {
		if middle := (low + high) / 2; keys[middle] <= k {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// child is the place of the child that has a key, if any does.
func (n *node[K, V]) child(k K) int { return max(0, rank(n.keys, k)-1) }

// insert returns the right half of a node that had no room.
func (n *node[K, V]) insert(k K, v V) (right *node[K, V]) {
	n.size++
	if n.children == nil {
		at := rank(n.keys, k)
		if len(n.keys) < fan {
			n.keys, n.values = slices.Insert(n.keys, at, k), slices.Insert(n.values, at, v)
			return nil
		}
		right = n.split(at)
		if at > len(n.keys) || right.size == 0 {
			at -= len(n.keys)
			right.keys, right.values = slices.Insert(right.keys, at, k), slices.Insert(right.values, at, v)
			right.size++
			n.size--
			return right
		}
		n.keys, n.values = slices.Insert(n.keys, at, k), slices.Insert(n.values, at, v)
		return right
	}
	at := n.child(k)
	n.keys[at] = min(n.keys[at], k)
	grown := n.children[at].insert(k, v)
	if grown == nil {
		return nil
	}
	at++
	if len(n.keys) < fan {
		n.keys, n.children = slices.Insert(n.keys, at, grown.keys[0]), slices.Insert(n.children, at, grown)
		return nil
	}
	right = n.split(at)
	to := n
	if at > len(n.keys) || right.size == 0 {
		at -= len(n.keys)
		to = right
		n.size -= grown.size
		right.size += grown.size
	}
	to.keys, to.children = slices.Insert(to.keys, at, grown.keys[0]), slices.Insert(to.children, at, grown)
	return right
}

// split moves the upper half of a full node into a new one, or nothing when the next
// key goes to its end: keys that only grow leave full nodes behind.
func (n *node[K, V]) split(at int) *node[K, V] {
	half := fan / 2
	if at == fan {
		half = fan
	}
	right := &node[K, V]{keys: slices.Clone(n.keys[half:])}
	n.keys = slices.Delete(n.keys, half, fan)
	if n.children == nil {
		right.values = slices.Clone(n.values[half:])
		n.values = slices.Delete(n.values, half, fan)
		right.size = len(right.keys)
	} else {
		right.children = slices.Clone(n.children[half:])
		n.children = slices.Delete(n.children, half, fan)
		for _, c := range right.children {
			right.size += c.size
		}
	}
	n.size -= right.size
	return right
}

func (n *node[K, V]) remove(k K) bool {
	if n.children == nil {
		at := rank(n.keys, k) - 1
		if at < 0 || n.keys[at] != k {
			return false
		}
		n.keys, n.values = trimmed(slices.Delete(n.keys, at, at+1)), trimmed(slices.Delete(n.values, at, at+1))
		n.size--
		return true
	}
	at := n.child(k)
	if !n.children[at].remove(k) {
		return false
	}
	n.size--
	if n.children[at].size == 0 {
		n.keys, n.children = trimmed(slices.Delete(n.keys, at, at+1)), trimmed(slices.Delete(n.children, at, at+1))
	}
	return true
}

// trimmed gives memory back that a slice has much too much of.
func trimmed[T any](s []T) []T {
	if cap(s) >= 16 && len(s) <= cap(s)/4 {
		return append(make([]T, 0, 2*len(s)), s...)
	}
	return s
}

func (n *node[K, V]) at(k K) (key K, v V, ok bool) {
	if n.children == nil {
		at := rank(n.keys, k)
		if at > 0 && n.keys[at-1] == k {
			at--
		}
		if at == len(n.keys) {
			return key, v, false
		}
		return n.keys[at], n.values[at], true
	}
	for _, c := range n.children[n.child(k):] { // the second has it if the first doesn't
		if key, v, ok := c.at(k); ok {
			return key, v, true
		}
	}
	return key, v, false
}

func (n *node[K, V]) before(k K) int {
	if n.children == nil {
		at := rank(n.keys, k)
		if at > 0 && n.keys[at-1] == k {
			at--
		}
		return at
	}
	at, count := n.child(k), 0
	for _, c := range n.children[:at] {
		count += c.size
	}
	return count + n.children[at].before(k)
}

// page appends values, from the skip-th on, until there are limit of them.
func (n *node[K, V]) page(to []V, skip, limit int) []V {
	if n.children == nil {
		from := n.values[skip:]
		return append(to, from[:min(limit-len(to), len(from))]...)
	}
	for _, c := range n.children {
		if skip >= c.size {
			skip -= c.size
			continue
		}
		if len(to) == limit {
			break
		}
		to, skip = c.page(to, skip, limit), 0
	}
	return to
}
