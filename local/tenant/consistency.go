package tenant

import "time"

// entry is one user's place in the directory: what is true now, and what was
// true so recently that a read may still show it.
type entry struct {
	current *record
	past    []version
}

// version is a record that is true no longer. A nil record stands for the time
// before the user was created.
type version struct {
	record *record
	until  time.Time
}

// replace makes next the truth and forgets what no read may show any more.
func (e *entry) replace(next *record, now time.Time, lag time.Duration) {
	kept := e.past[:0]
	for _, v := range e.past {
		if now.Before(v.until.Add(lag)) {
			kept = append(kept, v)
		}
	}
	e.past = kept
	if lag > 0 {
		e.past = append(e.past, version{record: e.current, until: now})
	}
	e.current = next
}

// visible returns what a read at that moment shows: the truth, or, with the
// given probability, one of the records that were true within the lag. The
// record is nil where the user does not exist yet in what the read shows.
func (e *entry) visible(now time.Time, lag time.Duration, probability float64, d *dice) (r *record, stale bool) {
	first := len(e.past)
	for first > 0 && now.Before(e.past[first-1].until.Add(lag)) {
		first--
	}
	recent := e.past[first:]
	if len(recent) == 0 || !d.chance(probability) {
		return e.current, false
	}
	return recent[d.below(len(recent))].record, true
}
