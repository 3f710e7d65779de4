package broker

import (
	"sync"
	"testing"
)

// However connections end, by themselves or because they hold the most, the sum is
// what those hold that are left.
func TestWhatConnectionsHoldAddsUp(t *testing.T) {
	s := &Server{conns: make(map[*conn]bool)}
	s.memory.most = 1
	var peers sync.WaitGroup
	for range 8 {
		peers.Go(func() {
			for range 2000 {
				c := &conn{server: s}
				c.held.end = func() {}
				s.mu.Lock()
				s.conns[c] = true
				s.mu.Unlock()
				c.hold(100)
				s.letGo(&c.held)
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}
		})
	}
	peers.Wait()
	if left := s.memory.total.Load(); left != 0 {
		t.Errorf("%d bytes are held by nobody", left)
	}
}
