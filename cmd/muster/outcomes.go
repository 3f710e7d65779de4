package main

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/muster-mfa/muster/messages"
)

// outcomeFile appends outcomes to a file, a line each. A line is written as soon
// as its message is settled, so that a process that is killed has told all.
type outcomeFile struct {
	log *slog.Logger

	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
	failed error // guarded by mu: the first trouble, told at the end
}

func openOutcomes(path string, log *slog.Logger) (*outcomeFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open outcomes file: %w", err)
	}
	return &outcomeFile{log: log, file: f, buffer: bufio.NewWriter(f)}, nil
}

func (o *outcomeFile) report(outcome messages.Outcome) {
	line, err := messages.EncodeOutcome(messages.OutcomeEvent{
		ID: uuid.NewString(), Source: eventSource, Time: time.Now().UTC(), Outcome: outcome,
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		_, err = o.buffer.Write(append(line, '\n'))
		err = errors.Join(err, o.buffer.Flush())
	}
	if err != nil && o.failed == nil {
		o.failed = fmt.Errorf("write outcomes file: %w", err)
		o.log.Error("an outcome was not recorded", "error", err)
	}
}

func (o *outcomeFile) close(err *error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*err = errors.Join(*err, o.failed, o.file.Close())
}

// reporter is told outcomes, by many goroutines at once.
type reporter = func(messages.Outcome)

func both(a, b reporter) reporter {
	return func(o messages.Outcome) {
		a(o)
		b(o)
	}
}
