package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

// workFlags say how commands are worked on, by worker and apply alike.
type workFlags struct {
	graphFlags
	ledger            ledgerFlags
	concurrency       int
	grace, firstPause time.Duration
	outcomes          string
	checkup           checkup
	limitFlags
}

func (f *workFlags) add(cmd *cobra.Command) {
	f.graphFlags.add(cmd)
	f.addWrites(cmd)
	f.limitFlags.add(cmd)
	f.ledger.add(cmd)
	fs := cmd.Flags()
	fs.IntVar(&f.concurrency, "concurrency", worker.DefaultConcurrency, "commands worked on at once")
	fs.DurationVar(&f.grace, "grace", 20*time.Second, "how long to finish what has begun once told to stop")
	fs.DurationVar(&f.firstPause, "first-pause", 15*time.Second, "how long a tenant that answers 401 or 403 is left alone at first; it doubles up to 5m")
	fs.StringVar(&f.outcomes, "outcomes", "", "append every outcome to this file, as lines of CloudEvents JSON")
}

// options are the worker's, as far as the flags say.
func (f *workFlags) options(p *process, queue string, report reporter) (worker.Options, error) {
	scope, err := f.scope()
	if err != nil {
		return worker.Options{}, err
	}
	return worker.Options{
		Allow:       f.allow,
		Scope:       scope,
		Verify:      f.verify,
		Concurrency: f.concurrency,
		Numbers:     f.numbers(),
		Grace:       f.grace,
		FirstPause:  f.firstPause,
		QueueName:   queue,
		Permanent: func(err error) bool {
			return errors.Is(err, servicebus.ErrQueueNotFound) || errors.Is(err, servicebus.ErrUnauthorized)
		},
		Report:  report,
		OnPause: f.checkup.paused,
		Logger:  p.log,
	}, nil
}

// reporter joins the file of outcomes, if there is to be one, to the counts.
func (f *workFlags) reporter(p *process, counts *tally) (report reporter, closeFile func(*error), err error) {
	if f.outcomes == "" {
		return counts.report, func(*error) {}, nil
	}
	file, err := openOutcomes(f.outcomes, p.log)
	if err != nil {
		return nil, nil, err
	}
	return both(counts.report, file.report), file.close, nil
}

// startCheckup begins the checks of muster doctor for what commands may ask for
// and what the scope reads, with the home tenant where one is named. A simulated
// tenant without tokens is not worth it.
func (f *workFlags) startCheckup(ctx context.Context, p *process, client *graphclient.Client, scope *worker.Scope, home string) {
	needs, err := needsOf(f.allow)
	if err != nil || !client.NeedsToken() { // worker.New says what is wrong with --allow
		return
	}
	if scope != nil {
		read := worker.Capability{Name: "the scope", Permissions: scope.Permissions()}
		needs = append(needs, doctor.Need{Capability: read.Name, Missing: read.Missing})
	}
	end, err := p.credential.certificateEnd()
	if err != nil {
		end = time.Time{} // the credential was made of it, so the file has gone since
	}
	f.checkup.start(ctx, doctor.Options{
		Graph: client, Tokens: true, Needs: needs, Application: p.credential.clientID, Credential: p.credential.kind, CertificateEnd: end,
		Clock: func(ctx context.Context) (time.Time, error) { return p.credential.timeAt(ctx, client.Endpoint()) },
	}, home, p.log)
}

// workerFlags are those of muster worker.
type workerFlags struct {
	queueFlags
	workFlags
	untilEmpty   bool
	adminAddress string
}

func newWorker(p *process) *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Apply the commands of a queue to Microsoft Graph",
		Long: `Receive commands from a Service Bus queue and apply them to Microsoft Graph.

A command is completed only after Graph holds what it asks for. What can never work
is dead-lettered with a reason. A tenant that refuses the application altogether is
paused: the log says which permission is missing, and no message is lost to it.

On SIGTERM or SIGINT the worker stops receiving, finishes what it has begun within
--grace, gives the rest back and exits with 0. A second signal ends it at once.

` + exitCodes,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return runWorker(cmd, p, &f) }),
	}
	f.queueFlags.add(cmd)
	f.workFlags.add(cmd)
	f.addNumbers(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&f.untilEmpty, "until-empty", false, "exit once the queue is empty")
	fs.StringVar(&f.adminAddress, "admin-address", "", "address for /healthz, /readyz and /metrics, such as 127.0.0.1:9090; default: none")
	return cmd
}

func runWorker(cmd *cobra.Command, p *process, f *workerFlags) (err error) {
	ctx := cmd.Context()
	namespace, err := f.open(cmd, p)
	if err != nil {
		return err
	}
	defer p.closing(ctx, namespace.Close)
	counts := newTally()
	report, closeFile, err := f.reporter(p, counts)
	if err != nil {
		return err
	}
	defer closeFile(&err)
	keep, closeLedger, err := f.ledger.open(p)
	if err != nil {
		return err
	}
	defer closeLedger(&err)
	defer f.checkup.stop()
	w, source, err := buildWorker(ctx, p, namespace, f, report, keep)
	if err != nil {
		return err
	}
	defer p.closing(ctx, source.Close)
	if f.adminAddress != "" {
		stop, err := serveAdmin(f.adminAddress, p, func() (bool, any) {
			s := w.Status()
			return s.Receiving, s
		})
		if err != nil {
			return err
		}
		defer stop()
	}
	p.log.Info("worker started", "queue", f.queue, "concurrency", f.concurrency)
	err = w.Run(ctx)
	s := counts.summary
	p.log.Info("worker stopped", "applied", s.Applied, "unchanged", s.Unchanged, "dead_lettered", s.DeadLettered, "failed", s.Failed)
	return err
}

// buildWorker makes a worker for one queue. It looks into the queue first, so
// that a wrong name or a missing right is an error at the start.
func buildWorker(ctx context.Context, p *process, n *servicebus.Namespace, f *workerFlags, report reporter, keep worker.Ledger) (*worker.Worker, *servicebus.Source, error) {
	client, err := f.client(p)
	if err != nil {
		return nil, nil, err
	}
	source, err := n.Source(f.queue)
	if err != nil {
		return nil, nil, err
	}
	if _, err := source.Empty(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("look into queue %s: %w", f.queue, err), source.Close(context.WithoutCancel(ctx)))
	}
	opts, err := f.options(p, f.queue, report)
	if err != nil {
		return nil, nil, errors.Join(err, source.Close(context.WithoutCancel(ctx)))
	}
	opts.Ledger = keep
	f.startCheckup(ctx, p, client, opts.Scope, p.credential.tenantID)
	if f.untilEmpty {
		opts.Empty = source.Empty
	}
	w, err := worker.New(source, client, opts)
	if err != nil {
		return nil, nil, errors.Join(usageError("%w", err), source.Close(context.WithoutCancel(ctx)))
	}
	return w, source, nil
}
