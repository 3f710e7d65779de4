package store_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// flippable is a file of which bits are flipped, with what it holds, and held before its
// last transaction.
type flippable struct {
	file          *os.File
	folder        string
	bits          int64
	holds, before string
	pages         []int64 // that are not zeros
}

func newFlippable(t testing.TB) *flippable {
	f := &flippable{folder: t.TempDir()}
	s, err := store.Open(f.folder, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &scribe{rng: rand.New(rand.NewPCG(6, 6))}
	written := func() {
		for _, e := range s.Entities() {
			if err := s.Wait(t.Context(), e.Ticket()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 11 {
		w.write(s)
		written()
	}
	f.before = contents(t, s)
	// One transaction, and one entity has so much that there are pages of all kinds.
	e := s.Entities()[1]
	var changes []queue.Change
	for i := range int64(400) {
		changes = append(changes, queue.Change{Kind: queue.ChangePut, Sequence: 5000 + i, Dead: i%5 == 0, Record: queue.Record{
			EnqueuedAt: start, Payload: []byte(strings.Repeat("x", 1+int(i)%300)), Overlay: map[string]any{"n": i},
		}})
	}
	e.Append(changes)
	written()
	f.holds = contents(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(f.folder, store.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s); got != f.holds {
		t.Fatalf("it holds\n%s\nwant\n%s", got, f.holds)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	i := imageOf(t, f.folder)
	f.bits = int64(i.size) * 8
	for n := range int64(i.size / pageSize) {
		if i.pages[int(n)] != nil {
			f.pages = append(f.pages, n)
		}
	}
	if f.file, err = os.OpenFile(filepath.Join(f.folder, "broker.db"), os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.file.Close() })
	return f
}

func (f *flippable) flip(t *testing.T, bit int64) {
	t.Helper()
	b := make([]byte, 1)
	if _, err := f.file.ReadAt(b, bit/8); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.file.WriteAt(b, bit/8); err != nil {
		t.Fatal(err)
	}
}

// FuzzAFlippedBit flips one bit of a file. It is either without effect, or an error that
// names the file: at the start or, in the payload of a message, when that is read. In a
// page that says which others count it may also take the last transaction back: such a
// page may be what a power cut has left.
func FuzzAFlippedBit(f *testing.F) {
	file := newFlippable(f)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 400 {
		n := file.pages[rng.IntN(len(file.pages))]
		at := rng.Int64N(pageSize)
		if rng.IntN(2) == 0 {
			at = rng.Int64N(16 + 5*16) // where bbolt says what is on the page
		}
		f.Add((n*pageSize+at)*8 + rng.Int64N(8))
	}
	content, err := os.ReadFile(filepath.Join(file.folder, "broker.db"))
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(400) { // the keys of its messages
		if at := bytes.Index(content, binary.BigEndian.AppendUint64(nil, 5000+i)); at >= 0 && i%20 == 0 {
			f.Add(int64(at+7)*8 + rng.Int64N(3))
		}
	}
	for _, name := range []string{"entity 0", "entity 1", "entity 2", "messages", "dead", "sessions", "history", "last", "total"} {
		if at := bytes.LastIndex(content, []byte(name)); at >= 0 {
			for bit := range int64(3) {
				f.Add(int64(at+len(name)-1)*8 + bit)
			}
		}
	}
	f.Fuzz(func(t *testing.T, bit int64) {
		if bit < 0 {
			return
		}
		bit %= file.bits
		file.flip(t, bit)
		defer file.flip(t, bit)
		var log logBuffer
		s, err := store.Open(file.folder, store.Options{Logger: log.logger()})
		if err != nil {
			if !strings.Contains(err.Error(), "broker.db") || !strings.Contains(err.Error(), file.folder) {
				t.Errorf("error %v", err)
			}
			return
		}
		defer closed(t, s)
		got := contents(t, s)
		if got == file.holds || bit/8 < 2*pageSize && got == file.before {
			return
		}
		want := strings.Split(file.holds, "\n")
		unread := 0
		for i, line := range strings.Split(got, "\n") {
			if i >= len(want) || line != want[i] && !strings.HasSuffix(line, unreadable) {
				t.Fatalf("bit %d: %q, want %q", bit, line, want[min(i, len(want)-1)])
			}
			if line != want[i] {
				unread++
			}
		}
		if unread != 1 {
			t.Errorf("bit %d: %d messages can't be read", bit, unread)
		}
		log.waitFor(t, file.folder)
	})
}

// A file of which an earlier version has not noted what must be in it is refused.
func TestAFileWithoutATotal(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	s.Create("q", []byte("{}"))
	closed(t, s)
	db, err := bolt.Open(filepath.Join(folder, "broker.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("total")) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantDamaged(t, folder)
}
