package worker_test

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/servicebus"
)

// line hands messages out in the order in which they were published. Without it
// a test of that order would fail now and then: azservicebus releases whatever
// arrives between two calls of ReceiveMessages, and it comes again behind others.
// It also notes the delivery counts of all that is handed out.
type line struct {
	next int64 // the sequence number that is due; only one worker receives at a time
	held []messages.Delivery

	mu     sync.Mutex
	counts map[string][]int // guarded by mu; by message id
}

// inLine is a source whose messages stand in line.
type inLine struct {
	*servicebus.Source
	line *line
}

func (q inLine) Receive(ctx context.Context, limit int) ([]messages.Delivery, error) {
	if out := q.line.take(limit); len(out) > 0 {
		return out, nil
	}
	deliveries, err := q.Source.Receive(ctx, limit)
	q.line.held = append(q.line.held, deliveries...)
	return q.line.take(limit), err
}

// take returns what is due.
func (l *line) take(limit int) []messages.Delivery {
	slices.SortFunc(l.held, func(a, b messages.Delivery) int { return cmp.Compare(a.SequenceNumber, b.SequenceNumber) })
	var out []messages.Delivery
	for len(l.held) > 0 && len(out) < limit && l.held[0].SequenceNumber <= l.next {
		d := l.held[0]
		l.held = l.held[1:]
		l.next = max(l.next, d.SequenceNumber+1)
		out = append(out, d)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range out {
		l.counts[d.MessageID] = append(l.counts[d.MessageID], d.Count)
	}
	return out
}

func (l *line) countsOf(id string) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.counts[id])
}
