package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

// roadQueue is the queue of the broker in the process.
const roadQueue = "commands"

// road is the way that commands take from this process to Microsoft Graph and
// no further: a broker in the process, a sender into its queue, and a worker
// that takes from it until it is empty. It is the way through Azure Service Bus
// with another endpoint.
type road struct {
	sender *servicebus.Sender
	worker *worker.Worker
	scope  *worker.Scope
	counts *tally

	closers []func(*error)
}

// openRoad builds the road. Every outcome goes to the road's counts, to the file
// of outcomes if there is to be one, and to each of listen.
func (f *workFlags) openRoad(ctx context.Context, p *process, client *graphclient.Client, listen ...reporter) (_ *road, err error) {
	r := &road{counts: newTally()}
	defer func() {
		if err != nil {
			r.close(&err)
		}
	}()
	report, closeFile, err := f.reporter(p, r.counts)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, closeFile)
	for _, l := range listen {
		report = both(report, l)
	}
	opts, err := f.options(p, roadQueue, report)
	if err != nil {
		return nil, err
	}
	keep, closeLedger, err := f.ledger.open(p)
	if err != nil {
		return nil, err
	}
	opts.Ledger = keep
	r.scope = opts.Scope
	r.closers = append(r.closers, closeLedger)
	namespace, stop, err := startBroker(p)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, stop, func(*error) { p.closing(ctx, namespace.Close) })
	source, err := namespace.Source(roadQueue)
	if err != nil {
		return nil, err
	}
	if r.sender, err = namespace.Sender(roadQueue); err != nil {
		return nil, err
	}
	opts.Empty = source.Empty
	if r.worker, err = worker.New(source, client, opts); err != nil {
		return nil, usageError("%w", err)
	}
	return r, nil
}

// close takes the road down, the last part first.
func (r *road) close(err *error) {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i](err)
	}
	r.closers = nil
}

// work works until the queue is empty, and shows how far it is.
func (r *road) work(ctx context.Context, say io.Writer, total int) error {
	stop := watch(say, total, r.counts)
	defer stop()
	return r.worker.Run(ctx)
}

// send puts events on the road.
func (r *road) send(ctx context.Context, events ...messages.Event) error {
	_, err := r.sender.Send(ctx, events)
	return err
}

// total is what became of so many commands of a run so far.
func (r *road) total(run string, sent int, client *graphclient.Client, since time.Time) summary {
	return r.counts.total(loadSummary{Run: run, Rows: sent, Accepted: sent}, client.Stats(), time.Since(since))
}

// verdictOn is the error, if any, with which a command ends that has brought so
// many others down the road.
func verdictOn(cmd *cobra.Command, s summary) error {
	switch {
	case cmd.Context().Err() != nil:
		return fmt.Errorf("interrupted before all was done, run it again to go on: %w", context.Canceled)
	case s.Rejected+s.DeadLettered+s.Failed+s.Skipped > 0:
		return errPartly
	}
	return nil
}

// watch shows on a terminal how many commands have an outcome.
func watch(w io.Writer, total int, counts *tally) (stop func()) {
	b := newBar(w, int64(total), "applying")
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				n := counts.done()
				b.set(int64(n), fmt.Sprintf("applying %d of %d", n, total))
			case <-end:
				b.finish()
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// startBroker runs the broker in the process and connects to it.
func startBroker(p *process) (*servicebus.Namespace, func(*error), error) {
	// An interrupted command is given back and counted as a delivery; in a queue
	// of one's own nobody is served by a limit on that.
	server, err := broker.New(broker.Options{
		Queues: []broker.Queue{{Name: roadQueue, MaxDeliveryCount: 1000, MaxSizeInMegabytes: roomy}},
		Logger: p.log,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start broker: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("start broker: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop := func(err *error) {
		*err = errors.Join(*err, server.Close())
		if e := <-served; !errors.Is(e, broker.ErrServerClosed) {
			*err = errors.Join(*err, e)
		}
	}
	namespace, err := servicebus.Open(servicebus.Options{Address: server.ConnectionString()})
	if err != nil {
		stop(&err)
		return nil, nil, err
	}
	return namespace, stop, nil
}
