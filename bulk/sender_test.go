package bulk_test

import (
	"context"
	"sync"
	"testing"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// queue is a Sender that keeps what it is sent, up to limit events if there is
// an error to return after them. It refuses what a worker could not read.
type queue struct {
	t     testing.TB
	limit int
	err   error
	// before, if set, runs at the beginning of every Send.
	before func(context.Context) error

	mu     sync.Mutex
	events []messages.Event
}

func (q *queue) Send(ctx context.Context, events []messages.Event) (int, error) {
	if q.before != nil {
		if err := q.before(ctx); err != nil {
			return 0, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, e := range events {
		if q.err != nil && len(q.events) == q.limit {
			return i, q.err
		}
		encoded, err := e.Structured()
		if err != nil {
			q.t.Errorf("row %d can't be encoded: %v", e.Command.Row, err)
			continue
		}
		if _, err := messages.Decode(encoded); err != nil {
			q.t.Errorf("row %d can't be decoded: %v", e.Command.Row, err)
		}
		q.events = append(q.events, e)
	}
	return len(events), nil
}

func (q *queue) rows() []int {
	var rows []int
	for _, e := range q.events {
		rows = append(rows, e.Command.Row)
	}
	return rows
}

func options() bulk.Options {
	return bulk.Options{
		Tenant: "contoso.example", Run: "r1", Queue: "commands",
		Policy: phone.Policy{Region: "NL"},
	}
}

// checkCounts checks what every result promises.
func checkCounts(t testing.TB, got bulk.Result) {
	t.Helper()
	if got.Rows != got.Accepted+got.Rejected {
		t.Errorf("%d rows, but %d accepted and %d rejected", got.Rows, got.Accepted, got.Rejected)
	}
	byReason := 0
	for _, n := range got.ByReason {
		byReason += n
	}
	if byReason != got.Rejected {
		t.Errorf("%d rejected, but %d by reason", got.Rejected, byReason)
	}
}
