package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

// applyQueue is the queue of the broker in the process.
const applyQueue = "commands"

type applyFlags struct {
	fileFlags
	workFlags
	summaryFile string
}

func newApply(p *process) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE.csv",
		Short: "Apply a file of users to Microsoft Graph, with no Service Bus",
		Long: `Apply a CSV file of users to Microsoft Graph, from beginning to end.

The queue is in the process: rows are loaded into it, worked off, and summed up. The
columns are those of muster load. It does the same against the real Microsoft Graph
and against the simulated tenant of muster local.

The queue is in memory. A run that is interrupted is resumed by running it again: what
Graph holds already costs a read and no write.

` + exitCodes,
		Args: oneFile,
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return apply(cmd, p, args[0], &f) }),
	}
	f.fileFlags.add(cmd)
	f.workFlags.add(cmd)
	cmd.Flags().StringVar(&f.summaryFile, "summary", "", "write the summary to this file, as JSON")
	return cmd
}

func apply(cmd *cobra.Command, p *process, name string, f *applyFlags) (err error) {
	if f.summaryFile != "" && filepath.Dir(f.summaryFile) != "." {
		if err := os.MkdirAll(filepath.Dir(f.summaryFile), 0o755); err != nil {
			return fmt.Errorf("make room for the summary: %w", err)
		}
	}
	client, err := f.client(p)
	if err != nil {
		return err
	}
	namespace, stop, err := startBroker(p)
	if err != nil {
		return err
	}
	defer stop(&err)
	defer closing(cmd.Context(), namespace.Close, &err)

	started := time.Now()
	counts := newTally()
	report, closeFile, err := f.reporter(p, counts)
	if err != nil {
		return err
	}
	defer closeFile(&err)
	w, sender, err := f.prepare(p, namespace, client, report)
	if err != nil {
		return err
	}
	loaded, err := f.loadAndWork(cmd, p, name, sender, w, counts)
	total := counts.total(newLoadSummary(f.run, loaded), client.Stats(), time.Since(started))
	if loaded.Rows > 0 {
		err = errors.Join(err, total.print(cmd.OutOrStdout()))
		tellRest(f.say(cmd), &f.fileFlags, loaded)
		if f.summaryFile != "" {
			err = errors.Join(err, total.write(f.summaryFile))
		}
	}
	switch {
	case err == nil && cmd.Context().Err() != nil:
		return fmt.Errorf("interrupted before all was done, run it again to go on: %w", context.Canceled)
	case err == nil && total.Rejected+total.DeadLettered+total.Failed > 0:
		return errPartly
	}
	return err
}

// prepare opens both ends of the queue.
func (f *applyFlags) prepare(p *process, n *servicebus.Namespace, client *graphclient.Client, report reporter) (*worker.Worker, *servicebus.Sender, error) {
	source, err := n.Source(applyQueue)
	if err != nil {
		return nil, nil, err
	}
	sender, err := n.Sender(applyQueue)
	if err != nil {
		return nil, nil, err
	}
	opts, err := f.options(p, applyQueue, report)
	if err != nil {
		return nil, nil, err
	}
	opts.Empty = source.Empty
	w, err := worker.New(source, client, opts)
	if err != nil {
		return nil, nil, usageError("%w", err)
	}
	return w, sender, nil
}

// loadAndWork loads the file and then works until the queue is empty. Loading is
// far faster than Graph, and the rejects are known before the first write.
func (f *applyFlags) loadAndWork(cmd *cobra.Command, p *process, name string, sender bulk.Sender, w *worker.Worker, counts *tally) (bulk.Result, error) {
	loaded, err := loadFile(cmd, p, name, &f.fileFlags, f.numbers(), sender, applyQueue)
	if err != nil {
		return loaded, err
	}
	stop := watch(f.say(cmd), loaded.Accepted, counts)
	defer stop()
	return loaded, w.Run(cmd.Context())
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
		Queues: []broker.Queue{{Name: applyQueue, MaxDeliveryCount: 1000}},
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
