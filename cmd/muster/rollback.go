package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
	"unicode/utf8"

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
	fs.StringVar(&f.run, "run", "", "id of the rollback as a run of its own, at most 128 characters; default: RUN, rollback and the time")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only count what would be done")
	fs.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	fs.StringVar(&f.summaryFile, "summary", "", "write the summary to this file, as JSON")
	return cmd
}

func rollback(cmd *cobra.Command, p *process, run string, f *rollbackFlags) (err error) {
	if err := required(cmd, "ledger"); err != nil {
		return err
	}
	way, err := f.wayBack(p, cmd.ErrOrStderr(), run)
	if err != nil {
		return err
	}
	if f.dryRun || way.commands == 0 {
		return way.print(cmd.OutOrStdout(), run)
	}
	f.strictness = phone.Possible // the numbers come from Graph and go back as they are
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
	if err = way.send(cmd.Context(), r); err == nil {
		err = r.work(cmd.Context(), f.say(cmd), way.commands)
	}
	total := r.total(f.run, way.commands, client, started)
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
func (f *rollbackFlags) wayBack(p *process, say io.Writer, run string) (*wayBack, error) {
	key, err := f.ledger.key(p)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	if f.run == "" {
		f.run = shorten(run, 37) + "-rollback-" + now.Format("20060102T150405Z")
	}
	w := &wayBack{run: f.run, now: now}
	extent, err := ledger.ReadFile(f.ledger.file, key, func(r ledger.Record) error {
		if r.Run == run {
			w.changes.Add(r)
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
	if w.changes.Len() == 0 {
		return nil, fmt.Errorf("the ledger holds no change by a run %q; muster ledger show lists its runs", run)
	}
	for e, c := range w.events() {
		if w.commands == 0 {
			if _, err := e.Structured(); err != nil {
				return nil, usageError("%w", err)
			}
		}
		w.commands++
		w.count(e.Command, c)
	}
	for c := range w.changes.All() {
		w.countLost(c)
	}
	return w, nil
}

// shorten cuts off what is behind so many bytes, and no character in two.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// wayBack is what takes a run back, and what of it can't be taken back.
type wayBack struct {
	run      string // that the commands belong to
	now      time.Time
	changes  ledger.Changes
	commands int
	// Parts to set back.
	set, removed, smsSignIn, mfaState, defaultMethod int
	// What has no way back.
	registrations, firstDefaults, lostDefaults int
}

// events are the commands that take the changes back, each made anew as it is
// asked for: a million of them at once would take gigabytes.
func (w *wayBack) events() iter.Seq2[messages.Event, ledger.Change] {
	return func(yield func(messages.Event, ledger.Change) bool) {
		for c := range w.changes.All() {
			command := goBack(c)
			if len(command.Phones) == 0 && command.SMSSignIn == nil && command.PerUserMFAState == "" && command.DefaultMethod == "" {
				continue
			}
			command.Run, command.Row = w.run, c.Row
			if !yield(messages.Event{ID: uuid.NewString(), Source: eventSource, Time: w.now, Command: command}, c) {
				return
			}
		}
	}
}

// chunk is how many events are made before they are sent.
const chunk = 1000

// send puts all commands on the road and forgets the changes.
func (w *wayBack) send(ctx context.Context, r *road) error {
	events := make([]messages.Event, 0, chunk)
	for e := range w.events() {
		if events = append(events, e); len(events) == chunk {
			if err := r.send(ctx, events...); err != nil {
				return err
			}
			events = events[:0]
		}
	}
	w.changes = ledger.Changes{}
	return r.send(ctx, events...)
}

// count counts the parts that a command sets back.
func (w *wayBack) count(command messages.Command, c ledger.Change) {
	for _, number := range command.Phones {
		if number == messages.Remove {
			w.removed++
		} else {
			w.set++
		}
	}
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
		}
	}
}

// countLost counts what can't be set back.
func (w *wayBack) countLost(c ledger.Change) {
	w.registrations += len(c.Removed)
	switch {
	case lostDefault(c):
		w.lostDefaults++
	case c.Before.DefaultMethod != nil && *c.Before.DefaultMethod == "":
		w.firstDefaults++
	}
}

// lostDefault tells that the default method was one of Microsoft Authenticator
// and went together with registrations: the rest of the user is taken back
// without it.
func lostDefault(c ledger.Change) bool {
	d := c.Before.DefaultMethod
	return len(c.Removed) > 0 && d != nil && *d == string(messages.DefaultPush)
}

// goBack is the command that sets what was there before, if everything is still
// as the run left it.
func goBack(c ledger.Change) messages.Command {
	command := messages.Command{Tenant: c.Tenant, User: c.UserID, Expect: expectation(c.After)}
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
	case *before.DefaultMethod == "", lostDefault(c):
		command.Expect.DefaultMethod = "" // whatever it is, it stays
	default:
		command.DefaultMethod = messages.DefaultMethod(*before.DefaultMethod)
		command.DefaultMethodMode = messages.DefaultModeForce
	}
	if e := command.Expect; e.Phones == nil && e.SMSSignIn == nil && e.PerUserMFAState == "" && e.DefaultMethod == "" {
		command.Expect = nil
	}
	return command
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
	fmt.Fprintf(out, "Taking run %s back would change up to %d users:\n\n", run, w.commands)
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
	if w.lostDefaults > 0 {
		_, e := fmt.Fprintf(out, "\n%d default methods stay: the Microsoft Authenticator registration behind the one before was removed.\n", w.lostDefaults)
		err = errors.Join(err, e)
	}
	return err
}
