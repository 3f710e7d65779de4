package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// bbolt trusts its file: where that is damaged it panics, also in goroutines of its
// own, or reads memory that is not there. So all pages that say where others are, are
// looked at before. What there is on them is in bbolt's internal/common; integers are
// in the byte order of the machine.
//
//	page    id 8 | flags 2 | count 2 | overflow 4, and elements, and what they point to
//	branch  position 4 | key size 4 | page 8
//	leaf    flags 4 | position 4 | key size 4 | value size 4
//	bucket  root page 8 | sequence 8, and the page itself where the root is 0
const (
	pageHeader  = 16
	elementSize = 16
	bucketSize  = 16

	flagBranch = 1
	flagLeaf   = 2
	flagBucket = 1 // of a leaf's element
)

// verifier looks at the pages of a file.
type verifier struct {
	file     io.ReaderAt
	pageSize uint64
	pages    uint64 // how many there are
	seen     []bool // by page
	buffers  [][]byte
}

// verify tells what is wrong with the tree of pages of a file, if anything is.
func verify(f *file) error {
	info, err := f.handle.Stat()
	if err != nil {
		return err
	}
	return f.View(func(tx *bolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes of %d", info.Size(), tx.Size())
		}
		size := uint64(f.Info().PageSize)
		v := &verifier{file: f.handle, pageSize: size, pages: uint64(tx.Size()) / size}
		v.seen = make([]bool, v.pages)
		return v.tree(0, uint64(tx.Cursor().Bucket().Root()), nil, nil)
	})
}

// page is a page, with as much of what is behind its elements as is looked at.
type page struct {
	flags, count uint16
	overflow     uint32
	content      []byte
}

func parsePage(b []byte) page {
	return page{
		flags: binary.NativeEndian.Uint16(b[8:]), count: binary.NativeEndian.Uint16(b[10:]), overflow: binary.NativeEndian.Uint32(b[12:]), content: b,
	}
}

// element is one of a page.
type element struct {
	key, value []byte
	child      uint64 // of a branch
	bucket     bool
}

// read returns the first n bytes from a page on, in a buffer that is good until the
// next page of the same depth is read.
func (v *verifier) read(depth int, id, n uint64) ([]byte, error) {
	for len(v.buffers) <= depth {
		v.buffers = append(v.buffers, nil)
	}
	if uint64(cap(v.buffers[depth])) < n {
		v.buffers[depth] = make([]byte, n)
	}
	b := v.buffers[depth][:n]
	if _, err := v.file.ReadAt(b, int64(id*v.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, nil
}

// open reads a page, which nothing else may refer to.
func (v *verifier) open(depth int, id uint64) (page, error) {
	if id < 2 || id >= v.pages {
		return page{}, fmt.Errorf("there is no page %d", id)
	}
	b, err := v.read(depth, id, v.pageSize)
	if err != nil {
		return page{}, err
	}
	p := parsePage(b)
	if is := binary.NativeEndian.Uint64(b); is != id {
		return page{}, fmt.Errorf("page %d says that it is %d", id, is)
	}
	if p.flags != flagBranch && p.flags != flagLeaf {
		return page{}, fmt.Errorf("page %d has flags %d", id, p.flags)
	}
	if id+uint64(p.overflow) >= v.pages {
		return page{}, fmt.Errorf("page %d has %d more, beyond the end", id, p.overflow)
	}
	for i := range uint64(p.overflow) + 1 {
		if v.seen[id+i] {
			return page{}, fmt.Errorf("page %d is referred to twice", id+i)
		}
		v.seen[id+i] = true
	}
	if p.overflow == 0 {
		return p, nil
	}
	// Most of what is behind is the value of a large message.
	need, err := p.need(uint64(p.overflow+1) * v.pageSize)
	if err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	p.content, err = v.read(depth, id, max(need, v.pageSize))
	return p, err
}

// need is how many bytes of a page hold its keys and its buckets, of at most limit.
func (p page) need(limit uint64) (uint64, error) {
	need := uint64(pageHeader) + uint64(p.count)*elementSize
	for i := range int(p.count) {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p.content) {
			return 0, fmt.Errorf("it has %d elements", p.count)
		}
		end := uint64(at) + p.end(at)
		if end > limit {
			return 0, fmt.Errorf("element %d ends at %d", i, end)
		}
		need = max(need, end)
	}
	return need, nil
}

// end is where an element's key ends, and the value where that is a bucket, from the
// element on.
func (p page) end(at int) uint64 {
	e := p.content[at:]
	a, b, c, d := binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
	switch {
	case p.flags == flagBranch:
		return uint64(a) + uint64(b)
	case a&flagBucket != 0:
		return uint64(b) + uint64(c) + uint64(d)
	}
	return uint64(b) + uint64(c)
}

// element returns the i-th of a page, whose key must be within.
func (p page) element(i int) (element, error) {
	at := uint64(pageHeader + i*elementSize)
	size := uint64(len(p.content))
	if at+elementSize > size || at+p.end(int(at)) > size {
		return element{}, fmt.Errorf("element %d is not within the page", i)
	}
	e := p.content[at:]
	if p.flags == flagBranch {
		from, n := uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:]))
		return element{key: e[from : from+n], child: binary.NativeEndian.Uint64(e[8:])}, nil
	}
	from, n := uint64(binary.NativeEndian.Uint32(e[4:])), uint64(binary.NativeEndian.Uint32(e[8:]))
	found := element{key: e[from : from+n], bucket: binary.NativeEndian.Uint32(e)&flagBucket != 0}
	if found.bucket {
		found.value = e[from+n : from+n+uint64(binary.NativeEndian.Uint32(e[12:]))]
	}
	return found, nil
}

// tree looks at a page and all below it. Keys must be in order, from the lowest on and
// below the highest; nil is no bound.
func (v *verifier) tree(depth int, id uint64, lowest, highest []byte) error {
	p, err := v.open(depth, id)
	if err != nil {
		return err
	}
	return v.elements(depth, id, p, lowest, highest)
}

func (v *verifier) elements(depth int, id uint64, p page, lowest, highest []byte) error {
	if p.flags == flagBranch && p.count == 0 {
		return fmt.Errorf("page %d is a branch without children", id)
	}
	var before []byte
	for i := range int(p.count) {
		e, err := p.element(i)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if i > 0 && bytes.Compare(before, e.key) >= 0 || lowest != nil && bytes.Compare(e.key, lowest) < 0 ||
			highest != nil && bytes.Compare(e.key, highest) >= 0 {
			return fmt.Errorf("page %d: key %d is out of order", id, i)
		}
		before = e.key
		switch {
		case p.flags == flagBranch:
			next := highest
			if i+1 < int(p.count) {
				following, err := p.element(i + 1)
				if err != nil {
					return fmt.Errorf("page %d: %w", id, err)
				}
				next = following.key
			}
			err = v.tree(depth+1, e.child, e.key, next)
		case e.bucket:
			err = v.bucket(depth+1, id, e.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket looks at the bucket that is the value of an element of a page.
func (v *verifier) bucket(depth int, id uint64, value []byte) error {
	if len(value) < bucketSize {
		return fmt.Errorf("page %d: a bucket of %d bytes", id, len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return v.tree(depth, root, nil, nil)
	}
	if len(value) < bucketSize+pageHeader {
		return fmt.Errorf("page %d: a bucket of %d bytes", id, len(value))
	}
	p := parsePage(value[bucketSize:])
	if p.flags != flagLeaf {
		return fmt.Errorf("page %d: a bucket in it has flags %d", id, p.flags)
	}
	return v.elements(depth, id, p, nil, nil)
}
