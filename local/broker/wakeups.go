package broker

import (
	"sync"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// wakeups collects what others want of a connection: queues wake links, and
// entities that change have them detached. Methods are called from the goroutines
// of other connections, under the mutex of a queue or an entity.
type wakeups struct {
	signal chan struct{} // holds a token when there is something

	mu    sync.Mutex
	links []*outgoing
	ended []ended
}

// ended is a link that is to be detached.
type ended struct {
	link  *link
	fault *wire.Error
}

func newWakeups() *wakeups { return &wakeups{signal: make(chan struct{}, 1)} }

func (w *wakeups) add(l *outgoing) {
	w.mu.Lock()
	w.links = append(w.links, l)
	w.mu.Unlock()
	signal(w.signal)
}

func (w *wakeups) detach(l *link, fault *wire.Error) {
	w.mu.Lock()
	w.ended = append(w.ended, ended{l, fault})
	w.mu.Unlock()
	signal(w.signal)
}

func (w *wakeups) take() ([]*outgoing, []ended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	links, ended := w.links, w.ended
	w.links, w.ended = nil, nil
	return links, ended
}
