package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
)

// summary is what became of a run. Rows = Accepted + Rejected, and Accepted =
// Applied + Unchanged + DeadLettered + Failed + Skipped.
type summary struct {
	Run          string `json:"run"`
	Rows         int    `json:"rows"`
	Accepted     int    `json:"accepted"`
	Rejected     int    `json:"rejected"`
	Applied      int    `json:"applied"`
	Unchanged    int    `json:"unchanged"`
	DeadLettered int    `json:"dead_lettered"`
	Failed       int    `json:"failed"`
	// Skipped are those whose user was changed by somebody else, where that is
	// no failure.
	Skipped  int            `json:"skipped,omitempty"`
	ByReason map[string]int `json:"by_reason"`
	Warnings map[string]int `json:"warnings"`
	Seconds  float64        `json:"seconds"`
	Graph    graphSummary   `json:"graph"`

	back bool // of a rollback, whose commands come from a ledger
}

// graphSummary is what the run cost in Graph requests.
type graphSummary struct {
	Requests  int64 `json:"requests"`
	Writes    int64 `json:"writes"`
	Throttled int64 `json:"throttled"`
	// RedundantWrites counts writes that turned out to have changed nothing:
	// what they asked for was there already.
	RedundantWrites int64 `json:"redundant_writes"`
}

// reasonInterrupted counts commands that nobody got to before the run ended.
const reasonInterrupted = "Interrupted"

// tally counts outcomes as they come, from many goroutines.
type tally struct {
	mu      sync.Mutex
	summary summary // guarded by mu
}

func newTally() *tally {
	return &tally{summary: summary{ByReason: make(map[string]int), Warnings: make(map[string]int)}}
}

func (t *tally) report(o messages.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.summary
	switch o.Result {
	case messages.Applied:
		s.Applied++
	case messages.Unchanged:
		s.Unchanged++
	case messages.Refused:
		s.DeadLettered++
	case messages.Failed:
		s.Failed++
	}
	if o.Reason != "" {
		s.ByReason[o.Reason]++
	}
	for _, w := range o.Warnings {
		s.Warnings[w]++
	}
}

// done is how many commands have an outcome.
func (t *tally) done() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.summary.done()
}

func (s summary) done() int { return s.Applied + s.Unchanged + s.DeadLettered + s.Failed }

// total joins what the load, the worker and the client of Graph have counted.
func (t *tally) total(load loadSummary, stats graphclient.Stats, took time.Duration) summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.summary
	s.ByReason = maps.Clone(s.ByReason)
	s.Run, s.Rows, s.Accepted, s.Rejected = load.Run, load.Rows, load.Accepted, load.Rejected
	for reason, n := range load.ByReason {
		s.ByReason[reason] += n
	}
	if left := s.Accepted - s.done(); left > 0 {
		s.Failed += left
		s.ByReason[reasonInterrupted] += left
	}
	s.Seconds = took.Seconds()
	s.Graph = graphSummary{stats.Requests, stats.Writes, stats.Throttled, stats.RedundantWrites}
	return s
}

// reasonChangedSince is the reason of a command whose expectation does not hold.
const reasonChangedSince = "ChangedSince"

// skip counts the commands that were refused for the reason as skipped.
func (s *summary) skip(reason string) {
	n := s.ByReason[reason]
	delete(s.ByReason, reason)
	s.Skipped += n
	s.DeadLettered -= n
}

// write leaves the summary in a file.
func (s summary) write(name string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode summary: %w", err)
	}
	if err := os.WriteFile(name, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// print tells a person.
func (s summary) print(w io.Writer) error {
	line := func(n int, what, meaning string) {
		if n > 0 {
			fmt.Fprintf(w, "%8d  %-14s %s\n", n, what, meaning)
		}
	}
	of, says := "rows", "the row says"
	if s.back {
		of, says = "users", "was there before"
	}
	fmt.Fprintf(w, "\nRun %s\n\n%8d  %s\n", s.Run, s.Rows, of)
	line(s.Applied, "applied", "Microsoft Graph was changed and holds what "+says)
	line(s.Unchanged, "unchanged", "it held that already; nothing was written")
	line(s.Rejected, "rejected", "not sent: the row itself is wrong")
	line(s.Skipped, "skipped", "changed since by somebody else; left alone")
	line(s.DeadLettered, "dead-lettered", "can never work for this user")
	line(s.Failed, "failed", "not done")
	if len(s.ByReason) > 0 {
		fmt.Fprintln(w, "\nWhy not:")
		printReasons(w, s.ByReason)
	}
	if len(s.Warnings) > 0 {
		fmt.Fprintln(w, "\nApplied with a warning:")
		printReasons(w, s.Warnings)
	}
	_, err := fmt.Fprintf(w, "\n%.1f s; Microsoft Graph: %d requests, %d of them writes; throttled %d times; redundant writes %d\n",
		s.Seconds, s.Graph.Requests, s.Graph.Writes, s.Graph.Throttled, s.Graph.RedundantWrites)
	return err
}

// printReasons lists reasons, the most frequent first.
func printReasons(w io.Writer, counts map[string]int) {
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(w, "%8d  %s\n", counts[reason], reason)
	}
}
