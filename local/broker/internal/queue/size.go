package queue

// Size is how many bytes a queue and its dead-letter queue hold: payloads, those of
// scheduled messages too, properties that settlements set, and the states of
// sessions.
func (q *Queue) Size() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := q.volume + q.sessions.bytes
	if q.dead != nil {
		size += q.dead.Size()
	}
	return size
}

// Remembered is how many bytes the ids take by which duplicates are told.
func (q *Queue) Remembered() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.history.bytes
}

// weigh tells how many bytes properties take.
func (q *Queue) weigh(properties map[string]any) int {
	if q.config.Weigh == nil || len(properties) == 0 {
		return 0
	}
	return q.config.Weigh(properties)
}

// lay sets properties on an entry that is in the index, over those that it has.
func (q *Queue) lay(e *entry, properties map[string]any) {
	if len(properties) == 0 {
		return
	}
	before := e.bytes()
	e.overlay, e.changed = overlaid(e.overlay, properties), true
	e.weight = int32(q.weigh(e.overlay))
	q.volume += e.bytes() - before
}

// bears tells whether a message may have these properties besides those it has.
func (q *Queue) bears(e *entry, properties map[string]any) bool {
	most := q.config.MaxProperties
	return most == 0 || len(properties) == 0 || q.weigh(overlaid(e.overlay, properties)) <= most
}

// bytes is how much of the queue's size an entry is.
func (e *entry) bytes() int64 { return int64(e.size) + int64(e.weight) }
