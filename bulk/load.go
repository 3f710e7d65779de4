package bulk

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-mfa/muster/messages"
)

// Sender puts events into a queue. servicebus.Sender is one.
type Sender interface {
	// Send sends the events in their order, packed into as few batches as the
	// service allows. It returns how many, from the first on, the service has
	// accepted; with an error, the fate of the others is not known.
	Send(ctx context.Context, events []messages.Event) (int, error)
}

// Progress is how far a load is.
type Progress struct {
	// Rows = Accepted + Rejected.
	Rows, Accepted, Rejected int
	// Bytes of the file are read, of Size. Size is 0 where it is not known.
	Bytes, Size int64
}

// Result is what became of a file. Rows = Accepted + Rejected, also where the
// load has ended early: it counts the rows whose fate is known.
type Result struct {
	Rows     int
	Accepted int // commands that the queue holds
	Rejected int
	// ByReason counts the rejected rows by their first reason.
	ByReason map[string]int
	// DuplicateUsers is how many users have more than one accepted row. All of
	// their rows are sent, in the order of the file. Beyond four million users
	// only those seen before are recognised.
	DuplicateUsers int
	// Blank is how many blank rows were passed over.
	Blank int
	// LastRow is the row up to which everything is accounted for, as a
	// spreadsheet counts; 0 for none.
	LastRow int
	// Unknown is how many commands were on their way when sending failed: the
	// queue may hold none or all of them. Loading the file again under the same
	// run is safe.
	Unknown int
	// Bytes is how much of the file was read.
	Bytes int64
}

// Load sends the commands of all rows of a file, in their order. It returns when
// everything that it began has ended.
//
// When ctx is cancelled, the batch on its way is finished (see Options.Grace)
// and the error wraps context.Cause(ctx). The result is of use with every error
// but those of Options.Validate.
func Load(ctx context.Context, r *Reader, s Sender, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("load options: %w", err)
	}
	l := &ledger{
		options: o,
		sender:  s,
		stamp:   newStamper(ctx, o),
		seen:    newUsers(),
		result:  Result{ByReason: make(map[string]int)},
	}
	err := run(ctx, r, l, o)
	l.result.Blank = r.Blank()
	if o.Rejects != nil {
		err = errors.Join(err, o.Rejects.Flush())
	}
	l.report()
	return l.result, err
}
