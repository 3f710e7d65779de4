package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say what to read, what to keep and what to write. The zero value lacks
// only an output.
type Options struct {
	// Tenant is shown in the report and named to the budget of its reads.
	Tenant string

	// Details reads the methods and the default method of each user, in
	// batches: two requests for each. It is exact where the registration report
	// lags, and knows disabled users.
	Details bool
	// Phones reads phone numbers, one request for each user. They are hidden by
	// default.
	Phones PhoneDetail
	// SignInDays reads the sign-in log of so many days for the last sign-in that
	// passed MFA. Zero does not; 30 is the most.
	SignInDays int
	// NoRegistrations leaves the registration report alone.
	NoRegistrations bool

	// MembersOnly and LicensedOnly leave out guests, and users without a licence.
	MembersOnly, LicensedOnly bool
	// Departments leaves out the users of all others. Letter case does not count.
	Departments []string
	// Filter is applied to the whole row.
	Filter Filter
	// Order is how the rows are sorted. Default DefaultOrder.
	Order Order
	// View is what the report is about. Default ViewUsers.
	View View

	// Outputs are the files to write.
	Outputs []Output
	// Stdout takes the output whose path is ToStdout. Nil means os.Stdout.
	Stdout io.Writer
	// Commands is a CSV file for muster apply, which takes the users off per-user
	// MFA who are Ready.
	Commands string
	// RemovePhones is a CSV file for muster apply, which removes the phones of
	// users who have a Strong method.
	RemovePhones string
	// Earlier is an earlier report in JSON Lines to compare with, and Changes the
	// file for what differs (.csv or .jsonl).
	Earlier, Changes string
	// PageRows is how many rows the page of HTML holds at most. Default 200,000.
	PageRows int

	// Concurrency is how many batches of details are under way at once. Default 4.
	Concurrency int
	// ReportsPerSecond is the rate of requests to the registration report and the
	// sign-in log together, after a burst of five. Default 0.5: Microsoft
	// publishes 5 in 10 s ("Microsoft Graph service-specific throttling limits",
	// Identity and access reports).
	ReportsPerSecond float64
	// Progress is called now and then, by one goroutine at a time. Nil is not.
	Progress func(Progress)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// sortMemory is for tests: see the constant.
	sortMemory int
}

// PhoneDetail says what a report shows of phone numbers.
type PhoneDetail string

// The phone details.
const (
	PhonesHidden PhoneDetail = ""
	PhonesMasked PhoneDetail = "masked"
	PhonesFull   PhoneDetail = "full"
)

// View says what a report is about.
type View string

// The views.
const (
	ViewUsers View = "users"
	// ViewMigration has the users who are on per-user MFA, and those who have
	// nothing but a phone.
	ViewMigration View = "migration"
)

// Format is a format of output.
type Format string

// The formats.
const (
	CSV   Format = "csv"
	XLSX  Format = "xlsx"
	JSONL Format = "jsonl"
	HTML  Format = "html"
)

// Formats lists the formats.
func Formats() []Format { return []Format{CSV, XLSX, JSONL, HTML} }

// Output is one file to write.
type Output struct {
	Format Format
	// Path is the file, or ToStdout.
	Path string
}

// ToStdout as the path of an output sends it to Options.Stdout, once it is
// complete.
const ToStdout = "-"

// OutputFor finds the format by the ending of the file's name.
func OutputFor(path string) (Output, error) {
	format := Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	if format == "htm" {
		format = HTML
	}
	if !slices.Contains(Formats(), format) {
		return Output{}, fmt.Errorf("%s: the ending is none of .csv, .xlsx, .jsonl, .html", path)
	}
	return Output{format, path}, nil
}

// Progress is how far a report has come.
type Progress struct {
	// Seen counts users listed, Registrations and SignIns what was read of those.
	Seen, Registrations, SignIns int64
	// Detailed counts the users whose details are read, of Wanted, which is zero
	// until the users are listed, and stays so where no details are to be read.
	Detailed, Wanted int64
	// Written counts rows, once reading is over; Rows is how many there will be.
	Written, Rows int64
}

// maxSignInDays is how long Microsoft Entra keeps the sign-in log at most.
const maxSignInDays = 30

func (o Options) withDefaults() Options {
	if len(o.Order.terms) == 0 {
		o.Order, _ = ParseOrder(DefaultOrder)
	}
	if o.View == "" {
		o.View = ViewUsers
	}
	if o.PageRows == 0 {
		o.PageRows = 200_000
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.ReportsPerSecond == 0 {
		o.ReportsPerSecond = 0.5
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.sortMemory == 0 {
		o.sortMemory = sortMemory
	}
	return o
}

// Validate reports every fault of the options at once.
func (o Options) Validate() error { return o.withDefaults().validate() }

// validate expects the defaults to be filled in.
func (o Options) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(o.Outputs) == 0 && o.Commands == "" && o.RemovePhones == "" {
		fault("no output: name a file to write")
	}
	if o.SignInDays < 0 || o.SignInDays > maxSignInDays {
		fault("sign-in days: %d is not from 0 to %d", o.SignInDays, maxSignInDays)
	}
	if !slices.Contains([]PhoneDetail{PhonesHidden, PhonesMasked, PhonesFull}, o.Phones) {
		fault("phones: %q is neither masked nor full", o.Phones)
	}
	if o.View != ViewUsers && o.View != ViewMigration {
		fault("view: %q is neither users nor migration", o.View)
	}
	if o.Concurrency < 0 || o.PageRows < 0 || o.ReportsPerSecond < 0 {
		fault("concurrency, page rows and reports per second must not be negative")
	}
	if o.Changes != "" && o.Earlier == "" {
		fault("changes: there is no earlier report to compare with")
	}
	if ext := filepath.Ext(o.Changes); o.Changes != "" && ext != ".csv" && ext != ".jsonl" {
		fault("changes: %s ends neither with .csv nor with .jsonl", o.Changes)
	}
	seen := map[string]bool{}
	for _, path := range o.paths() {
		if place := placeOf(path); seen[place] {
			fault("%s is to be written twice", path)
		} else {
			seen[place] = true
		}
	}
	return errors.Join(faults...)
}

// placeOf is the same for two names of one file, as far as names tell.
func placeOf(path string) string {
	if whole, err := filepath.Abs(path); err == nil && path != ToStdout {
		return whole
	}
	return path
}

// paths lists every file that is written.
func (o Options) paths() []string {
	var paths []string
	for _, out := range o.Outputs {
		paths = append(paths, out.Path)
	}
	for _, p := range [...]string{o.Commands, o.RemovePhones, o.Changes} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// concerns tells of a row that holds only what the listing of users told whether
// the report is about it.
func (o Options) concerns(r *Row) bool {
	inDepartment := len(o.Departments) == 0 || slices.ContainsFunc(o.Departments, func(d string) bool {
		return strings.EqualFold(d, r.Department)
	})
	return inDepartment && (!o.MembersOnly || !strings.EqualFold(r.UserType, "Guest")) && (!o.LicensedOnly || r.Licensed == Yes)
}

// shows tells whether a whole row is in the report.
func (o Options) shows(r *Row) bool {
	if o.View == ViewMigration && r.Migration == "" && r.Strength != PhoneOnly {
		return false
	}
	return o.Filter.accepts(r)
}
