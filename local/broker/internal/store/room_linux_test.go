package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// smallDisk is a disk that has nothing but the file, and has it in memory: what is
// allocated of the file is used.
type smallDisk struct {
	t     *testing.T
	whole atomic.Int64
}

func (d *smallDisk) room(name string) (room, whole int64, known bool) {
	var is syscall.Stat_t
	if err := syscall.Stat(name, &is); err != nil {
		d.t.Error(err)
	}
	room = d.whole.Load() - is.Blocks*512
	if room < 0 {
		d.t.Errorf("the file takes %d bytes more than the disk has", -room)
	}
	return room, d.whole.Load(), true
}

// Before a disk is full of messages no more are to be taken, while the deletions still
// find room that make more of it; and so again.
func TestADiskThatIsFilled(t *testing.T) {
	for _, size := range []int{50_000, 200_000, 1_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var log logBuffer
			disk := &smallDisk{t: t}
			disk.whole.Store(48 << 20)
			s := open(t, t.TempDir(), store.Options{Logger: log.logger(), Room: disk.room})
			e := s.Create("q", []byte("{}"))
			first, next := int64(1), int64(1)
			for round := range 3 {
				for ; s.Room() == nil; next++ {
					if err := keep(t, s, e, next, size); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Room(); !errors.Is(err, store.ErrRefused) || s.Err() != nil {
					t.Fatalf("errors %v, %v", err, s.Err())
				}
				if held := (next - first) * int64(size); held < disk.whole.Load()/3 {
					t.Errorf("round %d: the disk is nearly full with %d bytes", round, held)
				}
				log.waitFor(t, "the disk is nearly full")
				for ; first < next; first++ {
					e.Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: first}})
					wait(t, s, e)
				}
				if err := s.Room(); err != nil {
					t.Fatal(err)
				}
				log.waitFor(t, "the disk has room for new messages again")
			}
			closed(t, s)
		})
	}
}

// What waits to be written counts as if it were.
func TestRoomForWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		s := open(t, t.TempDir(), store.Options{
			Slow: func() error { <-blocked; return nil },
			Room: func(string) (room, whole int64, known bool) { return 40 << 20, 1 << 30, true },
		})
		e := s.Create("q", []byte("{}"))
		for n := int64(1); s.Room() == nil; n++ {
			e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: n, Record: queue.Record{EnqueuedAt: start, Payload: make([]byte, 1<<20)}}})
		}
		if n := s.Backlog() >> 20; n < 10 || n > 13 {
			t.Errorf("%d MiB wait for the disk", n)
		}
		close(blocked)
		wait(t, s, e)
		if err := s.Room(); err != nil {
			t.Error(err)
		}
		closed(t, s)
	})
}

// Others may make room too, or take it.
func TestRoomThatOthersMake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var room atomic.Int64
		var log logBuffer
		s := open(t, t.TempDir(), store.Options{
			Logger: log.logger(), Room: func(string) (int64, int64, bool) { return room.Load(), 1 << 40, true },
		})
		if err := s.Room(); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "nearly full") {
			t.Errorf("error %v", err)
		}
		room.Store(1 << 30)
		log.waitFor(t, "room for new messages again")
		if err := s.Room(); err != nil {
			t.Error(err)
		}
		closed(t, s)
	})
}
