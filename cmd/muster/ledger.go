package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/ledger"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// ledgerKeyVariable holds the key of the ledger. It has no flag: everybody on the
// machine can read a command line.
const ledgerKeyVariable = "MUSTER_LEDGER_KEY"

// ledgerFlags say where the values before each change are kept.
type ledgerFlags struct {
	file, keyFile string
	// failed, unless nil, is told when something can't be kept.
	failed func()
}

func (l *ledgerFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&l.file, "ledger", "", "keep the values before each change in this file, encrypted, for muster rollback; default: nothing is kept")
	l.addKey(cmd)
}

func (l *ledgerFlags) addKey(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.keyFile, "ledger-key-file", "", "file with the ledger's key, as muster ledger key makes it; default: the variable "+ledgerKeyVariable)
}

// key reads the key from the file or from the environment.
func (l *ledgerFlags) key(p *process) (ledger.Key, error) {
	text := os.Getenv(ledgerKeyVariable)
	if l.keyFile != "" {
		content, err := os.ReadFile(l.keyFile)
		if err != nil {
			return ledger.Key{}, fmt.Errorf("read ledger key: %w", err)
		}
		if info, err := os.Stat(l.keyFile); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			p.log.Warn("others on this machine may read the ledger's key: chmod 600 its file", "file", l.keyFile)
		}
		text = string(content)
	}
	if text == "" {
		return ledger.Key{}, usageError("the ledger needs a key: %s, or --ledger-key-file; muster ledger key makes one", ledgerKeyVariable)
	}
	key, err := ledger.ParseKey(text)
	if err != nil {
		return key, usageError("%w; muster ledger key makes one", err)
	}
	return key, nil
}

// open opens the ledger for a worker, nil where none is to be kept.
func (l *ledgerFlags) open(p *process) (worker.Ledger, func(*error), error) {
	if l.file == "" {
		return nil, func(*error) {}, nil
	}
	key, err := l.key(p)
	if err != nil {
		return nil, nil, err
	}
	file, extent, err := ledger.Open(l.file, key)
	if err != nil {
		return nil, nil, err
	}
	if extent.Torn > 0 {
		p.log.Warn("the ledger ended in an unfinished record, which was cut off; it stood for no change", "ledger", l.file, "bytes", extent.Torn)
	}
	return keeper{file, l.failed}, func(err *error) {
		if e := file.Close(); *err == nil {
			*err = e
		}
	}, nil
}

// keeper writes a worker's changes into a ledger.
type keeper struct {
	file   *ledger.File
	failed func()
}

func (k keeper) Keep(_ context.Context, c worker.Change) error {
	err := k.file.Append(newRecord(c, time.Now()))
	if err != nil && k.failed != nil {
		k.failed()
	}
	return err
}

// newRecord says what the steps of a change are about to replace.
func newRecord(c worker.Change, now time.Time) ledger.Record {
	command := c.Event.Command
	r := ledger.Record{
		Time: now.UTC(), CommandID: c.Event.ID, Tenant: command.Tenant, UserID: c.UserID,
		Run: command.Run, Row: command.Row,
	}
	method := c.Before.Default
	for _, s := range c.Steps {
		switch s.Kind {
		case worker.AddPhone, worker.ChangePhone, worker.DeletePhone:
			setPhone(&r.Before, s.Phone, c.Before.Phones[s.Phone].Number)
			setPhone(&r.After, s.Phone, string(s.Number))
			if s.Phone == messages.Mobile {
				// The tenant's policy may turn it on with the number, and it goes
				// with the number.
				r.Before.SMSSignIn = signsIn(c.Before)
			}
		case worker.EnableSMS, worker.DisableSMS:
			on := s.Kind == worker.EnableSMS
			r.Before.SMSSignIn, r.After.SMSSignIn = signsIn(c.Before), &on
		case worker.SetMFAState:
			r.Before.PerUserMFAState, r.After.PerUserMFAState = new(string(c.Before.MFAState)), new(string(s.MFAState))
		case worker.DeleteAuthenticator:
			r.Removed = append(r.Removed, s.MethodID)
		}
		if next, changes := defaultAfter(s, method); changes {
			method = next
			r.Before.DefaultMethod, r.After.DefaultMethod = new(string(c.Before.Default)), new(string(next))
		}
	}
	return r
}

// defaultAfter is the default method once a step is taken, where that changes it:
// with the last method it goes by itself.
func defaultAfter(s worker.Step, now messages.DefaultMethod) (next messages.DefaultMethod, changes bool) {
	switch s.Kind {
	case worker.SetDefault:
		return s.Default, true
	case worker.DeletePhone:
		return "", rests(now, s.Phone)
	}
	return now, false
}

// rests tells whether the default method is one of that phone.
func rests(d messages.DefaultMethod, t messages.PhoneType) bool {
	switch d {
	case messages.DefaultSMS, messages.DefaultVoiceMobile:
		return t == messages.Mobile
	case messages.DefaultVoiceAlternateMobile:
		return t == messages.AlternateMobile
	case messages.DefaultVoiceOffice:
		return t == messages.Office
	}
	return false
}

func setPhone(v *ledger.Values, t messages.PhoneType, number string) {
	if v.Phones == nil {
		v.Phones = make(map[string]string)
	}
	v.Phones[string(t)] = number
}

// signsIn tells whether the mobile is signed in with, nil where that is not
// known or there is no mobile.
func signsIn(s worker.State) *bool {
	mobile, exists := s.Phones[messages.Mobile]
	if !exists || mobile.SMSSignIn == worker.SMSUnknown {
		return nil
	}
	return new(mobile.SMSSignIn == worker.SMSReady)
}

func newLedger(p *process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Make a key for a ledger, and see which runs it holds",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLedgerKey(), newLedgerShow(p))
	return cmd
}

func newLedgerKey() *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print a new key for a ledger",
		Long: `Print a new key for a ledger: 32 random bytes as base64.

Keep it where secrets are kept and give it to muster as ` + ledgerKeyVariable + ` or in a
file by --ledger-key-file. Without it nobody can read the ledger, you neither.

  (umask 077; muster ledger key > ledger.key)`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), ledger.NewKey().Encode())
			return err
		},
	}
}

func newLedgerShow(p *process) *cobra.Command {
	var l ledgerFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "List the runs of a ledger, with counts",
		Long: `List the runs of a ledger: when, how many users and what kinds of change. No numbers
and no names are shown.

` + exitCodes,
		Args: oneFile,
		RunE: p.run(func(cmd *cobra.Command, args []string) error {
			key, err := l.key(p)
			if err != nil {
				return err
			}
			var list runList
			extent, err := ledger.ReadFile(args[0], key, list.add)
			if err != nil {
				return err
			}
			tellTorn(cmd.ErrOrStderr(), extent)
			if asJSON {
				return list.json(cmd.OutOrStdout())
			}
			return list.text(cmd.OutOrStdout())
		}),
	}
	l.addKey(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func tellTorn(w io.Writer, e ledger.Extent) {
	if e.Torn > 0 {
		fmt.Fprintf(w, "The ledger ends in an unfinished record of %d bytes, which stands for no change.\n", e.Torn)
	}
}

// ledgerRun is one run of a ledger, in counts.
type ledgerRun struct {
	Run   string    `json:"run"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Users int       `json:"users"`
	Plans int       `json:"plans"`
	// Users' parts that were written.
	Phones        int `json:"phones"`
	SMSSignIn     int `json:"smsSignIn"`
	MFAState      int `json:"perUserMfaState"`
	DefaultMethod int `json:"defaultMethod"`
	Authenticator int `json:"authenticatorRemoved"`

	users map[string]bool
}

// runList collects the runs of a ledger, in the order of their first records.
type runList struct {
	runs  []*ledgerRun
	named map[string]*ledgerRun
}

func (l *runList) add(r ledger.Record) error {
	run := l.named[r.Run]
	if run == nil {
		run = &ledgerRun{Run: r.Run, First: r.Time, users: make(map[string]bool)}
		if l.named == nil {
			l.named = make(map[string]*ledgerRun)
		}
		l.named[r.Run] = run
		l.runs = append(l.runs, run)
	}
	run.Last = r.Time
	run.Plans++
	if user := r.Tenant + "\x00" + r.UserID; !run.users[user] {
		run.users[user] = true
		run.Users++
	}
	run.Phones += len(r.After.Phones)
	run.Authenticator += len(r.Removed)
	for _, part := range []struct {
		written bool
		count   *int
	}{
		{r.After.SMSSignIn != nil, &run.SMSSignIn},
		{r.After.PerUserMFAState != nil, &run.MFAState},
		{r.After.DefaultMethod != nil, &run.DefaultMethod},
	} {
		if part.written {
			*part.count++
		}
	}
	return nil
}

func (l *runList) json(w io.Writer) error {
	runs := l.runs
	if runs == nil {
		runs = []*ledgerRun{}
	}
	return json.NewEncoder(w).Encode(runs)
}

func (l *runList) text(w io.Writer) error {
	if len(l.runs) == 0 {
		_, err := fmt.Fprintln(w, "The ledger holds no run.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tFIRST\tLAST\tUSERS\tPHONES\tSMS SIGN-IN\tMFA STATE\tDEFAULT\tAUTHENTICATOR")
	for _, r := range l.runs {
		name := r.Run
		if name == "" {
			name = "(none)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, r.First.Format(time.DateTime), r.Last.Format(time.DateTime),
			r.Users, r.Phones, r.SMSSignIn, r.MFAState, r.DefaultMethod, r.Authenticator)
	}
	return t.Flush()
}
