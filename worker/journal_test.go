package worker_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal keeps log lines and lets a test wait for one.
type journal struct {
	mu    sync.Mutex
	lines []string      // guarded by mu
	more  chan struct{} // guarded by mu; closed and replaced by each line
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

// await returns the first line that holds the text, as soon as there is one.
func (j *journal) await(t *testing.T, text string) string {
	t.Helper()
	patience := time.After(tooLong)
	for {
		j.mu.Lock()
		i := slices.IndexFunc(j.lines, func(line string) bool { return strings.Contains(line, text) })
		more := j.more
		if i >= 0 {
			defer j.mu.Unlock()
			return j.lines[i]
		}
		j.mu.Unlock()
		select {
		case <-more:
		case <-patience:
			t.Fatalf("nothing in the log about %q", text)
		}
	}
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) count(text string) int {
	n := 0
	for _, line := range j.all() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
