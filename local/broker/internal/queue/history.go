package queue

import "time"

// history remembers message ids for a time, so that duplicates are noticed
// (service-bus duplicate-detection). It is kept also of messages that are long
// settled.
type history struct {
	window time.Duration // 0: nothing is remembered
	until  map[string]time.Time
	order  []string // the oldest first
}

// repeats tells whether an id was seen within the window, and remembers it. The
// window counts from the first message with the id.
func (h *history) repeats(id string, now time.Time) bool {
	if h.window == 0 || id == "" {
		return false
	}
	for len(h.order) > 0 && !h.until[h.order[0]].After(now) {
		delete(h.until, h.order[0])
		h.order[0] = ""
		h.order = h.order[1:]
	}
	if _, seen := h.until[id]; seen {
		return true
	}
	h.remember(id, now.Add(h.window))
	return false
}

func (h *history) remember(id string, until time.Time) {
	if h.until == nil {
		h.until = make(map[string]time.Time)
	}
	h.until[id] = until
	h.order = append(h.order, id)
}
