package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/report"
)

// reportFlags are those of muster report.
type reportFlags struct {
	graphFlags
	tenant        string
	outputs       []string
	dir           string
	formats       []string
	toStdout      bool // the report goes there, and what is said to standard error
	details       bool
	phones        string
	signIns       int
	registrations bool
	membersOnly   bool
	licensedOnly  bool
	departments   []string
	filters       []string
	order, view   string
	earlier       string
	changes       string
	commands      string
	removePhones  string
	pageRows      int
	concurrency   int
	names         bool
	asJSON, quiet bool
}

func newReport(p *process) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Report who has which methods, and who is still on per-user MFA",
		Long: `Read the users of a tenant and report their per-user MFA state, the methods that they
have registered, their default method, when they last changed the password and, if asked
for, when they last passed MFA. It writes nothing to Microsoft Graph.

Name the files to write (-o users.html -o users.csv), or a folder (--out DIR --format
html,csv). HTML is one page to open in a browser, which asks the network for nothing.
With no file named, it writes report.html. -o - --format csv sends it to standard output,
and what it says to standard error.

Needs the application permission User.Read.All. For the rest, what is missing is said at
the end and in the report, and left out:
  AuditLog.Read.All                  registration details, sign-ins; both need Entra ID P1
  Policy.Read.All                    the state, where the listing of users does not tell it
  UserAuthenticationMethod.Read.All  --details
  UserAuthMethod-Phone.Read.All      --phones

Phone numbers are hidden unless --phones asks for them. --filter takes conditions such as
state=enforced,enabled or methods=mobile* or type!=Guest or, for times,
last-mfa-sign-in=..2026-06-30 (a span of days, either end open); repeated ones must all be
met. --sort takes fields with commas between them; a - in front turns one round. Both know
` + listed(report.OrderFields()) + `; --filter also methods.

` + exitCodes,
		Example: `  muster report --tenant contoso.example -o users.html
  muster report --tenant contoso.example --view migration --commands ready.csv
  muster report --tenant contoso.example --out reports --format csv,jsonl --diff last.jsonl`,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return runReport(cmd, p, &f) }),
	}
	f.graphFlags.add(cmd)
	f.add(cmd)
	return cmd
}

// listed is a list broken into lines of text.
func listed(names []string) string {
	var b strings.Builder
	width := 0
	for i, name := range names {
		if i > 0 {
			b.WriteString(",")
			if width += 2 + len(name); width > 84 {
				b.WriteString("\n")
				width = len(name)
			} else {
				b.WriteString(" ")
			}
		} else {
			width = len(name)
		}
		b.WriteString(name)
	}
	return b.String()
}

func (f *reportFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.tenant, "tenant", "", "the tenant: its id or one of its domain names")
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, "file to write, .html, .csv, .xlsx or .jsonl; may be repeated; - is standard output, in the form of --format")
	fs.StringVar(&f.dir, "out", "", "folder to write report.html and so on into, with summary.json; see --format")
	fs.StringSliceVar(&f.formats, "format", nil, "formats of the files in --out: html, csv, xlsx, jsonl (default html); or the one for -o -")
	fs.BoolVar(&f.details, "details", false, "read methods and default method of each user, which is exact, knows disabled users, and takes two requests a user")
	fs.StringVar(&f.phones, "phones", "", "read phone numbers, one request a user, and show them masked or full")
	fs.IntVar(&f.signIns, "sign-ins", 0, "read the sign-in log of so many days, at most 30, for the last sign-in that passed MFA")
	fs.BoolVar(&f.registrations, "registrations", true, "read the registration report")
	fs.BoolVar(&f.membersOnly, "members-only", false, "leave out guests")
	fs.BoolVar(&f.licensedOnly, "licensed-only", false, "leave out users without a licence")
	fs.StringArrayVar(&f.departments, "department", nil, "report this department only; may be repeated")
	fs.StringArrayVar(&f.filters, "filter", nil, "condition that users must meet, as above; may be repeated")
	fs.StringVar(&f.order, "sort", report.DefaultOrder, "what to sort by, as above, the most important first")
	fs.StringVar(&f.view, "view", string(report.ViewUsers), "users, or migration: those on per-user MFA, and those with nothing but a phone")
	fs.StringVar(&f.earlier, "diff", "", "compare with this earlier report in JSON Lines")
	fs.StringVar(&f.changes, "changes", "", "write what differs from --diff to this file, .csv or .jsonl; default with --out: changes.csv there")
	fs.StringVar(&f.commands, "commands", "", "write a file for muster apply that takes the users off per-user MFA who have a strong method")
	fs.StringVar(&f.removePhones, "remove-phones", "", "write a file for muster apply that removes the phones of users who have a strong method")
	fs.IntVar(&f.pageRows, "html-rows", 200_000, "users that the page of HTML holds at most")
	fs.IntVar(&f.concurrency, "concurrency", 4, "batches of --details and --phones under way at once")
	fs.BoolVar(&f.names, "names", false, "print the principal names in each state too")
	fs.BoolVar(&f.asJSON, "json", false, "print the summary as JSON")
	fs.BoolVar(&f.quiet, "quiet", false, "no progress bar and no notes on standard error")
}

func runReport(cmd *cobra.Command, p *process, f *reportFlags) error {
	if err := required(cmd, "tenant"); err != nil {
		return err
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	client, err := f.client(p)
	if err != nil {
		return err
	}
	defer client.Close()
	say := io.Writer(io.Discard)
	if !f.quiet {
		say = cmd.ErrOrStderr()
	}
	bar := newBar(say, 0, "reading")
	o.Progress = func(pr report.Progress) {
		bar.set(pr.Seen+pr.Registrations+pr.SignIns+pr.Detailed+pr.Written, describeProgress(pr))
	}
	s, err := report.Run(cmd.Context(), client.Directory(f.tenant), o)
	bar.finish()
	if err != nil {
		return err
	}
	if err := f.keep(s); err != nil {
		return err
	}
	f.tellNotes(say, s)
	out := cmd.OutOrStdout()
	if f.toStdout {
		out = say
	}
	if f.asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	return f.print(out, s)
}

func describeProgress(p report.Progress) string {
	if p.Rows > 0 {
		return fmt.Sprintf("writing %d of %d", p.Written, p.Rows)
	}
	text := fmt.Sprintf("reading: %d users", p.Seen)
	if p.Registrations > 0 {
		text += fmt.Sprintf(", %d registrations", p.Registrations)
	}
	if p.SignIns > 0 {
		text += fmt.Sprintf(", %d sign-ins", p.SignIns)
	}
	if p.Wanted > 0 {
		text += fmt.Sprintf(", details of %d of %d", p.Detailed, p.Wanted)
	}
	return text
}

// options turns the flags into the report's, and reports every fault of usage.
func (f *reportFlags) options() (report.Options, error) {
	filter, err := report.ParseFilter(f.filters...)
	if err != nil {
		return report.Options{}, usageError("%w", err)
	}
	order, err := report.ParseOrder(f.order)
	if err != nil {
		return report.Options{}, usageError("%w", err)
	}
	o := report.Options{
		Tenant: f.tenant, Details: f.details, Phones: report.PhoneDetail(f.phones), SignInDays: f.signIns,
		NoRegistrations: !f.registrations, MembersOnly: f.membersOnly, LicensedOnly: f.licensedOnly, Departments: f.departments,
		Filter: filter, Order: order, View: report.View(f.view), Commands: f.commands, RemovePhones: f.removePhones,
		Earlier: f.earlier, Changes: f.changes, PageRows: f.pageRows, Concurrency: f.concurrency,
	}
	if o.Outputs, err = f.files(); err != nil {
		return o, err
	}
	if f.dir != "" && o.Earlier != "" && o.Changes == "" {
		o.Changes = filepath.Join(f.dir, "changes.csv")
	}
	if err := o.Validate(); err != nil {
		return o, usageError("%w", err)
	}
	return o, nil
}

// files are the outputs that the flags name. It makes the folder of --out when
// nothing is wrong.
func (f *reportFlags) files() ([]report.Output, error) {
	var outputs []report.Output
	for _, name := range f.outputs {
		if name == report.ToStdout {
			if len(f.formats) != 1 {
				return nil, usageError("-o -: name the form with --format html, csv, xlsx or jsonl")
			}
			f.toStdout = true
			outputs = append(outputs, report.Output{Format: report.Format(f.formats[0]), Path: name})
			continue
		}
		out, err := report.OutputFor(name)
		if err != nil {
			return nil, usageError("%w", err)
		}
		outputs = append(outputs, out)
	}
	for _, format := range f.formats {
		if !slices.Contains(report.Formats(), report.Format(format)) {
			return nil, usageError("--format %q: use html, csv, xlsx or jsonl", format)
		}
	}
	if f.dir == "" && !f.toStdout && len(f.formats) > 0 {
		return nil, usageError("--format goes with --out DIR, or with -o - for standard output; -o takes the form from the ending of the file")
	}
	if f.dir != "" {
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return nil, fmt.Errorf("make folder for the report: %w", err)
		}
		formats := f.formats
		if len(formats) == 0 {
			formats = []string{string(report.HTML)}
		}
		for _, format := range formats {
			outputs = append(outputs, report.Output{Format: report.Format(format), Path: filepath.Join(f.dir, "report."+format)})
		}
	}
	if len(outputs) == 0 && f.commands == "" && f.removePhones == "" {
		outputs = []report.Output{{Format: report.HTML, Path: "report.html"}}
	}
	return outputs, nil
}

// keep leaves the summary in the folder of --out.
func (f *reportFlags) keep(s report.Summary) error {
	if f.dir == "" {
		return nil
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode summary: %w", err)
	}
	draft, err := os.CreateTemp(f.dir, ".summary.json.*.tmp")
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	_, err = draft.Write(append(raw, '\n'))
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), filepath.Join(f.dir, "summary.json"))
	}
	if err != nil {
		return fmt.Errorf("write summary: %w", errors.Join(err, os.Remove(draft.Name())))
	}
	return nil
}

// tellNotes says on standard error what could not be read, and what to mind.
func (f *reportFlags) tellNotes(w io.Writer, s report.Summary) {
	for _, part := range s.Parts {
		if part.Failed > 0 || part.Partial || !part.Read && !strings.HasPrefix(part.Why, "not asked for") {
			fmt.Fprintln(w, "note:", part)
		}
	}
	if s.Commands > 0 {
		fmt.Fprintf(w, "note: before you apply %s, a Conditional Access policy that requires MFA must cover these users; muster does not see policies\n", f.commands)
	}
}

// print tells a person.
func (f *reportFlags) print(w io.Writer, s report.Summary) error {
	fmt.Fprintf(w, "\n%s in the report, %d in the directory\n", plural(int(s.Users), "user"), s.Seen)
	counts := func(title string, c report.Counts, meanings map[string]string) {
		if len(c) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		for _, x := range c {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%8d  %-12s %s", x.Users, x.Value, meanings[x.Value]), " "))
			if f.names && title == titleStates {
				for _, name := range s.Named[x.Value] {
					fmt.Fprintf(w, "            %s\n", name)
				}
				if more := x.Users - int64(len(s.Named[x.Value])); more > 0 {
					fmt.Fprintf(w, "            and %d more\n", more)
				}
			}
		}
	}
	counts(titleStates, s.States, nil)
	counts("Strength of methods", s.Strengths, map[string]string{
		"strong": "at least one method that needs neither SMS nor voice", "phone-only": "depends on SMS or voice",
		"none": "no method for MFA", "unknown": "could not be read",
	})
	unknown := "methods could not be read: use --details"
	if f.details {
		unknown = "methods could not be read"
	}
	counts("Of those on per-user MFA", s.Migration, map[string]string{
		"ready": "can move to Conditional Access", "phone-only": "would still pass, until SMS and voice end",
		"no-method": "has to register a method first", "unknown": unknown,
	})
	if s.Strengths.Of(string(report.PhoneOnly)) > 0 {
		fmt.Fprint(w, retirement)
	}
	if c := s.Changes; c != nil {
		fmt.Fprintf(w, "\nSince the earlier report: %s added, %d gone, %d changed\n", plural(int(c.Added), "user"), c.Removed, c.Changed)
		for _, x := range c.Fields {
			fmt.Fprintf(w, "%8d  %s\n", x.Users, x.Value)
		}
	}
	fmt.Fprintf(w, "\nWritten in %.1f s: %s\n", s.Seconds, strings.Join(s.Files, ", "))
	if f.commands != "" && s.Commands > 0 {
		fmt.Fprintf(w, "To take users off per-user MFA (%d): muster apply %s --tenant %s\n", s.Commands, f.commands, s.Tenant)
	}
	if f.commands != "" && s.Commands == 0 {
		fmt.Fprintf(w, "Nobody can be taken off per-user MFA yet: %s has no rows\n", f.commands)
	}
	if f.removePhones != "" {
		if s.PhoneRemovals > 0 {
			fmt.Fprintf(w, "To remove the phones of users with a strong method (%d): muster apply %s --tenant %s\n", s.PhoneRemovals, f.removePhones, s.Tenant)
		} else {
			fmt.Fprintf(w, "Nobody with a strong method has a phone to remove: %s has no rows\n", f.removePhones)
		}
		if s.PhonesKept > 0 {
			fmt.Fprintf(w, "Left out (%d): the phone is their default method, and they have neither Microsoft Authenticator nor codes to take its place\n", s.PhonesKept)
		}
	}
	return nil
}

const titleStates = "Per-user MFA"

const retirement = `
Microsoft is reported to end its own delivery of SMS and voice codes on 1 February 2027
(Microsoft Learn, concept-sms-voice-retirement, as cited by Microsoft's support blog;
check it before you plan by it). Those with nothing but a phone depend on it.
`
