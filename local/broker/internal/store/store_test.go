package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, folder string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func messages(t *testing.T, e *store.Entity) []queue.SavedMessage {
	t.Helper()
	saved, err := e.Saved(start)
	if err != nil {
		t.Fatal(err)
	}
	var all []queue.SavedMessage
	for m, err := range saved.Messages {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestAnEntityIsFoundAgain(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	s.Describe("Orders/New", []byte(`{"a":1}`))
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if all := s.Entities(); len(all) != 1 || all[0].Path() != "Orders/New" || string(all[0].Body()) != `{"a":1}` {
		t.Errorf("entities %v", all)
	}
}

// A message can be loaded at every moment between its put and its deletion, while
// other goroutines do the same.
func TestPayloadsAreThereAllTheTime(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	defer closed(t, s)
	e := s.Describe("q", []byte("{}"))
	var work sync.WaitGroup
	for worker := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			here := map[int64]string{}
			for i := range int64(3000) {
				sequence := i*4 + int64(worker)
				here[sequence] = fmt.Sprint("payload ", sequence)
				e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: sequence, Record: queue.Record{Payload: []byte(here[sequence])}}})
				for at, want := range here {
					if got := string(e.Load(false, at)); got != want {
						t.Errorf("message %d is %q, want %q", at, got, want)
						return
					}
					if rng.IntN(3) > 0 {
						e.Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: at}})
						delete(here, at)
					}
					break
				}
			}
		})
	}
	work.Wait()
}

// Nobody is told that something is safe before the disk has it, and while the disk
// takes nothing, nothing is given up.
func TestADiskThatTakesNothing(t *testing.T) {
	folder := t.TempDir()
	var full atomic.Bool
	full.Store(true)
	var log logBuffer
	s := open(t, folder, store.Options{Logger: log.logger(), Slow: func() error {
		if full.Load() {
			return errors.New("no space left on device")
		}
		return nil
	}})
	heard := make(chan struct{}, 1)
	defer s.Listen(heard)()
	e := s.Describe("q", []byte("{}"))
	e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{Payload: []byte("a")}}})
	ticket := s.Last()
	log.waitFor(t, "no space left")
	if s.Err() == nil || s.Synced() >= ticket || string(e.Load(false, 1)) != "a" {
		t.Errorf("error %v, safe up to %d, ticket %d", s.Err(), s.Synced(), ticket)
	}
	full.Store(false)
	for s.Synced() < ticket {
		<-heard
	}
	if s.Err() != nil {
		t.Errorf("error %v after the disk has taken it", s.Err())
	}
	stop := make(chan struct{})
	close(stop)
	if !s.Wait(nil) {
		t.Error("what is safe is waited for")
	}
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if got := messages(t, s.Entities()[0]); len(got) != 1 {
		t.Errorf("saved %+v", got)
	}
}

func TestAFolderHasOneOwner(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	defer closed(t, s)
	if _, err := store.Open(folder, store.Options{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("error %v, want ErrInUse", err)
	}
}

func TestAnEntityThatEndsTakesItsMessagesAlong(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	old := s.Describe("q", []byte("{}"))
	old.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{Payload: []byte("a")}}})
	s.Delete("Q")
	s.Delete("nothing")
	s.Describe("q", []byte(`"new"`))
	// Somebody who has not noticed yet.
	old.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{Payload: []byte("b")}}})
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if all := s.Entities(); len(all) != 1 || string(all[0].Body()) != `"new"` || len(messages(t, all[0])) != 0 {
		t.Errorf("entities %v", all)
	}
}

// When the power goes while a transaction is written, some of its pages are on the
// disk, some are not and some are torn; those that say which pages count come last.
// What was safe before is there, and nothing else.
func TestATornWrite(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "broker.db")
	image := func() []byte {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	s := open(t, folder, store.Options{})
	e := s.Describe("q", []byte("{}"))
	e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{Payload: []byte("a")}}})
	s.Wait(nil)
	before := image()
	e.Append([]queue.Change{
		{Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{Payload: make([]byte, 100_000)}},
		{Kind: queue.ChangeDelete, Sequence: 1},
	})
	s.Wait(nil)
	after := image()
	closed(t, s)
	const page = 4096
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		torn := append([]byte(nil), after...)
		copy(torn[:2*page], before[:2*page])
		for at := 2 * page; at < min(len(before), len(after)); at += page {
			switch rng.IntN(3) {
			case 0:
				copy(torn[at:at+page], before[at:at+page])
			case 1:
				copy(torn[at:at+rng.IntN(page)], before[at:at+page])
			}
		}
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, "broker.db"), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, other, store.Options{})
		if got := messages(t, s.Entities()[0]); len(got) != 1 || got[0].Sequence != 1 {
			t.Errorf("saved %+v", got)
		}
		closed(t, s)
	}
}

func TestAFileThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "broker.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(folder, store.Options{}); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("error %v", err)
	}
}
