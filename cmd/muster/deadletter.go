package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/servicebus"
)

func newDeadLetter(p *process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "Look at what was dead-lettered",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadLetterList(p))
	return cmd
}

func newDeadLetterList(p *process) *cobra.Command {
	var q queueFlags
	var asJSON, each bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead-lettered messages of a queue by reason",
		Long: `List the dead-lettered messages of a queue by reason, with counts.

The messages stay where they are. No message's body is shown: it names a user and
may hold numbers. With --each every message is listed; its trace id leads to the
trace of the user.

` + exitCodes,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) (err error) {
			n, err := q.open(cmd, p)
			if err != nil {
				return err
			}
			defer p.closing(cmd.Context(), n.Close)
			var list deadLetterList
			for d, err := range n.DeadLetters(cmd.Context(), q.queue) {
				if err != nil {
					return err
				}
				list.add(d, each)
			}
			list.sort()
			if asJSON {
				return list.json(cmd.OutOrStdout())
			}
			return list.text(cmd.OutOrStdout())
		}),
	}
	q.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&each, "each", false, "list each message too")
	return cmd
}

// deadLetterList counts dead letters by reason. It keeps single messages only
// where they are asked for, since there may be millions.
type deadLetterList struct {
	Total    int                     `json:"total"`
	Reasons  []deadLetterReason      `json:"reasons"`
	Messages []servicebus.DeadLetter `json:"messages,omitempty"`
}

type deadLetterReason struct {
	Reason string    `json:"reason"`
	Count  int       `json:"count"`
	Oldest time.Time `json:"oldest"`
	// Example is the description of one of them.
	Example string `json:"example"`
}

func (l *deadLetterList) add(d servicebus.DeadLetter, each bool) {
	l.Total++
	if each {
		l.Messages = append(l.Messages, d)
	}
	i := slices.IndexFunc(l.Reasons, func(r deadLetterReason) bool { return r.Reason == d.Reason })
	if i < 0 {
		l.Reasons = append(l.Reasons, deadLetterReason{Reason: d.Reason, Count: 1, Oldest: d.EnqueuedTime, Example: d.Description})
		return
	}
	r := &l.Reasons[i]
	r.Count++
	if d.EnqueuedTime.Before(r.Oldest) {
		r.Oldest = d.EnqueuedTime
	}
}

func (l *deadLetterList) sort() {
	slices.SortFunc(l.Reasons, func(a, b deadLetterReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
}

func (l *deadLetterList) json(w io.Writer) error {
	if l.Reasons == nil {
		l.Reasons = []deadLetterReason{}
	}
	return json.NewEncoder(w).Encode(l)
}

func (l *deadLetterList) text(w io.Writer) error {
	if l.Total == 0 {
		_, err := fmt.Fprintln(w, "No dead-lettered messages.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COUNT\tREASON\tOLDEST\tFOR EXAMPLE")
	for _, r := range l.Reasons {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", r.Count, cmp.Or(r.Reason, "(none)"), r.Oldest.Format(time.DateTime), r.Example)
	}
	fmt.Fprintf(t, "%d\tin all\n", l.Total)
	for i, m := range l.Messages {
		if i == 0 {
			fmt.Fprintln(t, "\nSEQUENCE\tREASON\tENQUEUED\tTRACE")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", m.SequenceNumber, m.Reason, m.EnqueuedTime.Format(time.DateTime), m.TraceID)
	}
	return t.Flush()
}
