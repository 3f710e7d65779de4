package broker

import (
	"net"
	"runtime"
	"time"
)

// turn is how long a goroutine whose peer sends without a pause may keep a
// processor when others want it: the runtime alone would take it away after ten
// milliseconds, and a peer that waits for its one answer waits for every such
// goroutine, a few times over.
const turn = 200 * time.Microsecond

// turns are those of one goroutine.
type turns struct{ rested time.Time }

// yield lets others run, if the goroutine has had its turn.
func (t *turns) yield() {
	if now := time.Now(); now.Sub(t.rested) > turn {
		runtime.Gosched()
		t.rested = time.Now()
	}
}

// yielding is a transport whose reader gives way to others however little comes of
// what it reads: a WebSocket may bring pings and empty frames without end.
type yielding struct {
	net.Conn
	turns turns // of whoever reads
}

// Read implements net.Conn.
func (c *yielding) Read(b []byte) (int, error) {
	c.turns.yield()
	return c.Conn.Read(b)
}

// NetConn is the transport itself.
func (c *yielding) NetConn() net.Conn { return c.Conn }
