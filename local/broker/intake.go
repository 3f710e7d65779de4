package broker

import (
	"sync/atomic"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// framesAhead and bytesAhead are how many frames, and how much of them, are read
	// ahead of the one in work.
	framesAhead = 32
	bytesAhead  = 256 << 10
)

// inbound is a frame with memory of its own, or the reason why there will be no
// more.
type inbound struct {
	frame wire.Frame
	size  int64 // what it takes
	err   error
}

// intake takes frames from the goroutine that reads them to the one that works on
// them.
type intake struct {
	hold   func(int64) // is told what the frames take
	frames chan inbound
	ahead  atomic.Int64  // bytes of frames that were put and are not done
	room   chan struct{} // holds a token when a frame is done
}

func newIntake(hold func(int64)) *intake {
	return &intake{hold: hold, frames: make(chan inbound, framesAhead), room: make(chan struct{}, 1)}
}

// put hands a frame over as soon as there is room for it: beside others it must fit.
func (i *intake) put(in inbound) {
	for i.ahead.Load() > 0 && i.ahead.Load()+in.size > bytesAhead {
		<-i.room
	}
	i.ahead.Add(in.size)
	i.hold(in.size)
	i.frames <- in
}

// done makes room again that a frame took.
func (i *intake) done(in inbound) {
	i.ahead.Add(-in.size)
	i.hold(-in.size)
	signal(i.room)
}
