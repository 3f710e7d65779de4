package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/phone"
)

// fileFlags say which file to load, and how.
type fileFlags struct {
	modeFlags
	tenant, run   string
	rejects       string
	delimiter     string
	ignore        []string
	ignoreUnknown bool
	quiet         bool
}

func (f *fileFlags) add(cmd *cobra.Command) {
	f.modeFlags.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.tenant, "tenant", "", "the tenant of the file's users: its id or one of its domain names")
	fs.StringVar(&f.run, "run", "", "id of this load, at most 128 characters; default: the file's name and the time")
	fs.StringVar(&f.rejects, "rejects", "", "write rejected rows to this file, to be mended and loaded again; default: FILE with .rejects before its ending")
	fs.StringVar(&f.delimiter, "delimiter", "", "what separates cells: comma, semicolon, tab or pipe; default: found in the header")
	fs.StringArrayVar(&f.ignore, "ignore-column", nil, "column that is not read; may be repeated")
	fs.BoolVar(&f.ignoreUnknown, "ignore-unknown-columns", false, "do not read columns that are not known, instead of refusing the file")
	fs.BoolVar(&f.quiet, "quiet", false, "no progress bar and no summary on standard error")
}

func newLoad(p *process) *cobra.Command {
	var (
		q       queueFlags
		f       fileFlags
		numbers graphFlags
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "load FILE.csv",
		Short: "Put the rows of a file into a queue, as commands",
		Long: `Put the rows of a CSV file into a Service Bus queue, one command a row.

The first row names the columns, in any order and any letter case:
  UserPrincipalName (or UPN, or user)
  Mobile, AlternateMobile, OfficePhone   a number
  PerUserMfaState                        disabled, enabled or enforced
  SmsSignIn                              on or off
  DefaultMethod                          push, oath, sms, voiceMobile, voiceAlternateMobile or voiceOffice
  PhoneMode                              ensure, add-only or remove
  DefaultMethodMode                      keep, only-if-none, most-secure or force
  RemoveAuthenticator                    all, older than 365 days, named Pixel 8, or a method id
An empty cell leaves things as they are; - removes a number. The flags --phone-mode and
--default-method-mode are for rows whose cell is empty.

Rows that can't be sent go to the rejects file, with row, reason and hint in columns
of their own. Mend them there and load that file. Use - as FILE for standard input.

` + exitCodes,
		Args: oneFile,
		RunE: p.run(func(cmd *cobra.Command, args []string) (err error) {
			namespace, err := q.open(cmd, p)
			if err != nil {
				return err
			}
			defer p.closing(cmd.Context(), namespace.Close)
			sender, err := namespace.Sender(q.queue)
			if err != nil {
				return err
			}
			result, err := loadFile(cmd, p, args[0], &f, numbers.numbers(), sender, q.queue)
			tellLoad(f.say(cmd), &f, result)
			if asJSON {
				err = errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(newLoadSummary(f.run, result)))
			}
			if err == nil && result.Rejected > 0 {
				return errPartly
			}
			return err
		}),
	}
	q.add(cmd)
	f.add(cmd)
	numbers.addNumbers(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// loadFile loads one file and tells a person about it on standard error.
func loadFile(cmd *cobra.Command, p *process, name string, f *fileFlags, policy phone.Policy, sender bulk.Sender, queue string) (result bulk.Result, err error) {
	if err := required(cmd, "tenant"); err != nil {
		return result, err
	}
	in, size, err := openInput(cmd, name)
	if err != nil {
		return result, err
	}
	defer in.Close()
	options, err := f.readerOptions()
	if err != nil {
		return result, err
	}
	reader, err := bulk.NewReader(in, options)
	switch {
	case errors.Is(err, bulk.ErrUnknownColumn):
		return result, fmt.Errorf("%s: %w\nTo leave a column unread, name it with --ignore-column, or give --ignore-unknown-columns", name, err)
	case err != nil:
		return result, fmt.Errorf("%s: %w", name, err)
	}
	f.fill(name, time.Now())
	o := bulk.Options{
		Tenant: f.tenant, Run: f.run, Queue: queue, Source: eventSource,
		Policy: policy, Modes: f.modes(cmd), Size: size, UserHash: p.userHash,
	}
	if err := o.Validate(); err != nil {
		return result, usageError("%w", err)
	}
	rejects, err := createRejects(f.rejects)
	if err != nil {
		return result, err
	}
	defer rejects.close(&err)
	o.Rejects = bulk.NewRejectsWriter(rejects, reader.Detected())

	say := f.say(cmd)
	fmt.Fprintf(say, "%s: %s\n", name, reader.Detected())
	bar := newBar(say, size, "loading")
	o.Progress = func(pr bulk.Progress) {
		bar.set(pr.Bytes, fmt.Sprintf("%d rows, %d rejected", pr.Rows, pr.Rejected))
	}
	result, err = bulk.Load(cmd.Context(), reader, sender, o)
	bar.finish()
	return result, err
}

// say is where a person is told things, if at all.
func (f *fileFlags) say(cmd *cobra.Command) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}

func openInput(cmd *cobra.Command, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("open file of users: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open file of users: %w", err), file.Close())
	}
	return file, info.Size(), nil
}

func (f *fileFlags) readerOptions() (bulk.ReaderOptions, error) {
	o := bulk.ReaderOptions{Ignore: f.ignore, IgnoreUnknown: f.ignoreUnknown}
	if f.delimiter == "" {
		return o, nil
	}
	known := map[string]byte{"comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|'}
	d, ok := known[f.delimiter]
	if !ok && len(f.delimiter) == 1 {
		d, ok = f.delimiter[0], true
	}
	if !ok {
		return o, usageError("--delimiter %q: use comma, semicolon, tab or pipe", f.delimiter)
	}
	o.Delimiter = d
	return o, nil
}

// fill gives the run a name and the rejects a place where none was given.
func (f *fileFlags) fill(name string, now time.Time) {
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	if name == "-" {
		base = "stdin"
	}
	if f.run == "" {
		f.run = shorten(base, 40) + "-" + now.UTC().Format("20060102T150405Z")
	}
	if f.rejects == "" {
		f.rejects = base + ".rejects.csv"
		if name != "-" {
			f.rejects = strings.TrimSuffix(name, filepath.Ext(name)) + ".rejects" + cmp.Or(filepath.Ext(name), ".csv")
		}
	}
}

// rejectsFile comes into being with the first rejected row. One that an earlier
// load left behind is replaced at once, so that it can't be taken for this
// load's.
type rejectsFile struct {
	name string
	file *os.File
}

func createRejects(name string) (*rejectsFile, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace rejects file: %w", err)
	}
	return &rejectsFile{name: name}, nil
}

// Write creates the file if need be. It holds personal data: nobody else may
// read it.
func (r *rejectsFile) Write(b []byte) (int, error) {
	if r.file == nil {
		file, err := os.OpenFile(r.name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return 0, fmt.Errorf("create rejects file: %w", err)
		}
		r.file = file
	}
	return r.file.Write(b)
}

func (r *rejectsFile) close(err *error) {
	if r.file != nil {
		*err = errors.Join(*err, r.file.Close())
	}
}

// loadSummary is the JSON form of a load's result.
type loadSummary struct {
	Run            string         `json:"run"`
	Rows           int            `json:"rows"`
	Accepted       int            `json:"accepted"`
	Rejected       int            `json:"rejected"`
	ByReason       map[string]int `json:"by_reason"`
	DuplicateUsers int            `json:"duplicate_users"`
	LastRow        int            `json:"last_row"`
}

func newLoadSummary(run string, r bulk.Result) loadSummary {
	return loadSummary{run, r.Rows, r.Accepted, r.Rejected, r.ByReason, r.DuplicateUsers, r.LastRow}
}

// tellLoad says how the load went.
func tellLoad(w io.Writer, f *fileFlags, r bulk.Result) {
	if r.Rows == 0 && r.Unknown == 0 {
		return
	}
	fmt.Fprintf(w, "run %s: %d rows, %d accepted, %d rejected\n", f.run, r.Rows, r.Accepted, r.Rejected)
	printReasons(w, r.ByReason)
	tellRest(w, f, r)
}

// tellRest says what a person has to do after a load.
func tellRest(w io.Writer, f *fileFlags, r bulk.Result) {
	if r.Rejected > 0 {
		fmt.Fprintf(w, "The rejected rows are in %s: mend them there and load that file.\n", f.rejects)
	}
	if r.DuplicateUsers > 0 {
		fmt.Fprintf(w, "Users with more than one row: %d. Their rows are applied in the order of the file.\n", r.DuplicateUsers)
	}
	if r.Unknown > 0 {
		fmt.Fprintf(w, "%d commands after row %d may or may not be in the queue: load the file again with --run %s.\n", r.Unknown, r.LastRow, f.run)
	}
}

// bar is a progress bar on a terminal, and nothing elsewhere.
type bar struct{ bar *progressbar.ProgressBar }

func newBar(w io.Writer, size int64, what string) bar {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return bar{}
	}
	if size == 0 {
		size = -1
	}
	return bar{progressbar.NewOptions64(size, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))}
}

func (b bar) set(n int64, what string) {
	if b.bar != nil {
		b.bar.Describe(what)
		b.bar.Set64(n)
	}
}

func (b bar) finish() {
	if b.bar != nil {
		b.bar.Finish()
	}
}
