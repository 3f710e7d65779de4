package main_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// logBuffer collects what a process writes, and tells those who wait for a text.
type logBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at every write
}

func newLogBuffer() *logBuffer { return &logBuffer{changed: make(chan struct{})} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// waitFor returns once the text has been written, and ends the test if it does
// not come.
func (b *logBuffer) waitFor(t testing.TB, text string) {
	t.Helper()
	late := make(chan struct{})
	deadline := time.AfterFunc(time.Minute, func() { close(late) })
	defer deadline.Stop()
	if !b.written(text, late) {
		t.Fatalf("%q was not written:\n%s", text, b.String())
	}
}

// written returns true once the text has been written, and false if done is closed
// before.
func (b *logBuffer) written(text string, done <-chan struct{}) bool {
	for {
		b.mu.Lock()
		found, changed := strings.Contains(b.text.String(), text), b.changed
		b.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}
