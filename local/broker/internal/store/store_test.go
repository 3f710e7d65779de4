package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		fmt.Fprintln(os.Stderr, openUntilKilled(folder))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

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

// wait waits until all that an entity was told is on disk.
func wait(t *testing.T, s *store.Store, e *store.Entity) {
	t.Helper()
	if err := s.Wait(t.Context(), e.Ticket()); err != nil {
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
	s.Create("Orders/New", []byte(`{"a":1}`))
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
	e := s.Create("q", []byte("{}"))
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

// One transaction may empty all pages of a queue and go on with them; bbolt tidies up at
// its end only.
func TestAQueueIsEmptiedAndFilledAtOnce(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	e := s.Create("q", []byte("{}"))
	put := func(sequence int64) queue.Change {
		return queue.Change{Kind: queue.ChangePut, Sequence: sequence, Record: queue.Record{EnqueuedAt: start, Payload: make([]byte, 500)}}
	}
	var puts, deletes []queue.Change
	for i := range int64(200) {
		puts, deletes = append(puts, put(i)), append(deletes, queue.Change{Kind: queue.ChangeDelete, Sequence: i})
	}
	for range 2 {
		e.Append(puts)
		wait(t, s, e)
		end := e.Begin()
		e.Append(deletes)
		e.Describe(fmt.Append(nil, s.Synced()))
		e.Append([]queue.Change{put(100), put(300), put(50), put(300), {Kind: queue.ChangeDelete, Sequence: 50}, put(301)})
		end()
		wait(t, s, e)
	}
	for range 2 {
		var got []int64
		for _, m := range messages(t, s.Entities()[0]) {
			got = append(got, m.Sequence)
		}
		if !slices.Equal(got, []int64{100, 300, 301}) {
			t.Errorf("messages %v", got)
		}
		closed(t, s)
		s = open(t, folder, store.Options{})
	}
	e = s.Entities()[0]
	e.Append(puts)
	wait(t, s, e)
	end := e.Begin()
	e.Append(deletes)
	s.Delete(e)
	end()
	closed(t, s)
	s = open(t, folder, store.Options{})
	if got := s.Entities(); len(got) != 0 {
		t.Errorf("entities %v", got)
	}
	closed(t, s)
}

// A message that could not be read when it was moved has no payload, not an empty one.
func TestAPayloadThatIsLost(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	e := s.Create("q", []byte("{}"))
	e.Append([]queue.Change{
		{Kind: queue.ChangePut, Sequence: 1, Dead: true}, {Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{Payload: []byte{}}},
		{Kind: queue.ChangeState, Sequence: 1, Dead: true, Record: queue.Record{Deliveries: 2}},
	})
	wait(t, s, e)
	for range 2 {
		if e := s.Entities()[0]; e.Load(true, 1) != nil || e.Load(false, 2) == nil {
			t.Errorf("loaded %v and %v", e.Load(true, 1), e.Load(false, 2))
		}
		closed(t, s)
		s = open(t, folder, store.Options{})
	}
	closed(t, s)
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
	e := s.Create("q", []byte("{}"))
	e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{Payload: []byte("a")}}})
	ticket := e.Ticket()
	log.waitFor(t, "no space left")
	if !errors.Is(s.Err(), store.ErrRefused) || s.Synced() >= ticket || string(e.Load(false, 1)) != "a" {
		t.Errorf("error %v, safe up to %d, ticket %d", s.Err(), s.Synced(), ticket)
	}
	ready := make(chan struct{})
	if e.Safe(false, 1, func() { close(ready) }) {
		t.Error("a message is safe that the disk does not take")
	}
	if err := s.Wait(t.Context(), ticket); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("wait: %v", err)
	}
	full.Store(false)
	for s.Synced() < ticket {
		<-heard
	}
	if s.Err() != nil {
		t.Errorf("error %v after the disk has taken it", s.Err())
	}
	<-ready
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Wait(ended, ticket); err != nil || !e.Safe(false, 1, nil) {
		t.Errorf("what is safe is waited for: %v", err)
	}
	if err := s.Wait(ended, ticket+1); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if got := messages(t, s.Entities()[0]); len(got) != 1 {
		t.Errorf("saved %+v", got)
	}
}

// Who closes a store that the disk did not take all of hears of it.
func TestWhatIsLostAtTheEndIsToldOf(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{Slow: func() error { return errors.New("no space left on device") }})
	e := s.Create("q", []byte("{}"))
	if err := s.Wait(t.Context(), e.Ticket()); !errors.Is(err, store.ErrRefused) {
		t.Errorf("wait: %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("close: %v", err)
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
	old := s.Create("q", []byte("{}"))
	old.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{Payload: []byte("a")}}})
	s.Delete(old)
	s.Create("q", []byte(`"new"`))
	// Somebody who has not noticed yet.
	old.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{Payload: []byte("b")}}})
	old.Describe([]byte(`"old"`))
	s.Delete(old)
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if all := s.Entities(); len(all) != 1 || string(all[0].Body()) != `"new"` || len(messages(t, all[0])) != 0 {
		t.Errorf("entities %v", all)
	}
}

// Entities that end together do, whenever the process ends.
func TestEntitiesEndTogether(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	topic, subscription := s.Create("t", []byte("{}")), s.Create("t/subscriptions/s", []byte("{}"))
	from := max(topic.Ticket(), subscription.Ticket())
	s.Delete(topic, subscription)
	if err := s.Wait(t.Context(), s.Described()); err != nil {
		t.Fatal(err)
	}
	if s.Described() != from+2 || len(s.Entities()) != 0 {
		t.Errorf("ticket %d after %d, entities %v", s.Described(), from, s.Entities())
	}
	closed(t, s)
}

// Between any two transactions, the file holds of a unit either nothing or all.
func TestAUnitIsWrittenTogether(t *testing.T) {
	folder := t.TempDir()
	images := 0
	var from, to *store.Entity
	s := open(t, folder, store.Options{Slow: func() error {
		other := t.TempDir()
		content, err := os.ReadFile(filepath.Join(folder, "broker.db"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(other, "broker.db"), content, 0o600); err != nil {
			return err
		}
		images++
		copied := open(t, other, store.Options{})
		defer closed(t, copied)
		in := map[string]int{}
		for _, e := range copied.Entities() {
			in[e.Path()] = len(messages(t, e))
		}
		if in["from"] != in["to"] {
			t.Errorf("image %d: %v", images, in)
		}
		return nil
	}})
	from, to = s.Create("from", []byte("{}")), s.Create("to", []byte("{}"))
	put := func(e *store.Entity, sequence int64) {
		e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: sequence, Record: queue.Record{Payload: []byte("a")}}})
	}
	var work sync.WaitGroup
	for worker := range int64(3) {
		work.Go(func() {
			for i := range int64(10) {
				end := from.Begin()
				put(from, 3*i+worker)
				runtime.Gosched() // the writer would like to
				put(to, 3*i+worker)
				end()
				if err := s.Wait(t.Context(), from.Ticket()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	closed(t, s)
	if images < 10 {
		t.Errorf("%d images were looked at", images)
	}
}
