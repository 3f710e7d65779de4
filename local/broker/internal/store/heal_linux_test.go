package store_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// fickleDisk stands between a store and its file, and knows what would be left were the
// power to go. What is written is kept from the next sync on. When a sync fails, what
// was written before is seen by the process but may never be kept: systems take it for
// written, and later syncs pass it over.
type fickleDisk struct {
	t         *testing.T
	file      *os.File
	fd, whole int
	writeAt   func([]byte, int64) (int, error) // bbolt's own

	kept  map[int][]byte // pages
	dirty map[int][]byte
	// committed tells that a page which says which others count was written last.
	committed bool
	armed     bool // the next sync of such a page fails
	// failed tells that it did, and recording that what is left is noted with every
	// write, until such a page is written again.
	failed    chan struct{}
	recording bool
	left      []image // pairs of what is kept and what the process sees
}

func newFickleDisk(t *testing.T, folder string, s *store.Store) *fickleDisk {
	t.Helper()
	d := &fickleDisk{t: t, kept: imageOf(t, folder).pages, dirty: map[int][]byte{}, failed: make(chan struct{})}
	d.file, d.writeAt = store.Interpose(s, d.bboltWrites, d)
	d.fd = int(d.file.Fd())
	var err error
	if d.whole, err = syscall.Dup(d.fd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(d.whole) })
	return d
}

// bboltWrites is called for all that bbolt writes. It syncs before and after the page
// that says which others count.
func (d *fickleDisk) bboltWrites(b []byte, at int64) (int, error) {
	meta := at < 2*pageSize
	if meta || d.committed {
		d.sync()
	}
	d.committed = meta
	d.note(b, at)
	n, err := d.writeAt(b, at)
	switch {
	case meta && d.armed:
		d.armed, d.committed, d.recording = false, false, true
		clear(d.dirty) // it is not kept, however often it is synced
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err == nil {
			err = syscall.Dup3(int(null.Fd()), d.fd, syscall.O_CLOEXEC)
			null.Close()
		}
		if err != nil {
			d.t.Error(err)
		}
		close(d.failed)
	case meta:
		d.recording = false
	case d.recording:
		seen := maps.Clone(d.kept)
		maps.Copy(seen, d.dirty)
		size := (1 + slices.Max(slices.Collect(maps.Keys(seen)))) * pageSize
		d.left = append(d.left, image{size, maps.Clone(d.kept)}, image{size, seen})
	}
	return n, err
}

func (d *fickleDisk) note(b []byte, at int64) {
	for i := 0; i < len(b); i += pageSize {
		d.dirty[(int(at)+i)/pageSize] = bytes.Clone(b[i : i+pageSize])
	}
}

func (d *fickleDisk) sync() {
	maps.Copy(d.kept, d.dirty)
	clear(d.dirty)
}

// The rest is what the store does to the file without bbolt.

func (d *fickleDisk) ReadAt(b []byte, at int64) (int, error) { return d.file.ReadAt(b, at) }
func (d *fickleDisk) Stat() (os.FileInfo, error)             { return d.file.Stat() }
func (d *fickleDisk) Close() error                           { return d.file.Close() }

func (d *fickleDisk) WriteAt(b []byte, at int64) (int, error) {
	d.note(b, at)
	return d.file.WriteAt(b, at)
}

func (d *fickleDisk) Sync() error {
	err := d.file.Sync()
	if err == nil {
		d.sync()
	}
	return err
}

// After a sync that failed, the process sees a transaction that the disk may not count.
// Whatever the next attempt writes, and whenever the power goes, what the disk counts is
// whole.
func TestThePowerGoesAfterAFailedSync(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	overwritten := 0
	for range 8 {
		folder := t.TempDir()
		synctest.Test(t, func(t *testing.T) { overwritten += afterFailedSync(t, folder, rng) })
	}
	if overwritten < 8 {
		t.Errorf("pages that counted before the failure were written over %d times only", overwritten)
	}
}

// afterFailedSync returns how many pages that counted before it were written over.
func afterFailedSync(t *testing.T, folder string, rng *rand.Rand) int {
	s := open(t, folder, store.Options{})
	w := &scribe{rng: rng}
	for range 4 {
		w.write(s)
		for _, e := range s.Entities() {
			wait(t, s, e)
		}
	}
	before, whole := contents(t, s), imageOf(t, folder)
	d := newFickleDisk(t, folder, s)
	d.armed = true
	heard := make(chan struct{}, 1)
	stop := s.Listen(heard)
	w.write(s)
	<-d.failed
	for s.Err() == nil {
		<-heard
	}
	// The clock of this test stands still until all wait.
	if err := syscall.Dup3(d.whole, d.fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	seen := imageOf(t, folder)
	for _, e := range s.Entities() {
		for s.Synced() < e.Ticket() {
			<-heard
		}
	}
	stop()
	closed(t, s)
	copied := open(t, seen.write(t), store.Options{})
	after := contents(t, copied)
	closed(t, copied)
	if after == before || len(d.left) == 0 {
		t.Fatalf("the failure is not one: %d writes followed", len(d.left)/2)
	}
	overwritten := 0
	for i := 0; i < len(d.left); i += 2 {
		kept, seen := d.left[i], d.left[i+1]
		for n := range seen.pages {
			if n >= 2 && whole.pages[n] != nil && !bytes.Equal(seen.page(n), kept.page(n)) {
				overwritten++
			}
		}
		for range 3 {
			s := open(t, cut(kept, seen, rng, false).write(t), store.Options{})
			if got := contents(t, s); got != before && got != after {
				t.Errorf("after %d writes: got\n%s\nwant\n%s\nor\n%s", i/2, got, before, after)
			}
			closed(t, s)
		}
	}
	return overwritten
}
