package tenant

import (
	"maps"
	"sync"
)

// Stats counts what a tenant has done since it was made. A $batch counts as the
// requests that it holds and not itself.
type Stats struct {
	// Requests counts all requests, those that were refused among them.
	Requests int64 `json:"requests"`
	// Batches counts calls of $batch.
	Batches int64 `json:"batches"`
	// Reads and Writes count the requests that the quotas let through.
	Reads  int64 `json:"reads"`
	Writes int64 `json:"writes"`
	// Throttled counts 429 replies, by a quota or as a fault.
	Throttled int64 `json:"throttled"`
	// RedundantWrites counts writes that reached the directory and asked for
	// what was true already: the number that the user has, a state that is so,
	// the removal of a method that is not there.
	RedundantWrites int64 `json:"redundantWrites"`
	// Denied counts requests refused by a [Denial] or for want of a token.
	Denied int64 `json:"denied"`
	// Faults counts what was injected, by kind: throttled,
	// internalServerError, badGateway, serviceUnavailable, gatewayTimeout,
	// resetBefore, lostReply, slow, stale, emptyPage.
	Faults map[string]int64 `json:"faults"`
}

// tally is a Stats that many goroutines count in.
type tally struct {
	mu    sync.Mutex
	stats Stats
}

func newTally() *tally { return &tally{stats: Stats{Faults: map[string]int64{}}} }

func (t *tally) count(change func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.stats)
}

func (t *tally) fault(name faultName) {
	t.count(func(s *Stats) { s.Faults[string(name)]++ })
}

func (t *tally) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Faults = maps.Clone(s.Faults)
	return s
}
