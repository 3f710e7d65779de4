package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/muster-mfa/muster/messages"
)

// maxChunkBytes ends a chunk early where rows are long, so that memory does not
// grow with them.
const maxChunkBytes = 1 << 20

// chunk is a run of consecutive rows. The goroutine that reads fills rows, one
// worker fills decisions and closes ready, and the ledger takes both.
type chunk struct {
	rows      []Row
	decisions []decision
	ready     chan struct{}
	last      bool
	err       error // why reading ended behind the last chunk, nil at the file's end
}

// decision is what a row has come to: a command, unless it is rejected.
type decision struct {
	command  messages.Command
	rejected *Rejection
}

// run moves rows through three stages: one goroutine reads them in chunks,
// several interpret chunks, one settles chunks in the order in which they were
// read. Both channels are bounded, so a slow queue slows down the reading.
func run(ctx context.Context, r *Reader, l *ledger, o Options) error {
	workers := o.workers()
	work := make(chan *chunk, workers)
	ordered := make(chan *chunk, 2*workers)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(ordered)
		defer close(work)
		feed(gctx, r, o.batchRows(), ordered, work)
		return nil
	})
	for range workers {
		g.Go(func() error {
			for c := range work {
				c.interpret(r.detected.Header, o)
			}
			return nil
		})
	}
	g.Go(func() error { return l.settleAll(gctx, ordered) })
	return g.Wait()
}

// feed hands every chunk to both of its readers. It ends at the file's end, at
// a reading error, which travels in the last chunk so that the rows before it
// are settled first, and when ctx ends, which is for the ledger to report.
func feed(ctx context.Context, r *Reader, rows int, to ...chan<- *chunk) {
	for {
		c := readChunk(r, rows)
		for _, ch := range to {
			select {
			case ch <- c:
			case <-ctx.Done():
				return
			}
		}
		if c.last {
			return
		}
	}
}

func readChunk(r *Reader, rows int) *chunk {
	c := &chunk{ready: make(chan struct{})}
	size := 0
	for len(c.rows) < rows && size < maxChunkBytes {
		row, err := r.Read()
		if err != nil {
			c.last = true
			if !errors.Is(err, io.EOF) {
				c.err = err
			}
			break
		}
		for _, cell := range row.Cells {
			size += len(cell)
		}
		c.rows = append(c.rows, row)
	}
	return c
}

func (c *chunk) interpret(h Header, o Options) {
	defer close(c.ready)
	c.decisions = make([]decision, len(c.rows))
	for i, row := range c.rows {
		d := &c.decisions[i]
		d.command, d.rejected = h.Command(row, o.Policy, o.Modes)
	}
}

// settleAll settles chunks up to the last one or until ctx ends.
func (l *ledger) settleAll(ctx context.Context, ordered <-chan *chunk) error {
	for c := range ordered {
		select {
		case <-c.ready:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		if err := l.settle(ctx, c); err != nil {
			return err
		}
		if c.last {
			return c.err
		}
	}
	return fmt.Errorf("load rows after row %d: %w", l.result.LastRow, context.Cause(ctx))
}
