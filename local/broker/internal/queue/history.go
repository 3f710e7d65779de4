package queue

import "time"

// history remembers message ids for a time, so that duplicates are noticed
// (service-bus duplicate-detection). It is kept also of messages that are long
// settled.
type history struct {
	window time.Duration // 0: nothing is remembered
	until  map[string]time.Time
	order  []remembered // the oldest first
	bytes  int64        // that all of them take
}

// lag is which part of the window an id may be remembered for longer, where nobody
// sends: not every id is worth a call of its own.
const lag = 10

// due is when ids are to be forgotten, if nobody sends meanwhile; zero for never.
func (h *history) due() time.Time {
	if len(h.order) == 0 {
		return time.Time{}
	}
	return h.order[0].until.Add(h.window / lag)
}

// remembered is an id as it was seen once. It may have been seen again since.
type remembered struct {
	id    string
	until time.Time
}

// repeats tells whether an id was seen within the window, and remembers it. The
// window counts from the first message with the id.
func (h *history) repeats(id string, now time.Time) bool {
	if h.window == 0 || id == "" {
		return false
	}
	if until, seen := h.until[id]; seen && until.After(now) {
		return true
	}
	h.remember(id, now.Add(h.window))
	return false
}

// forget drops an id whose window is over, and returns it. Where the window has become
// shorter, one may be kept until those before it are dropped; it is no duplicate's.
func (h *history) forget(now time.Time) (id string, ok bool) {
	for len(h.order) > 0 && !h.order[0].until.After(now) {
		first := h.order[0]
		h.order[0] = remembered{}
		h.order = h.order[1:]
		h.bytes -= idSize(first.id)
		latest := h.until[first.id].Equal(first.until)
		if latest {
			delete(h.until, first.id)
		}
		if len(h.order) == 0 { // what was made for many is not kept for none
			h.order, h.until = nil, nil
		}
		if latest {
			return first.id, true
		}
	}
	return "", false
}

func (h *history) remember(id string, until time.Time) {
	if h.until == nil {
		h.until = make(map[string]time.Time)
	}
	h.until[id] = until
	h.order = append(h.order, remembered{id, until})
	h.bytes += idSize(id)
}

// idSize is what an id takes, with its places in map and order.
func idSize(id string) int64 { return int64(len(id)) + 100 }
