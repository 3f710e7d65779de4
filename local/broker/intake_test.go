package broker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A reader waits for the worker before it has read too much ahead, however large
// the frames are; one frame goes through in any case.
func TestIntakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held atomic.Int64
		i := newIntake(func(n int64) { held.Add(n) })
		var put atomic.Int32
		go func() {
			defer close(i.frames)
			for _, size := range []int64{10 * bytesAhead, bytesAhead / 2, bytesAhead / 2, 1} {
				i.put(inbound{size: size})
				put.Add(1)
			}
		}()
		for _, want := range []struct {
			put  int32
			held int64
		}{{1, 10 * bytesAhead}, {3, bytesAhead}, {4, bytesAhead/2 + 1}} {
			synctest.Wait()
			if got := put.Load(); got != want.put || held.Load() != want.held {
				t.Errorf("%d frames are read ahead that take %d, want %d and %d", got, held.Load(), want.put, want.held)
			}
			i.done(<-i.frames)
		}
		for in := range i.frames {
			i.done(in)
		}
		if held.Load() != 0 {
			t.Errorf("%d are held at the end", held.Load())
		}
	})
}
