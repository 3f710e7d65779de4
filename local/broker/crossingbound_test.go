package broker

import (
	"encoding/binary"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Of settlements that cross a detach only so many are remembered, the latest.
func TestCrossingsAreBounded(t *testing.T) {
	token := func(n int) (t queue.Token) {
		binary.BigEndian.PutUint32(t[:], uint32(n))
		return t
	}
	var c crossings
	c.note(token(0), wire.Released{}) // which $management has no name for
	for n := range maxCrossings + 2 {
		c.note(token(n), wire.Accepted{})
	}
	for n, want := range map[int]bool{0: false, 1: false, 2: true, maxCrossings: true, maxCrossings + 1: true} {
		if got := c.repeated(token(n), statusCompleted); got != want {
			t.Errorf("settlement %d is remembered: %v", n, got)
		}
	}
	if len(c.status) > maxCrossings || len(c.tokens) != maxCrossings {
		t.Errorf("%d of %d are remembered", len(c.status), len(c.tokens))
	}
}
