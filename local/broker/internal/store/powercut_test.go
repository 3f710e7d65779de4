package store_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

const (
	pageSize   = 4096
	sectorSize = 512 // what a disk writes as a whole
)

// image is what a file holds, without the pages of zeros, of which it has many.
type image struct {
	size  int
	pages map[int][]byte
}

func imageOf(t testing.TB, folder string) image {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	i := image{len(content), map[int][]byte{}}
	zeros := make([]byte, pageSize)
	for n := 0; n*pageSize < len(content); n++ {
		if p := content[n*pageSize : min((n+1)*pageSize, len(content))]; !bytes.Equal(p, zeros) {
			i.pages[n] = p
		}
	}
	return i
}

func (i image) page(n int) []byte {
	if p := i.pages[n]; p != nil {
		return p
	}
	return make([]byte, pageSize)
}

// write makes a folder with the file.
func (i image) write(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	f, err := os.Create(filepath.Join(folder, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(i.size)); err != nil {
		t.Fatal(err)
	}
	for n, p := range i.pages {
		if n*pageSize >= i.size {
			continue
		}
		if _, err := f.WriteAt(p, int64(n*pageSize)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// cut is what the disk may have when the power goes on the way from one image to the
// next. The pages are written in any order and synced, and then the one that says which
// pages count (bbolt's transactions). Before that one is written the file is of either
// size, any pages are new, old or torn; after that, all are new but for itself.
func cut(from, to image, rng *rand.Rand, meta bool) image {
	i := image{to.size, maps.Clone(to.pages)}
	if !meta && rng.IntN(2) == 0 {
		i.size = from.size
	}
	old := rng.IntN(3) // how many of the pages stay old: many, some or few
	for n := range mergedPages(from, to) {
		switch a, b := from.page(n), to.page(n); {
		case bytes.Equal(a, b):
		case n < 2 && !meta:
			i.pages[n] = a
		case (n < 2) != meta:
		case n >= 2 && rng.IntN(4) <= old:
			i.pages[n] = a
		case rng.IntN(2) == 0:
			torn := bytes.Clone(b)
			for at := 0; at < pageSize; at += sectorSize {
				if rng.IntN(2) == 0 {
					copy(torn[at:at+sectorSize], a[at:])
				}
			}
			if rng.IntN(4) == 0 { // as no disk should
				copy(torn[:rng.IntN(sectorSize)], a)
			}
			i.pages[n] = torn
		}
	}
	return i
}

func mergedPages(a, b image) map[int]bool {
	all := map[int]bool{}
	for _, i := range []image{a, b} {
		for n := range i.pages {
			all[n] = true
		}
	}
	return all
}

// unreadable stands for the payload of a message that can't be read.
const unreadable = "unreadable"

// contents are all that a store has, as text that can be compared.
func contents(t testing.TB, s *store.Store) string {
	t.Helper()
	var b strings.Builder
	for _, e := range s.Entities() {
		fmt.Fprintf(&b, "%s %s\n", e.Path(), e.Body())
		saved, err := e.Saved(start)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, " last %d\n", saved.Last)
		for m, err := range saved.Messages {
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %v %d: %d deliveries, %v, ", m.Dead, m.Sequence, m.Record.Deliveries, m.Record.Overlay)
			if payload := e.Load(m.Dead, m.Sequence); payload == nil {
				fmt.Fprintln(&b, unreadable)
			} else {
				fmt.Fprintf(&b, "%d bytes with the checksum %x\n", len(payload), sha256.Sum256(payload))
			}
		}
		for _, session := range saved.Sessions {
			fmt.Fprintf(&b, " session %q: %s\n", session.ID, session.State)
		}
		for _, id := range saved.History {
			fmt.Fprintf(&b, " id %s until %v\n", id.ID, id.Until.UTC())
		}
	}
	return b.String()
}

// scribe makes up changes for a store.
type scribe struct {
	rng    *rand.Rand
	last   int64
	here   []int64
	number int
}

// write has a store keep something, in one transaction.
func (w *scribe) write(s *store.Store) {
	w.number++
	entities := s.Entities()
	if len(entities) < 2 {
		s.Create([]string{"q", "other"}[len(entities)], []byte("{}"))
		return
	}
	defer entities[0].Begin()()
	for _, e := range entities {
		if e.Path() == "other" {
			w.writeOther(s, e)
			continue
		}
		e.Append(w.changes())
	}
}

// writeOther changes an entity, or deletes it and makes another.
func (w *scribe) writeOther(s *store.Store, e *store.Entity) {
	if w.rng.IntN(4) > 0 {
		e.Describe(fmt.Append(nil, w.number))
		e.Append([]queue.Change{{Kind: queue.ChangeSession, ID: "s", State: fmt.Append(nil, "state ", w.number), Time: start}})
		return
	}
	s.Delete(e)
	e = s.Create("other", []byte(`"again"`))
	e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{EnqueuedAt: start, Payload: []byte{byte(w.number)}}}})
}

func (w *scribe) changes() []queue.Change {
	var all []queue.Change
	for range 1 + w.rng.IntN(20) {
		switch n := w.rng.IntN(10); {
		case n < 5 || len(w.here) == 0:
			w.last++
			w.here = append(w.here, w.last)
			size := 1 + w.rng.IntN(3*pageSize)
			if w.number == transactions {
				w.number++
				size = 18 << 20 // the file has to grow
			}
			all = append(all, queue.Change{Kind: queue.ChangePut, Sequence: w.last, Record: queue.Record{
				EnqueuedAt: start, Payload: bytes.Repeat([]byte{byte(w.last)}, size),
			}}, queue.Change{Kind: queue.ChangeLast, Sequence: w.last})
		case n < 8:
			i := w.rng.IntN(len(w.here))
			all = append(all, queue.Change{Kind: queue.ChangeDelete, Sequence: w.here[i]})
			w.here = slices.Delete(w.here, i, i+1)
		default:
			all = append(all, queue.Change{Kind: queue.ChangeState, Sequence: w.here[w.rng.IntN(len(w.here))], Record: queue.Record{
				Deliveries: w.number, Overlay: map[string]any{"by": int64(w.number)},
			}}, queue.Change{Kind: queue.ChangeHistory, ID: fmt.Sprint(w.number), Time: start.Add(time.Duration(w.number) * time.Minute)})
		}
	}
	return all
}

// transactions is how many of them the power is cut in.
const transactions = 12

// When the power goes while a transaction is written, what was safe before is there to
// the last byte, or that and the whole transaction, and the store goes on with it.
func TestThePowerGoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	w := &scribe{rng: rng}
	images, texts := []image{imageOf(t, folder)}, []string{""}
	for range transactions {
		w.write(s)
		for _, e := range s.Entities() {
			wait(t, s, e)
		}
		// Payloads are read from the disk, and everything else too.
		images, texts = append(images, imageOf(t, folder)), append(texts, contents(t, s))
	}
	closed(t, s)
	grown := 0
	for i := 1; i < len(images); i++ {
		from, to := images[i-1], images[i]
		if to.size > from.size {
			grown++
		}
		for n := range 6 {
			meta := n >= 4
			folder := cut(from, to, rng, meta).write(t)
			s := open(t, folder, store.Options{})
			got := contents(t, s)
			if got != texts[i-1] && (!meta || got != texts[i]) {
				t.Fatalf("transaction %d, meta page written: %v: got\n%s\nwant\n%s", i, meta, got, texts[i-1])
			}
			(&scribe{rng: rng, last: 1000, number: 100}).write(s)
			for _, e := range s.Entities() {
				wait(t, s, e)
			}
			want := contents(t, s)
			closed(t, s)
			s = open(t, folder, store.Options{})
			if got = contents(t, s); got != want {
				t.Errorf("after the power cut: got\n%s\nwant\n%s", got, want)
			}
			closed(t, s)
		}
	}
	if grown == 0 {
		t.Error("the file has not grown")
	}
}
