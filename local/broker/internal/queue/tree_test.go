package queue

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTreeAgainstSortedKeys does at random what a queue does with its trees: keys grow,
// come in the middle, and go from anywhere.
func TestTreeAgainstSortedKeys(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var tr tree[int64, int64]
		want := map[int64]int64{}
		last := int64(0)
		span := []int64{100, 5000, 1_000_000}[rng.IntN(3)]
		for range 4000 {
			key := rng.Int64N(span)
			switch rng.IntN(10) {
			case 0, 1, 2:
				for range rng.IntN(200) {
					last++
					if _, there := want[last]; !there {
						tr.insert(last, -last)
						want[last] = -last
					}
				}
			case 3, 4, 5:
				if _, there := want[key]; !there {
					tr.insert(key, -key)
					want[key] = -key
				}
			case 6:
				if from, _, ok := tr.at(key); ok { // many in a row
					for range rng.IntN(200) {
						tr.remove(from)
						delete(want, from)
						from++
					}
				}
			default:
				tr.remove(key)
				delete(want, key)
			}
		}
		compareTree(t, rng, &tr, want, span)
		for key := range want {
			tr.remove(key)
		}
		if _, _, ok := tr.at(0); tr.len() != 0 || ok || tr.page(0, 1) != nil || tr.before(5) != 0 {
			t.Errorf("%d keys are left", tr.len())
		}
	}
}

func compareTree(t *testing.T, rng *rand.Rand, tr *tree[int64, int64], want map[int64]int64, span int64) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(want))
	if tr.len() != len(keys) {
		t.Fatalf("%d keys, want %d", tr.len(), len(keys))
	}
	for range 200 {
		key := rng.Int64N(span+10) - 5
		at, exact := slices.BinarySearch(keys, key)
		found, v, ok := tr.at(key)
		if ok != (at < len(keys)) || ok && (found != keys[at] || v != -found) {
			t.Errorf("at %d: %d, %d, %v", key, found, v, ok)
		}
		if v, ok := tr.get(key); ok != exact || ok && v != -key {
			t.Errorf("get %d: %d, %v", key, v, ok)
		}
		if got := tr.before(key); got != at {
			t.Errorf("%d keys before %d, want %d", got, key, at)
		}
		skip, limit := rng.IntN(len(keys)+2), rng.IntN(300)
		page := keys[min(skip, len(keys)):]
		page = page[:min(limit, len(page))]
		if got := tr.page(skip, limit); !slices.EqualFunc(got, page, func(v, key int64) bool { return v == -key }) {
			t.Errorf("page from %d has %d keys, want %d", skip, len(got), len(page))
		}
	}
}

// Leaves that empty give their memory back, and full ones stay full.
func TestTreeIsNoLargerThanItsKeys(t *testing.T) {
	var tr tree[int64, int64]
	for key := range int64(100_000) {
		tr.insert(key, 0)
	}
	if got := places(tr.root); got > 102_000 {
		t.Errorf("%d places for 100000 keys that came in order", got)
	}
	for key := range int64(100_000) {
		if key%fan != 0 {
			tr.remove(key)
		}
	}
	if got := places(tr.root); got > 10*tr.len() {
		t.Errorf("%d places for %d keys", got, tr.len())
	}
}

// places counts what the slices of a node and those below it have room for.
func places(n *node[int64, int64]) int {
	count := cap(n.keys)
	for _, c := range n.children {
		count += places(c)
	}
	return count
}
