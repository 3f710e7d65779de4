package broker

import "sync"

// wakeups collects the links that queues have woken. Queues call add from the
// goroutines of other connections, under the queue's mutex.
type wakeups struct {
	signal chan struct{} // holds a token when there are links

	mu    sync.Mutex
	links []*outgoing
}

func newWakeups() *wakeups { return &wakeups{signal: make(chan struct{}, 1)} }

func (w *wakeups) add(l *outgoing) {
	w.mu.Lock()
	w.links = append(w.links, l)
	w.mu.Unlock()
	signal(w.signal)
}

func (w *wakeups) take() []*outgoing {
	w.mu.Lock()
	defer w.mu.Unlock()
	links := w.links
	w.links = nil
	return links
}
