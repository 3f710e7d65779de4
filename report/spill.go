package report

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"
)

// Sizes of the external sort.
const (
	// sortMemory is how many bytes one sorter gathers before it writes a run.
	sortMemory = 8 << 20
	// maxRuns is how many runs are merged at once. When there are so many, they
	// become one.
	maxRuns = 200
	// runBuffer is the buffer of each run that is read.
	runBuffer = 32 << 10
)

// item is a value with the key that it is sorted by. Its bytes are good until
// the next item.
type item struct{ key, value []byte }

// workspace is the directory for runs, which comes into being with the first
// one.
type workspace struct {
	parent string

	mu  sync.Mutex
	dir string // guarded by mu
}

// path makes sure that the directory is there.
func (w *workspace) path() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir == "" {
		dir, err := os.MkdirTemp(w.parent, ".muster-report-")
		if err != nil {
			return "", fmt.Errorf("make temporary directory: %w", err)
		}
		w.dir = dir
	}
	return w.dir, nil
}

// create returns a new file that nobody else may read.
func (w *workspace) create() (*os.File, error) {
	dir, err := w.path()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "run-")
	if err != nil {
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	return f, nil
}

// remove takes the directory away with all that is in it.
func (w *workspace) remove() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir == "" {
		return nil
	}
	if err := os.RemoveAll(w.dir); err != nil {
		return fmt.Errorf("remove temporary directory: %w", err)
	}
	return nil
}

// sorter sorts items by key, in memory as long as they are few. It belongs to
// one goroutine at a time.
type sorter struct {
	space  *workspace
	memory int

	arena []byte
	spans []span
	runs  []*os.File
}

// span is an item's place in the arena: the key, and the value right after it.
type span struct{ at, key, end int }

func newSorter(space *workspace, memory int) *sorter {
	return &sorter{space: space, memory: memory}
}

// add takes a copy of an item.
func (s *sorter) add(key, value []byte) error {
	if len(s.arena) > 0 && len(s.arena)+len(key)+len(value) > s.memory {
		if err := s.flush(); err != nil {
			return err
		}
	}
	at := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	s.spans = append(s.spans, span{at, at + len(key), len(s.arena)})
	return nil
}

// addRow adds a row by a key.
func (s *sorter) addRow(key []byte, r *Row, scratch []byte) ([]byte, error) {
	scratch = r.encode(scratch[:0])
	return scratch, s.add(key, scratch)
}

func (s *sorter) item(p span) item { return item{s.arena[p.at:p.key], s.arena[p.key:p.end]} }

func (s *sorter) sortArena() {
	slices.SortFunc(s.spans, func(a, b span) int {
		return bytes.Compare(s.arena[a.at:a.key], s.arena[b.at:b.key])
	})
}

// flush writes the arena as a run.
func (s *sorter) flush() error {
	s.sortArena()
	err := s.write(func(yield func(item, error) bool) {
		for _, p := range s.spans {
			if !yield(s.item(p), nil) {
				return
			}
		}
	})
	s.arena, s.spans = s.arena[:0], s.spans[:0]
	if err != nil || len(s.runs) < maxRuns {
		return err
	}
	old := s.runs
	s.runs = nil
	if err := s.write(merge(old)); err != nil {
		s.runs = append(s.runs, old...)
		return err
	}
	return closeAll(old)
}

// write adds a run with the given items, which must be sorted.
func (s *sorter) write(items iter.Seq2[item, error]) error {
	f, err := s.space.create()
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	w := bufio.NewWriterSize(f, runBuffer)
	var head []byte
	for it, err := range items {
		if err != nil {
			return err
		}
		head = binary.AppendUvarint(head[:0], uint64(len(it.key)))
		head = binary.AppendUvarint(head, uint64(len(it.value)))
		// bufio keeps the first error, and Flush returns it.
		w.Write(head)
		w.Write(it.key)
		w.Write(it.value)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write temporary file: %w", err)
	}
	return nil
}

// sorted gives the items back in the order of their keys. It may be walked once.
func (s *sorter) sorted() iter.Seq2[item, error] {
	if len(s.runs) == 0 {
		return func(yield func(item, error) bool) {
			s.sortArena()
			for _, p := range s.spans {
				if !yield(s.item(p), nil) {
					return
				}
			}
		}
	}
	return func(yield func(item, error) bool) {
		if len(s.arena) > 0 {
			if err := s.flush(); err != nil {
				yield(item{}, err)
				return
			}
		}
		s.arena, s.spans = nil, nil
		merge(s.runs)(yield)
	}
}

// rows is sorted with the values decoded.
func (s *sorter) rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for it, err := range s.sorted() {
			var r Row
			if err == nil {
				r, err = decodeRow(it.value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *sorter) close() error {
	err := closeAll(s.runs)
	s.arena, s.spans, s.runs = nil, nil, nil
	return err
}

// closeAll closes the files and takes them off the disk.
func closeAll(files []*os.File) error {
	var faults []error
	for _, f := range files {
		faults = append(faults, f.Close(), os.Remove(f.Name()))
	}
	return errors.Join(faults...)
}

// merge walks several sorted runs as one. Of equal keys, the earlier run's come
// first.
func merge(files []*os.File) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		var h runHeap
		for i, f := range files {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				yield(item{}, fmt.Errorf("read temporary file: %w", err))
				return
			}
			r := &run{in: bufio.NewReaderSize(f, runBuffer), order: i}
			more, err := r.next()
			if err != nil {
				yield(item{}, err)
				return
			}
			if more {
				h = append(h, r)
			}
		}
		heap.Init(&h)
		for len(h) > 0 {
			if !yield(h[0].item, nil) {
				return
			}
			more, err := h[0].next()
			switch {
			case err != nil:
				yield(item{}, err)
				return
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
	}
}

// run is a sorted run that is read.
type run struct {
	item
	in    *bufio.Reader
	order int
}

// next reads the next item into the buffers of the last one.
func (r *run) next() (bool, error) {
	key, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		return false, nil
	}
	value, err2 := binary.ReadUvarint(r.in)
	if err := errors.Join(err, err2); err != nil {
		return false, fmt.Errorf("read temporary file: %w", err)
	}
	r.key = slices.Grow(r.key[:0], int(key))[:key]
	r.value = slices.Grow(r.value[:0], int(value))[:value]
	_, err = io.ReadFull(r.in, r.key)
	_, err2 = io.ReadFull(r.in, r.value)
	if err := errors.Join(err, err2); err != nil {
		return false, fmt.Errorf("read temporary file: %w", err)
	}
	return true, nil
}

type runHeap []*run

func (h runHeap) Len() int      { return len(h) }
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h runHeap) Less(i, j int) bool {
	c := bytes.Compare(h[i].key, h[j].key)
	return c < 0 || c == 0 && h[i].order < h[j].order
}
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
