package store_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logBuffer is a log that can be waited for.
type logBuffer struct {
	once    sync.Once
	changed chan struct{}
	mu      sync.Mutex
	text    strings.Builder
}

func (b *logBuffer) logger() *slog.Logger {
	b.once.Do(func() { b.changed = make(chan struct{}, 1) })
	return slog.New(slog.NewTextHandler(b, nil))
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *logBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	for {
		b.mu.Lock()
		found := strings.Contains(b.text.String(), text)
		b.mu.Unlock()
		if found {
			return
		}
		<-b.changed
	}
}
