package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/servicebus"
)

type temporaryFlags struct {
	changeFlags
	queueFlags
	numbers numbersOf
	method  string
	until   string
}

func newUserTemporary(p *process) *cobra.Command {
	f := temporaryFlags{numbers: numbersOf{}}
	cmd := &cobra.Command{
		Use:   "temporary USER",
		Short: "Give one user another number or default method for a while",
		Long: `Give one user another number or default method for a while, such as a user who left
their phone at home, and set back what was there before.

  muster user temporary ada@contoso.example --tenant contoso.example \
      --office "+1 206 555 0100" --default-method voiceOffice --until 17:30

With --servicebus and --queue the command that sets it back is put into the queue
first, scheduled for that time, and a worker carries it out. Without, this command
waits and sets it back itself, at that time or when it is interrupted; if it is killed
or the machine goes down, nobody does.

A part that somebody has changed in the meantime makes the whole of it stay.
` + changeHelp + exitCodes,
		Args: oneUser(0, "one user, by object id or user principal name"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return temporary(cmd, p, args[0], &f) }),
	}
	f.changeFlags.add(cmd)
	f.queueFlags.add(cmd)
	f.addNumbers(cmd)
	f.numbers.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.method, "default-method", "", "default method: push, oath, voiceMobile, voiceAlternateMobile, voiceOffice or sms; a weaker one is accepted")
	fs.StringVar(&f.until, "until", "", "when to set it back: a duration such as 8h, a time of day such as 17:30, or 2026-11-30T17:30:00Z")
	return cmd
}

// wish is what was asked for, and until when.
func (f *temporaryFlags) wish(cmd *cobra.Command) (command messages.Command, until time.Time, err error) {
	if err := required(cmd, "tenant", "until"); err != nil {
		return command, until, err
	}
	if until, err = parseUntil(f.until, time.Now()); err != nil {
		return command, until, usageError("%w", err)
	}
	if f.servicebus == "" && f.queue != "" && onCommandLine(cmd, "queue") {
		return command, until, usageError("--queue needs --servicebus")
	}
	if command.Phones, err = f.numbers.phones(cmd); err != nil {
		return command, until, err
	}
	if f.method != "" {
		command.DefaultMethod, command.DefaultMethodMode = messages.DefaultMethod(f.method), messages.DefaultModeForce
	}
	if len(command.Phones) == 0 && f.method == "" {
		return command, until, usageError("say what to set for a while: --mobile, --alternate-mobile, --office or --default-method")
	}
	return command, until, nil
}

func temporary(cmd *cobra.Command, p *process, user string, f *temporaryFlags) error {
	command, until, err := f.wish(cmd)
	if err != nil {
		return err
	}
	client, err := f.begin(cmd, p, user, &command)
	if err != nil {
		return err
	}
	back, err := f.planBack(cmd.Context(), client, &command)
	if err != nil {
		return err
	}
	// From here on neither a terminal that is closed nor a reader of the output
	// that has gone may leave a temporary factor without an end.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
	defer stop()
	scheduled := back != nil && f.servicebus != ""
	if scheduled {
		if err := f.schedule(cmd, p, *back, until); err != nil {
			return err
		}
	}
	c, err := f.change(ctx, p, client, command)
	at := time.Now()
	done := err == nil && c.done()
	if err == nil {
		err = f.tell(cmd, c, back, until)
	}
	if err == nil && !done {
		err = errPartly
	}
	switch {
	case back == nil, c != nil && c.leftAsIs():
		return err
	case scheduled && c == nil:
		return fmt.Errorf("%w; what was changed by then is set back by a worker of queue %s at %s", err, f.queue, moment(until))
	case scheduled:
		return err
	case done:
		waitUntil(ctx, until)
	}
	return errors.Join(err, f.setBack(cmd, p, client, *back, at))
}

// planBack makes the command that sets back what this one is about to change,
// nil where nothing will have to be. What can't be read or read in full could
// not be set back, so that is an error.
func (f *temporaryFlags) planBack(ctx context.Context, client *graphclient.Client, c *messages.Command) (*messages.Command, error) {
	for t, number := range c.Phones {
		read, err := f.workFlags.numbers().Parse(number, phone.Use(t))
		if err != nil {
			// The worker refuses it too, and says why.
			return nil, nil
		}
		c.Phones[t] = string(read)
	}
	before, err := readUser(ctx, client.Directory(f.tenant), c.User)
	if err != nil {
		return nil, err
	}
	if len(c.Phones) > 0 && before.noPhones || c.DefaultMethod != "" && before.noSP {
		return nil, fmt.Errorf("what the user has can't be read, and so not be set back: grant %s", before.missing[0].Permission)
	}
	back, expect, err := before.wayBack(*c)
	if back == nil {
		return nil, err
	}
	for t, number := range back.Phones {
		if number == messages.Remove {
			continue
		}
		if _, err := f.workFlags.numbers().Parse(number, phone.Use(t)); err != nil {
			return nil, fmt.Errorf("the %s number that the user has would be refused, and so can't be set back: %w", t, err)
		}
	}
	back.User, back.Run = before.id(c.User), c.Run
	// What is set back is what is replaced, also if somebody changes it just now.
	c.Expect = expect
	return back, nil
}

// wayBack is the command that leads from where c leads to what there is now, if
// nothing else changes in between, and what there is now; nil where c changes
// nothing.
func (s *userState) wayBack(c messages.Command) (back *messages.Command, now *messages.Expectation, err error) {
	back, now = &messages.Command{Tenant: c.Tenant, Expect: &messages.Expectation{}}, &messages.Expectation{}
	is := make(map[messages.PhoneType]graphclient.PhoneMethod)
	for _, m := range s.phones {
		is[messages.PhoneType(m.Type)] = m
	}
	for t, number := range c.Phones {
		have, there := is[t]
		switch {
		case phone.IsMasked(have.Number):
			return nil, nil, errors.New("the number that the user has is shown only in part, and so can't be set back: sign in as an application, or with a more privileged role")
		case there && phone.Equal(have.Number, number):
			continue
		}
		if back.Phones == nil {
			back.Phones, back.Expect.Phones, now.Phones = make(messages.Phones), make(messages.Phones), make(messages.Phones)
		}
		// No number is messages.Remove.
		back.Phones[t], back.Expect.Phones[t], now.Phones[t] = have.Number, number, have.Number
		if t == messages.Mobile && there {
			// The tenant's policy may turn it on with any number that is written.
			back.SMSSignIn = new(have.SMSSignInState == graphclient.SMSReady)
		}
	}
	if w := c.DefaultMethod; w != "" && string(s.preferences.DefaultMethod) != string(w) {
		back.Expect.DefaultMethod, now.DefaultMethod = w, messages.DefaultNone
		if d := messages.DefaultMethod(s.preferences.DefaultMethod); d != "" {
			back.DefaultMethod, back.DefaultMethodMode = d, messages.DefaultModeForce
			now.DefaultMethod = d
		}
	}
	if len(back.Phones) == 0 && back.DefaultMethod == "" {
		return nil, nil, nil
	}
	return back, now, nil
}

// schedule puts the command that sets it back into the queue, before anything is
// changed: there is never a temporary factor without an end.
func (f *temporaryFlags) schedule(cmd *cobra.Command, p *process, back messages.Command, until time.Time) (err error) {
	var namespace *servicebus.Namespace
	if namespace, err = f.queueFlags.open(cmd, p); err != nil {
		return err
	}
	defer p.closing(cmd.Context(), namespace.Close)
	sender, err := namespace.Sender(f.queue)
	if err != nil {
		return err
	}
	return sender.SendAt(cmd.Context(), newUserEvent(back), until)
}

// tell says what was done and what is to come.
func (f *temporaryFlags) tell(cmd *cobra.Command, c *changed, back *messages.Command, until time.Time) error {
	ends := back != nil && (c.done() || c.Result.Writes > 0)
	if f.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
			*changed
			Until   *time.Time `json:"until,omitempty"`
			SetBack string     `json:"setBackBy,omitempty"`
		}{c, f.end(ends, c, until), f.by(ends)})
	}
	out := cmd.OutOrStdout()
	if err := c.text(out); err != nil {
		return err
	}
	var err error
	if c.done() && c.event.Command.DefaultMethod != "" && c.state.preferences.DefaultMethod == "" {
		_, err = fmt.Fprintln(out, "The default method stays: there was none before, and Microsoft Graph can't take one away.")
	} else if c.done() && back == nil {
		_, err = fmt.Fprintln(out, "There will be nothing to set back.")
	}
	switch {
	case !ends:
	case f.servicebus != "":
		_, err = fmt.Fprintf(out, "A worker of queue %s sets it back at %s.\n", f.queue, moment(until))
	case c.done():
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "Set back at %s, or at once with Ctrl-C. Leave this running.\n", moment(until))
	}
	return err
}

// moment is a time as a person reads it.
func moment(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }

// end is when it is set back; at once, which is no time, where this process sets
// back what was done in part.
func (f *temporaryFlags) end(ends bool, c *changed, until time.Time) *time.Time {
	if !ends || f.servicebus == "" && !c.done() {
		return nil
	}
	return &until
}

func (f *temporaryFlags) by(ends bool) string {
	switch {
	case !ends:
		return ""
	case f.servicebus != "":
		return "queue"
	}
	return "this process"
}

// settled is how long after a write a reading may still show what was before.
const settled = 6 * time.Second

// setBack sets back what was changed at that time, and says so.
func (f *temporaryFlags) setBack(cmd *cobra.Command, p *process, client *graphclient.Client, back messages.Command, at time.Time) error {
	ctx := context.WithoutCancel(cmd.Context())
	c, err := f.insist(ctx, cmd.ErrOrStderr(), p, client, back)
	if parts := len(back.Phones) + min(len(back.DefaultMethod), 1); err == nil && c.Result.Writes < parts && time.Since(at) < settled {
		// What it took for set back already may be a reading that lags.
		waitUntil(ctx, at.Add(settled))
		var again *changed
		if again, err = f.insist(ctx, cmd.ErrOrStderr(), p, client, back); err == nil && (again.Result.Writes > 0 || c.Result.Writes == 0) {
			c = again
		}
	}
	if err != nil {
		return fmt.Errorf("set back: %w", err)
	}
	if f.asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(c)
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), "\nSetting back:")
		err = c.text(cmd.OutOrStdout())
	}
	if err == nil && !c.done() {
		return errPartly
	}
	return err
}

// insist carries out a command, and tries again until it could be: a machine that
// has just woken up may have no network yet. Only a second Ctrl-C, which ends the
// process, a user who is gone or a refusal ends it before.
func (f *temporaryFlags) insist(ctx context.Context, say io.Writer, p *process, client *graphclient.Client, command messages.Command) (*changed, error) {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		c, err := f.change(ctx, p, client, command)
		why := err
		switch {
		case graphclient.KindOf(err) == graphclient.KindNotFound:
			return c, err
		case err == nil && c.Result.Result != string(messages.Failed):
			return c, nil
		case err == nil:
			why = errors.New(c.Result.Reason + ": " + c.Result.Detail)
		}
		fmt.Fprintf(say, "Not set back yet: %v. Trying again in %v; pressing Ctrl-C twice gives up and leaves it as it is.\n", why, wait)
		waitUntil(ctx, time.Now().Add(wait))
	}
}

// waitUntil returns at that time by the wall clock, also on a machine that slept,
// or when ctx ends.
func waitUntil(ctx context.Context, at time.Time) {
	for {
		left := at.Round(0).Sub(time.Now().Round(0))
		if left <= 0 {
			return
		}
		timer := time.NewTimer(min(left, 10*time.Second))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// parseUntil reads a duration from now, a time of day, the next one, or a moment.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		if d <= 0 {
			return time.Time{}, fmt.Errorf("--until %q is over already", text)
		}
		return now.Add(d), nil
	}
	if t, err := time.Parse("15:04", text); err == nil {
		at := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			if !at.After(now) {
				return at, fmt.Errorf("--until %q is over already", text)
			}
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--until %q: use a duration such as 8h, a time of day such as 17:30, or 2026-11-30T17:30:00Z", text)
}
