package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/servicebus"
)

// managementFlag says where the management API of a local endpoint is.
type managementFlag struct{ management string }

func (f *managementFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.management, "management", "", "address of the management API of a local endpoint, such as http://127.0.0.1:5300, which is the default for a connection string of one; Azure needs none")
}

// manager prepares the management of a namespace.
func (f *managementFlag) manager(o servicebus.Options) (*servicebus.Manager, error) {
	m, err := servicebus.OpenManager(o, f.management)
	if err != nil {
		return nil, usageError("%w", err)
	}
	return m, nil
}

func newQueues(p *process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "Make the queues that workers receive from",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQueuesCreate(p))
	return cmd
}

// queueName is what Service Bus takes for the name of a queue.
var queueName = regexp.MustCompile(`^[A-Za-z0-9]+([._-]+[A-Za-z0-9]+|/[A-Za-z0-9._-]*[A-Za-z0-9])*$`)

type queuesCreateFlags struct {
	queueFlags
	managementFlag
	duplicates     time.Duration
	update, asJSON bool
	timeout        time.Duration
}

func newQueuesCreate(p *process) *cobra.Command {
	var f queuesCreateFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a queue that suits a worker",
		Long: `Make a queue that suits a worker, or tell in what a queue that is there differs.

  no sessions                    the worker receives without them
  lock of 1 minute               renewed at half of it; after a crash, others wait no longer
  100 deliveries                 each worker that stops while it holds a command counts as one
  expired is dead-lettered       nothing goes without a trace; commands themselves never expire
  duplicates found for 24 hours  a load that was interrupted and started again sends nothing
                                 twice, and no old row behind a newer event for the same user

Everything else is the service's default. Where the queue is there and suits, nothing is
done. Where it differs, that is told, and --update changes what can be changed; longer
locks, more deliveries and a longer memory for duplicates than these are left alone. An
update detaches receivers and senders for a moment. Sessions, partitions and whether
duplicates are found are fixed when a queue is made: for other ones, make another queue.

It needs the right Manage on the namespace, or the role Azure Service Bus Data Owner.
The Basic tier has no detection of duplicates: use --duplicate-detection 0.

  muster queues create commands --servicebus contoso.servicebus.windows.net

Exit codes:
  0    the queue is there, and suits
  1    it could not be made or updated
  2    the command line or an environment variable is wrong
  3    the queue is there, and differs
  130  interrupted before it was done`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("%s takes the name of one queue; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			if len(args[0]) > 260 || !queueName.MatchString(args[0]) {
				return usageError("%q is no name of a queue: use up to 260 letters, digits and . - _ /, with a letter or a digit at both ends", args[0])
			}
			return nil
		},
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return queuesCreate(cmd, p, &f, args[0]) }),
	}
	f.addNamespace(cmd)
	f.managementFlag.add(cmd)
	fs := cmd.Flags()
	fs.DurationVar(&f.duplicates, "duplicate-detection", doctor.FittingQueue().DuplicateDetection, "how long ids of commands are remembered, 20s to 168h; 0 for not at all")
	fs.BoolVar(&f.update, "update", false, "change a queue that is there and differs")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "how long all of it may take")
	return cmd
}

// queueReport is what became of a queue.
type queueReport struct {
	Queue string `json:"queue"`
	// State is created, updated, suits or differs.
	State       string                   `json:"state"`
	Differences []doctor.QueueDifference `json:"differences"`
}

func queuesCreate(cmd *cobra.Command, p *process, f *queuesCreateFlags, name string) error {
	if err := required(cmd, "servicebus"); err != nil {
		return err
	}
	if d := f.duplicates; d != 0 && (d < 20*time.Second || d > 7*24*time.Hour) {
		return usageError("--duplicate-detection is %v; it must be 20s to 168h, or 0", d)
	}
	o, err := f.namespace(cmd, p)
	if err != nil {
		return err
	}
	m, err := f.manager(o)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	report, err := f.ensure(ctx, m, name)
	if err != nil {
		return explainManagement(err)
	}
	if err := report.print(cmd.OutOrStdout(), f.asJSON); err != nil {
		return err
	}
	if len(report.Differences) > 0 {
		return errPartly
	}
	return nil
}

// ensure makes the queue, or brings it nearer to what suits.
func (f *queuesCreateFlags) ensure(ctx context.Context, m *servicebus.Manager, name string) (queueReport, error) {
	fitting := doctor.FittingQueue()
	fitting.DuplicateDetection = f.duplicates
	is, err := m.Queue(ctx, name)
	if errors.Is(err, servicebus.ErrQueueNotFound) {
		if err = m.CreateQueue(ctx, name, servicebus.QueueProperties(fitting)); err == nil {
			return queueReport{name, "created", []doctor.QueueDifference{}}, nil
		}
		if errors.Is(err, servicebus.ErrQueueExists) { // somebody else was faster, or it is a topic
			is, err = m.Queue(ctx, name)
		}
	}
	if err != nil {
		return queueReport{}, err
	}
	state, differences := "differs", f.compare(is)
	if f.update && slices.ContainsFunc(differences, func(d doctor.QueueDifference) bool { return !d.Lasting }) {
		if err := m.UpdateQueue(ctx, name, servicebus.QueueProperties(doctor.MendQueue(doctor.QueueProperties(is), f.duplicates))); err != nil {
			return queueReport{}, err
		}
		if is, err = m.Queue(ctx, name); err != nil {
			return queueReport{}, err
		}
		state, differences = "updated", f.compare(is)
	}
	if state == "differs" && len(differences) == 0 {
		state = "suits"
	}
	return queueReport{name, state, differences}, nil
}

func (f *queuesCreateFlags) compare(is servicebus.QueueProperties) []doctor.QueueDifference {
	differences := doctor.CompareQueue(doctor.QueueProperties(is), f.duplicates)
	return append([]doctor.QueueDifference{}, differences...) // never null in JSON
}

// explainManagement says what to do about an error of the management API.
func explainManagement(err error) error {
	switch {
	case errors.Is(err, servicebus.ErrUnauthorized):
		return fmt.Errorf("%w\nIt needs the right Manage: a key with it (Azure portal > Service Bus > the namespace > Shared access policies), or the role Azure Service Bus Data Owner", err)
	case errors.Is(err, servicebus.ErrNotAQueue):
		return fmt.Errorf("%w\nTake another name", err)
	}
	return err
}

func (r queueReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	switch r.State {
	case "created":
		fmt.Fprintf(w, "The queue %s was made.\n", r.Queue)
	case "updated":
		fmt.Fprintf(w, "The queue %s was updated.\n", r.Queue)
	case "suits":
		fmt.Fprintf(w, "The queue %s is there, and suits a worker.\n", r.Queue)
	default:
		fmt.Fprintf(w, "The queue %s is there, and differs from what suits a worker.\n", r.Queue)
	}
	changeable := false
	for _, d := range r.Differences {
		fmt.Fprintf(w, "\n%-8s %s is %s; a worker wants %s.\n         %s\n", d.Severity, d.Property, d.Is, d.Want, d.Why)
		if d.Lasting {
			fmt.Fprintln(w, "         This can't be changed: make another queue.")
		}
		changeable = changeable || !d.Lasting
	}
	var err error
	if changeable {
		_, err = fmt.Fprintln(w, "\n--update changes what can be changed.")
	}
	return err
}
