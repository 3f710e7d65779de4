package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// changeFlags are those of every command that changes one user.
type changeFlags struct {
	workFlags
	subjectFlags
}

func (f *changeFlags) add(cmd *cobra.Command) {
	f.workFlags.add(cmd)
	f.subjectFlags.add(cmd)
	for _, name := range []string{"concurrency", "grace", "first-pause", "read-burst", "write-burst"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
}

// changed is what became of one command for one user. Its JSON form is what
// --json prints.
type changed struct {
	Before userView       `json:"before"`
	Result resultView     `json:"result"`
	After  userView       `json:"after"`
	Run    string         `json:"run,omitempty"`
	state  *userState     // before
	after  *userState     // after
	event  messages.Event // that was sent
}

type resultView struct {
	Result   string   `json:"result"`
	Reason   string   `json:"reason,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Warnings []string `json:"warnings"`
	Writes   int      `json:"writes"`
	// Lagging says that Microsoft Graph does not show all of it yet.
	Lagging bool   `json:"lagging,omitempty"`
	TraceID string `json:"traceId,omitempty"`
}

// newResultView says what a person needs of an outcome.
func newResultView(o messages.Outcome) resultView {
	r := resultView{Result: string(o.Result), Reason: o.Reason, Detail: o.Detail, Warnings: []string{}, Writes: o.Writes, TraceID: o.TraceID}
	r.Warnings = append(r.Warnings, o.Warnings...)
	return r
}

// changeUser carries out one command for one user and prints before, what was
// done, and after.
func changeUser(cmd *cobra.Command, p *process, user string, f *changeFlags, command messages.Command) error {
	client, err := f.begin(cmd, p, user, &command)
	if err != nil {
		return err
	}
	c, err := f.change(cmd.Context(), p, client, command)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(c)
	} else {
		err = c.text(cmd.OutOrStdout())
	}
	if err == nil && !c.done() {
		return errPartly
	}
	return err
}

// begin checks what was asked for before anything is asked of Graph.
func (f *changeFlags) begin(cmd *cobra.Command, p *process, user string, command *messages.Command) (*graphclient.Client, error) {
	if err := required(cmd, "tenant"); err != nil {
		return nil, err
	}
	command.Tenant, command.User = f.tenant, user
	if f.ledger.file != "" && command.Run == "" {
		command.Run = "user-" + time.Now().UTC().Format("20060102T150405.000Z")
	}
	if _, err := newUserEvent(*command).Structured(); err != nil {
		return nil, usageError("%w", err)
	}
	return f.client(p)
}

// change reads, brings the command down the road, and reads again until the
// change shows.
func (f *changeFlags) change(ctx context.Context, p *process, client *graphclient.Client, command messages.Command) (*changed, error) {
	dir := client.Directory(f.tenant)
	before, err := readUser(ctx, dir, command.User)
	if err != nil {
		return nil, err
	}
	command.User = before.id(command.User)
	c := &changed{event: newUserEvent(command), state: before, Before: newUserView(before, f.reveal), Run: command.Run}
	outcome, err := f.carryOut(ctx, p, client, c.event)
	if err != nil {
		return nil, err
	}
	c.Result = newResultView(outcome)
	if about := refusedNumbers(command.Phones, f.numbers(), outcome.Reason); about != "" {
		c.Result.Detail = about
	}
	var shows bool
	c.after, shows, err = readChanged(ctx, dir, command, outcome)
	if err != nil {
		return nil, fmt.Errorf("%s, but reading again failed: %w", outcome.Result, err)
	}
	c.Result.Lagging = outcome.Result == messages.Applied && !shows
	c.After = newUserView(c.after, f.reveal)
	return c, nil
}

// done tells whether Graph holds what was asked for.
func (c *changed) done() bool {
	return c.Result.Result == string(messages.Applied) || c.Result.Result == string(messages.Unchanged)
}

// leftAsIs tells that the command was refused before anything was changed. A
// reply that was lost can have hidden a change from the worker, so what the user
// has counts too.
func (c *changed) leftAsIs() bool {
	return c.Result.Result == string(messages.Refused) && c.Result.Writes == 0 &&
		slices.Equal(newUserView(c.state, true).rows(), newUserView(c.after, true).rows())
}

// errNoAccess ends the command of a person whom the worker would let wait.
var errNoAccess = errors.New("the application may not do that; the line above says what it lacks")

// errNotKept ends it where the worker would wait for room in the ledger.
var errNotKept = errors.New("what the user has can't be kept in the ledger, and so nothing is changed; the line above says why")

// carryOut brings one event down the road and returns its outcome. A worker
// waits where the application lacks a permission, or the ledger can't be written;
// a person is told at once.
func (f *changeFlags) carryOut(ctx context.Context, p *process, client *graphclient.Client, e messages.Event) (outcome messages.Outcome, err error) {
	var mu sync.Mutex
	var got *messages.Outcome
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.ledger.failed = func() { cancel(errNotKept) }
	r, err := f.openRoad(ctx, p.quiet(), client, func(o messages.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		got = &o
		cancel(nil)
	})
	if err != nil {
		return outcome, err
	}
	defer r.close(&err)
	if err := r.send(ctx, e); err != nil {
		return outcome, err
	}
	stop := whenPaused(r, func() { cancel(errNoAccess) })
	err = r.worker.Run(working)
	stop()
	mu.Lock()
	defer mu.Unlock()
	switch {
	case err != nil:
		return outcome, err
	case got != nil:
		return *got, nil
	case ctx.Err() != nil:
		return outcome, fmt.Errorf("interrupted: %w", context.Canceled)
	}
	return outcome, context.Cause(working)
}

// whenPaused calls do once the road's worker leaves the tenant alone. The worker
// has said why by then.
func whenPaused(r *road, do func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if len(r.worker.Status().Paused) > 0 {
					do()
					return
				}
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// readChanged reads the user again, several times if need be: a read may lag
// behind a write by some seconds.
func readChanged(ctx context.Context, dir *graphclient.Directory, c messages.Command, o messages.Outcome) (s *userState, shows bool, err error) {
	for _, wait := range [...]time.Duration{0, 300 * time.Millisecond, 700 * time.Millisecond, time.Second, 2 * time.Second, 2 * time.Second} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s, false, fmt.Errorf("interrupted: %w", context.Canceled)
		}
		if s, err = readUser(ctx, dir, c.User); err != nil {
			return nil, false, err
		}
		// With a warning, what is there may differ from what was asked for.
		if o.Result != messages.Applied || len(o.Warnings) > 0 || s.shows(c) {
			return s, true, nil
		}
	}
	return s, false, nil
}

// shows tells whether the state holds what the command asked for, as far as it
// was read and as far as it can be told.
func (s *userState) shows(c messages.Command) bool {
	is := make(map[messages.PhoneType]graphclient.PhoneMethod)
	for _, m := range s.phones {
		is[messages.PhoneType(m.Type)] = m
	}
	for t, number := range c.Phones {
		have, there := is[t]
		gone := number == messages.Remove || c.PhoneMode == messages.PhoneModeRemove
		if !s.noPhones && (gone == there || there && !sameNumber(have.Number, number)) {
			return false
		}
	}
	if on := c.SMSSignIn; on != nil && !s.noPhones && *on != (is[messages.Mobile].SMSSignInState == graphclient.SMSReady) {
		return false
	}
	if w := c.PerUserMFAState; w != "" && s.mfaState != "" && string(s.mfaState) != string(w) &&
		!(w == messages.MFAEnabled && s.mfaState == graphclient.MFAEnforced) {
		return false
	}
	if w := c.DefaultMethod; w != "" && !s.noSP && string(s.preferences.DefaultMethod) != string(w) {
		return false
	}
	for _, a := range s.authenticator {
		if c.Authenticator.RemoveAll {
			return false
		}
		for _, id := range c.Authenticator.Remove {
			if strings.EqualFold(a.ID, id) {
				return false
			}
		}
	}
	return true
}

// sameNumber compares a number of Graph's with one that a person typed. What
// the worker has made of the latter can only be guessed where it has no country
// code, so that counts as the same.
func sameNumber(have, typed string) bool {
	if !strings.HasPrefix(strings.TrimSpace(typed), "+") {
		return true
	}
	return phone.Equal(have, typed)
}

// text prints it for a person.
func (c *changed) text(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", c.Before.title())
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\tBEFORE\tAFTER")
	before, after := c.Before.rows(), c.After.rows()
	is, will := newUserView(c.state, true).rows(), newUserView(c.after, true).rows()
	for i, b := range before {
		a := after[i].value
		switch {
		case is[i] == will[i]:
			a = "the same"
		case a == b.value:
			a += " (another number)" // the difference is masked
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", b.name, b.value, a)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return c.tellResult(w)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type row struct{ name, value string }

// rows are the parts that a command can change, in few words.
func (v userView) rows() []row {
	short := func(words string) string {
		word, _, _ := strings.Cut(words, ":")
		return word
	}
	var rows []row
	for _, p := range phoneNames {
		rows = append(rows, row{p.name, v.phone(p.kind)})
	}
	devices := none
	if len(v.Authenticator) > 0 {
		names := make([]string, 0, len(v.Authenticator))
		for _, a := range v.Authenticator {
			names = append(names, a.name())
		}
		devices = strings.Join(names, ", ")
	}
	return append(rows,
		row{"SMS sign-in", short(v.smsSignIn())},
		row{"Authenticator", devices},
		row{"per-user MFA", short(v.mfa())},
		row{"default method", v.defaultMethod()})
}

// tellResult says what was done.
func (c *changed) tellResult(w io.Writer) error {
	fmt.Fprintln(w)
	r := c.Result
	switch messages.Result(r.Result) {
	case messages.Applied:
		fmt.Fprintf(w, "Applied: Microsoft Graph was changed (%s).\n", plural(r.Writes, "write"))
	case messages.Unchanged:
		if len(r.Warnings) > 0 {
			fmt.Fprintln(w, "Unchanged: nothing was written.")
			break
		}
		fmt.Fprintln(w, "Unchanged: it is so already; nothing was written.")
	case messages.Refused:
		fmt.Fprintf(w, "Refused: %s\n  %s\n", r.Reason, r.Detail)
	default:
		fmt.Fprintf(w, "Failed: %s\n  %s\n", r.Reason, r.Detail)
	}
	if r.Writes > 0 && !c.done() {
		fmt.Fprintf(w, "By then something had been changed (%s).\n", plural(r.Writes, "write"))
	}
	for _, code := range r.Warnings {
		fmt.Fprintf(w, "Warning: %s\n  %s\n", code, warningInWords(code, c.event.Command))
	}
	if r.Lagging {
		fmt.Fprintln(w, "Microsoft Graph does not show all of it yet: reads can lag behind writes. Look again with muster user show.")
	}
	for _, asked := range c.notThere() {
		fmt.Fprintf(w, "The user had no Authenticator registration %q.\n", asked)
	}
	if c.Run != "" && r.Writes > 0 {
		fmt.Fprintf(w, "In the ledger as run %s.\n", c.Run)
	}
	return c.After.tellMissing(w)
}
