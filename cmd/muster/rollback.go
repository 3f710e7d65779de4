package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/ledger"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

type rollbackFlags struct {
	workFlags
	run         string
	dryRun      bool
	quiet       bool
	summaryFile string
}

func newRollback(p *process) *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback RUN",
		Short: "Take a run back, from the ledger that was kept of it",
		Long: `Take a run back: for every user that the ledger says it changed, set what was there
before. muster ledger show lists the runs of a ledger.

A user who has been changed since by anybody is left as they are and counted as
skipped. Done a second time it changes nothing. It is a run like any other, kept in
the same ledger under a name of its own, and can itself be taken back.

Three things have no way back: a Microsoft Authenticator registration that was
removed, a default method where there was none before, and a number that Muster's
rules refuse. With --dry-run nothing is written: the counts say what would be done.

` + exitCodes,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("%s takes the name of one run; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return rollback(cmd, p, args[0], &f) }),
	}
	f.workFlags.add(cmd)
	fs := cmd.Flags()
	fs.Lookup("ledger").Usage = "the ledger that was kept of the run; what the rollback replaces is kept in it too"
	fs.StringVar(&f.run, "run", "", "id of the rollback as a run of its own, at most 64 characters; default: RUN, rollback and the time")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only count what would be done")
	fs.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	fs.StringVar(&f.summaryFile, "summary", "", "write the summary to this file, as JSON")
	// The numbers come from Graph and go back as they are.
	for _, name := range []string{"region", "numbers"} {
		fs.Lookup(name).Hidden = true
	}
	return cmd
}

func rollback(cmd *cobra.Command, p *process, run string, f *rollbackFlags) (err error) {
	if err := required(cmd, "ledger"); err != nil {
		return err
	}
	way, err := f.wayBack(cmd.ErrOrStderr(), run)
	if err != nil {
		return err
	}
	if f.dryRun || len(way.events) == 0 {
		return way.print(cmd.OutOrStdout(), run)
	}
	f.strictness = phone.Possible
	client, err := f.client(p)
	if err != nil {
		return err
	}
	started := time.Now()
	r, err := f.openRoad(cmd.Context(), p, client)
	if err != nil {
		return err
	}
	defer r.close(&err)
	total := r.total(f.run, len(way.events), client, started)
	if err = r.send(cmd.Context(), way.events...); err == nil {
		err = r.work(cmd.Context(), f.say(cmd), len(way.events))
		total = r.total(f.run, len(way.events), client, started)
	}
	total.back = true
	total.skip(reasonChangedSince)
	err = errors.Join(err, total.print(cmd.OutOrStdout()), way.tellLost(cmd.OutOrStdout()))
	if f.summaryFile != "" {
		err = errors.Join(err, total.write(f.summaryFile))
	}
	if err != nil {
		return err
	}
	return verdictOn(cmd, total)
}

func (f *rollbackFlags) say(cmd *cobra.Command) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}

// wayBack reads the ledger and makes the commands that take the run back.
func (f *rollbackFlags) wayBack(say io.Writer, run string) (*wayBack, error) {
	key, err := f.ledger.key()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	if f.run == "" {
		f.run = run[:min(len(run), 37)] + "-rollback-" + now.Format("20060102T150405Z")
	}
	var changes ledger.Changes
	extent, err := ledger.ReadFile(f.ledger.file, key, func(r ledger.Record) error {
		if r.Run == run {
			changes.Add(r)
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError("%w", err)
	}
	if err != nil {
		return nil, err
	}
	tellTorn(say, extent)
	if changes.Len() == 0 {
		return nil, fmt.Errorf("the ledger holds no change by a run %q; muster ledger show lists its runs", run)
	}
	w := &wayBack{users: changes.Len()}
	for c := range changes.All() {
		w.add(c, f.run, now)
	}
	if len(w.events) > 0 {
		if _, err := w.events[0].Structured(); err != nil {
			return nil, usageError("%w", err)
		}
	}
	return w, nil
}

// wayBack is what takes a run back, and what of it can't be taken back.
type wayBack struct {
	events []messages.Event
	users  int
	// Parts to set back.
	set, removed, smsSignIn, mfaState, defaultMethod int
	// What has no way back.
	registrations, firstDefaults int
}

// add makes the command that takes one user's changes back.
func (w *wayBack) add(c ledger.Change, run string, now time.Time) {
	w.registrations += len(c.Removed)
	command, none := goBack(c)
	if none {
		w.firstDefaults++
	}
	command.Run, command.Row = run, c.Row
	for _, number := range command.Phones {
		if number == messages.Remove {
			w.removed++
		} else {
			w.set++
		}
	}
	wants := len(command.Phones) > 0
	for _, part := range []struct {
		wanted bool
		count  *int
	}{
		{command.SMSSignIn != nil && c.Before.SMSSignIn != nil, &w.smsSignIn},
		{command.PerUserMFAState != "", &w.mfaState},
		{command.DefaultMethod != "", &w.defaultMethod},
	} {
		if part.wanted {
			*part.count++
			wants = true
		}
	}
	if wants {
		w.events = append(w.events, messages.Event{ID: uuid.NewString(), Source: eventSource, Time: now, Command: command})
	}
}

// goBack is the command that sets what was there before, if everything is still
// as the run left it. It also tells whether there was no default method before,
// which can't be set.
func goBack(c ledger.Change) (command messages.Command, noDefault bool) {
	command = messages.Command{Tenant: c.Tenant, User: c.UserID, Expect: expectation(c.After)}
	before := c.Before
	for t, number := range before.Phones {
		if command.Phones == nil {
			command.Phones = make(messages.Phones)
		}
		// An empty number is messages.Remove.
		command.Phones[messages.PhoneType(t)] = number
	}
	mobile, written := before.Phones[string(messages.Mobile)]
	switch {
	case written && mobile == "":
		// It goes with the number. Saying so makes a second rollback find nothing
		// to do.
		command.SMSSignIn = new(false)
	case before.SMSSignIn != nil:
		command.SMSSignIn = before.SMSSignIn
	}
	if before.PerUserMFAState != nil {
		command.PerUserMFAState = messages.MFAState(*before.PerUserMFAState)
	}
	switch {
	case before.DefaultMethod == nil:
	case *before.DefaultMethod == "":
		noDefault = true
		command.Expect.DefaultMethod = "" // whatever it is, it stays
	default:
		command.DefaultMethod = messages.DefaultMethod(*before.DefaultMethod)
		command.DefaultMethodMode = messages.DefaultModeForce
	}
	if e := command.Expect; e.Phones == nil && e.SMSSignIn == nil && e.PerUserMFAState == "" && e.DefaultMethod == "" {
		command.Expect = nil
	}
	return command, noDefault
}

// expectation is what the user has if nobody has changed it since.
func expectation(after ledger.Values) *messages.Expectation {
	e := messages.Expectation{SMSSignIn: after.SMSSignIn}
	for t, number := range after.Phones {
		if e.Phones == nil {
			e.Phones = make(messages.Phones)
		}
		e.Phones[messages.PhoneType(t)] = number
	}
	// Entra ID itself turns enabled into enforced (resource type
	// strongAuthenticationRequirements), so that is no change by anybody.
	if s := after.PerUserMFAState; s != nil && *s != string(messages.MFAEnabled) {
		e.PerUserMFAState = messages.MFAState(*s)
	}
	if after.DefaultMethod != nil {
		e.DefaultMethod = messages.DefaultMethod(*after.DefaultMethod)
	}
	return &e
}

// print counts what would be done.
func (w *wayBack) print(out io.Writer, run string) error {
	fmt.Fprintf(out, "Taking run %s back would change up to %d users:\n\n", run, len(w.events))
	for _, line := range []struct {
		n    int
		what string
	}{
		{w.set, "numbers set to what they were"},
		{w.removed, "numbers removed that were not there before"},
		{w.smsSignIn, "SMS sign-in states as they were"},
		{w.mfaState, "per-user MFA states as they were"},
		{w.defaultMethod, "default methods as they were"},
	} {
		if line.n > 0 {
			fmt.Fprintf(out, "%8d  %s\n", line.n, line.what)
		}
	}
	if err := w.tellLost(out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\nNothing was read from Microsoft Graph and nothing written. Users who were changed since will be skipped.")
	return err
}

// tellLost says what has no way back.
func (w *wayBack) tellLost(out io.Writer) error {
	var err error
	if w.registrations > 0 {
		_, err = fmt.Fprintf(out, "\n%d Microsoft Authenticator registrations stay removed: only the user can register a device.\n", w.registrations)
	}
	if w.firstDefaults > 0 {
		_, e := fmt.Fprintf(out, "\n%d default methods stay: there was none before, and Microsoft Graph can't take one away.\n", w.firstDefaults)
		err = errors.Join(err, e)
	}
	return err
}
