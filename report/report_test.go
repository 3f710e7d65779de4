package report

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// The people and numbers of these tests are invented.
const (
	ada   = "ada@contoso.example"
	bob   = "bob@contoso.example"
	cleo  = "cleo@contoso.example"
	dora  = "dora@contoso.example"
	guest = "eve_example.com#EXT#@contoso.example"
)

var changed = time.Date(2026, time.March, 1, 9, 0, 0, 0, time.UTC)

// people is a small directory with one of each kind.
func people() []tenant.User {
	return []tenant.User{
		{UserPrincipalName: ada, DisplayName: "Ada", Department: "Sales", PerUserMFAState: "enforced", Licenses: []string{"05e9a617-0261-4cee-bb44-138d3ef5d965"},
			Phones: tenant.Phones{Mobile: "+1 2065550101", Office: "+1 2065550102x12"}, DefaultMethod: "sms", LastPasswordChange: changed, MFASignInHoursAgo: 5,
			Authenticator: []tenant.Authenticator{{DisplayName: "Ada's phone"}}},
		{UserPrincipalName: bob, DisplayName: "Bob", Department: "Legal", PerUserMFAState: "enforced",
			Phones: tenant.Phones{Mobile: "+44 7700900123"}, DefaultMethod: "voiceMobile"},
		{UserPrincipalName: cleo, DisplayName: "Cleo", PerUserMFAState: "enabled", AccountEnabled: new(false), OnPremisesSyncEnabled: new(true)},
		{UserPrincipalName: dora, DisplayName: "Dora", Authenticator: []tenant.Authenticator{{}}, DefaultMethod: "push", SystemPreferred: true},
		{UserPrincipalName: guest, DisplayName: "Eve", UserType: "Guest"},
	}
}

func TestReportTellsWhoHasWhat(t *testing.T) {
	m := makeReport(t, directoryOn(t, tenant.Options{Users: people()}), Options{SignInDays: 7, Tenant: "contoso.example"})
	a := m.rows[ada]
	if a.PerUserMFAState != "enforced" || sortedList(a.Methods) != "microsoftAuthenticatorPush; mobilePhone; officePhone; softwareOneTimePasscode" ||
		a.DefaultMethod != "sms" || a.Department != "Sales" || a.Licensed != Yes || !a.LastPasswordChange.Equal(changed) ||
		a.LastMFASignIn.IsZero() || a.Strength != Strong || a.Migration != Ready || a.Phones != nil || a.MFARegistered != Yes {
		t.Errorf("ada: %+v", a)
	}
	// A disabled user is not in the registration report: nothing is known.
	if c := m.rows[cleo]; c.Methods != nil || c.Strength != "" || c.Migration != NotKnown || c.AccountEnabled != No || c.Synced != Yes {
		t.Errorf("cleo: %+v", c)
	}
	if b := m.rows[bob]; b.Migration != NeedsStronger || b.Strength != PhoneOnly {
		t.Errorf("bob: %+v", b)
	}
	if want := []string{ada, bob, cleo, dora, guest}; !slices.Equal(m.order, want) {
		t.Errorf("order %v, want %v", m.order, want)
	}
	s := m.summary
	if s.Users != 5 || s.States.Of("enforced") != 2 || s.States.Of("enabled") != 1 || s.States.Of("disabled") != 2 ||
		s.Strengths.Of("strong") != 2 || s.Disabled != 1 || s.SystemPreferred != 1 || !slices.Equal(s.Named["enforced"], []string{ada, bob}) {
		t.Errorf("summary %+v", s)
	}
	if p := s.part(partRegistrations); !p.Read || p.Users != 4 || !strings.Contains(p.Why, "disabled") {
		t.Errorf("registrations: %+v", p)
	}
	if p := s.part(partPhones); p.Read || !strings.Contains(p.Why, "--phones") {
		t.Errorf("phones: %+v", p)
	}
}

func TestDetailsAreReadWithoutTheRegistrationReport(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people(), NoPremium: true, DocumentedOnly: true})
	m := makeReport(t, d, Options{Details: true, Phones: PhonesMasked})
	if a := m.rows[ada]; a.PerUserMFAState != "enforced" || sortedList(a.Methods) != "microsoftAuthenticatorPush; mobilePhone; officePhone" ||
		a.DefaultMethod != "sms" || a.Phones == nil || a.Phones.Mobile != "+1 ********01" || a.Phones.Office != "+1 ********02" {
		t.Errorf("ada: %+v %+v", a, a.Phones)
	}
	if c := m.rows[cleo]; c.Strength != NoMethod || c.Migration != NeedsMethod || c.DefaultMethod != "none" {
		t.Errorf("cleo: %+v", c)
	}
	if p := m.summary.part(partRegistrations); p.Read || !strings.Contains(p.Why, "P1") {
		t.Errorf("registrations: %+v", p)
	}
	if p := m.summary.part(partState); !p.Read || p.Users != 5 {
		t.Errorf("state: %+v", p)
	}
	full := makeReport(t, d, Options{Phones: PhonesFull})
	if p := full.rows[ada].Phones; p.Office != "+1 2065550102x12" {
		t.Errorf("full: %+v", p)
	}
}

// Every kind of method is worth the same by the registration report and by
// asking the user: a pass and an e-mail address are no second factor, and all
// that needs neither SMS nor voice is strong.
func TestEveryKindOfMethodIsWorthTheSameInBothSources(t *testing.T) {
	kinds := map[string]Strength{
		"email": NoMethod, "temporaryAccessPass": NoMethod, "external": Strong, "fido2": Strong, "hardwareOath": Strong,
		"platformCredential": Strong, "softwareOath": Strong, "windowsHelloForBusiness": Strong,
	}
	var users []tenant.User
	for kind := range kinds {
		with := tenant.Phones{Mobile: "+1 2065550101", AlternateMobile: "+1 2065550102", Office: "+1 2065550103"}
		users = append(users, tenant.User{UserPrincipalName: kind, OtherMethods: []string{kind}},
			tenant.User{UserPrincipalName: "phone+" + kind, OtherMethods: []string{kind}, Phones: with, Roles: []string{"User Administrator"}})
	}
	d := directoryOn(t, tenant.Options{Users: users})
	for source, m := range map[string]made{"report": makeReport(t, d, Options{}), "details": makeReport(t, d, Options{Details: true})} {
		for kind, alone := range kinds {
			beside := alone
			if alone == NoMethod {
				beside = PhoneOnly
			}
			if r := m.rows[kind]; r.Strength != alone || len(r.Methods) != 1 || r.Admin != No {
				t.Errorf("%s: %s: %q with %v, want %q", source, kind, r.Strength, r.Methods, alone)
			}
			r := m.rows["phone+"+kind]
			if r.Strength != beside || r.Admin != Yes || len(r.Methods) != 4 {
				t.Errorf("%s: %s and phones: %q with %v, want %q", source, kind, r.Strength, r.Methods, beside)
			}
			for _, name := range phoneMethods {
				if !slices.Contains(r.Methods, name) {
					t.Errorf("%s: no %s in %v", source, name, r.Methods)
				}
			}
		}
	}
}

func TestProgressCountsDetails(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people()})
	for name, test := range map[string]struct {
		o    Options
		want Progress
	}{
		"listing": {Options{}, Progress{Seen: 5, Registrations: 4}},
		"details": {Options{Details: true, MembersOnly: true}, Progress{Seen: 5, Registrations: 4, Detailed: 4, Wanted: 4}},
	} {
		var last Progress
		test.o.Progress = func(p Progress) { last = p }
		if makeReport(t, d, test.o); last != test.want {
			t.Errorf("%s: %+v, want %+v", name, last, test.want)
		}
	}
}

func TestWhatIsRefusedIsToldAndNotFatal(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people(), Deny: []tenant.Denial{
		{Operation: "registrationDetails"}, {Operation: "signIns"}, {Operation: "phoneMethods"}, {Operation: "methods"}, {Operation: "signInPreferences"},
	}})
	m := makeReport(t, d, Options{Details: true, Phones: PhonesFull, SignInDays: 3})
	for part, permission := range map[partName]string{
		partRegistrations: "AuditLog.Read.All", partSignIns: "AuditLog.Read.All", partPhones: "UserAuthMethod-Phone.Read.All",
		partMethods: "UserAuthenticationMethod.Read.All", partPreferences: "UserAuthenticationMethod.Read.All",
	} {
		if p := m.summary.part(part); p.Read || !strings.Contains(p.Why, permission+" is missing") {
			t.Errorf("%s: %+v", part, p)
		}
	}
	if a := m.rows[ada]; a.PerUserMFAState != "enforced" || a.Methods != nil || a.Phones != nil {
		t.Errorf("ada: %+v", a)
	}
}

func TestARefusedListingNamesThePermission(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people(), Deny: []tenant.Denial{{Operation: "users"}}})
	_, err := Run(t.Context(), d, Options{Outputs: []Output{{CSV, filepath.Join(t.TempDir(), "a.csv")}}})
	if err == nil || !strings.Contains(err.Error(), "User.Read.All is missing") || !strings.Contains(err.Error(), "App registrations") {
		t.Errorf("error %v", err)
	}
}

func TestReportSurvivesAHarshTenant(t *testing.T) {
	users := tenant.GenerateUsers(300, 7)
	p := tenant.FaultsHarsh.Probabilities()
	p.RetryAfterMax, p.SlowMin, p.SlowMax = time.Second, 0, time.Millisecond
	p.Throttle = 0.001
	d := directoryOn(t, tenant.Options{Users: users, Faults: tenant.FaultsHarsh, Probabilities: &p, RegistrationLag: -1})
	m := makeReport(t, d, Options{SignInDays: 30})
	if len(m.rows) != len(users) {
		t.Fatalf("%d rows, want %d", len(m.rows), len(users))
	}
	for _, u := range users {
		if r := m.rows[u.UserPrincipalName]; r.PerUserMFAState != max(u.PerUserMFAState, "disabled") {
			t.Errorf("%s: %q, want %q", u.ID, r.PerUserMFAState, u.PerUserMFAState)
		}
	}
}

// plain is a directory whose sign-in log takes no filter but that of time.
type plain struct{ *graphclient.Directory }

func (p plain) SignIns(ctx context.Context, q graphclient.SignInsQuery) iter.Seq2[graphclient.SignIn, error] {
	if !q.All {
		return func(yield func(graphclient.SignIn, error) bool) {
			yield(graphclient.SignIn{}, &graphclient.Error{Op: "list sign-ins", Kind: graphclient.KindInvalid})
		}
	}
	return p.Directory.SignIns(ctx, q)
}

func TestSignInsAreReadWithoutTheFilter(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people()})
	with, without := makeReport(t, d, Options{SignInDays: 7}), makeReport(t, plain{d}, Options{SignInDays: 7})
	if with.rows[ada].LastMFASignIn.IsZero() || !without.rows[ada].LastMFASignIn.Equal(with.rows[ada].LastMFASignIn) {
		t.Errorf("%v, and without the filter %v", with.rows[ada].LastMFASignIn, without.rows[ada].LastMFASignIn)
	}
	if p := without.summary.part(partSignIns); !p.Read || p.Users != 1 {
		t.Errorf("%+v", p)
	}
}

func TestScopeFilterAndOrder(t *testing.T) {
	d := directoryOn(t, tenant.Options{Users: people()})
	parsed := func(conditions ...string) Filter {
		f, err := ParseFilter(conditions...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ordered := func(s string) Order {
		o, err := ParseOrder(s)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for name, test := range map[string]struct {
		o    Options
		want []string
	}{
		"members":           {Options{MembersOnly: true}, []string{ada, bob, cleo, dora}},
		"licensed":          {Options{LicensedOnly: true}, []string{ada}},
		"department":        {Options{Departments: []string{"legal"}}, []string{bob}},
		"state":             {Options{Filter: parsed("state=enforced,enabled")}, []string{ada, bob, cleo}},
		"methods":           {Options{Filter: parsed("methods=mobile*", "default!=sms")}, []string{bob}},
		"not known":         {Options{Filter: parsed("strength=")}, []string{cleo}},
		"down":              {Options{Order: ordered("-user")}, []string{guest, dora, cleo, bob, ada}},
		"strength and name": {Options{Order: ordered("strength,-name")}, []string{guest, bob, dora, ada, cleo}},
		"span of days":      {Options{Filter: parsed("last-password-change=2026-03-01")}, []string{ada}},
		"days before":       {Options{Filter: parsed("last-password-change=..2026-02-28")}, nil},
		"never or since":    {Options{Filter: parsed("last-password-change=,2026-03-02..")}, []string{bob, cleo, dora, guest}},
		"flag":              {Options{Filter: parsed("mfa-registered=yes", "passwordless!=yes"), Order: ordered("-licensed,-user")}, []string{dora, bob, ada}},
		"enabled first":     {Options{Order: ordered("-enabled,user")}, []string{cleo, ada, bob, dora, guest}},
		"migration view":    {Options{View: ViewMigration, Order: ordered("user")}, []string{ada, bob, cleo}},
	} {
		if got := makeReport(t, d, test.o).order; !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestFilterRefusesWhatNeverIs(t *testing.T) {
	for condition, want := range map[string]string{
		"state=enforce": `"enforce" is never the value; there are enforced, enabled, disabled`, "admin=true": "there are yes, no",
		"strength=weak*": "there are none, phone-only, strong", "last-mfa-sign-in=yesterday": "neither a day", "last-mfa-sign-in=..": "neither a day",
		"last-mfa-sign-in=2026-02-30..": "neither a day", "state": "want FIELD=VALUE", `department="a`: "not closed", "colour=red": "no such field",
	} {
		if _, err := ParseFilter(condition); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", condition, err)
		}
	}
	for _, condition := range []string{"state=enf*", "state=", "migration!=ready", "type=Guest", "methods=somethingNew"} {
		if _, err := ParseFilter(condition); err != nil {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

// A report goes to standard output whole, and leaves nothing else.
func TestReportToStandardOutput(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for n, want := range map[int]int{0: 1, 5: 6} {
		var out strings.Builder
		o := Options{Outputs: []Output{{CSV, ToStdout}}, Stdout: &out, ReportsPerSecond: 1000, sortMemory: 100}
		if _, err := Run(t.Context(), invented{n: n}, o); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
	var out strings.Builder
	source := failing{invented: invented{n: 5}, err: &graphclient.Error{Op: "list users", Kind: graphclient.KindTransient}}
	if _, err := Run(t.Context(), source, Options{Outputs: []Output{{CSV, ToStdout}}, Stdout: &out}); err == nil || out.Len() > 0 {
		t.Errorf("%v, and %d bytes are out", err, out.Len())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestFilesForApply(t *testing.T) {
	users := append(people(), tenant.User{
		UserPrincipalName: "=finn@contoso.example", PerUserMFAState: "enforced", OnPremisesSyncEnabled: new(true),
		Phones: tenant.Phones{Mobile: "+1 2065550103", Office: "+1 2065550104"}, Authenticator: []tenant.Authenticator{{}}, DefaultMethod: "push",
	})
	m := makeReport(t, directoryOn(t, tenant.Options{Users: users}), Options{Commands: "ready.csv", RemovePhones: "phones.csv"})
	finn := tenant.UserID("=finn@contoso.example")
	if got, want := m.read(t, "ready.csv"), "UserPrincipalName,PerUserMfaState\n"+finn+",disabled\n"+ada+",disabled\n"; got != want {
		t.Errorf("commands:\n%swant\n%s", got, want)
	}
	want := "UserPrincipalName,Mobile,AlternateMobile,OfficePhone,DefaultMethod\n" + finn + ",-,,,\n" + ada + ",-,,-,push\n"
	if got := m.read(t, "phones.csv"); got != want {
		t.Errorf("removals:\n%swant\n%s", got, want)
	}
	if m.summary.Commands != 2 || m.summary.PhoneRemovals != 2 {
		t.Errorf("summary: %d and %d", m.summary.Commands, m.summary.PhoneRemovals)
	}
}

func TestPhonesThatAreTheDefaultGiveWay(t *testing.T) {
	for _, test := range []struct {
		methods, def, want string
		synced             Flag
		kept               bool
	}{
		{methods: "mobilePhone alternateMobilePhone officePhone microsoftAuthenticatorPush", def: "sms", want: "-|-|-|push"},
		{methods: "mobilePhone softwareOneTimePasscode", def: "sms", want: "-|||oath"},
		{methods: "officePhone hardwareOneTimePasscode", def: "voiceOffice", want: "||-|oath"},
		{methods: "mobilePhone microsoftAuthenticatorPasswordless", def: "voiceMobile", want: "-|||push"},
		{methods: "mobilePhone fido2", def: "none", want: "-|||"},
		{methods: "mobilePhone fido2", def: "sms", kept: true},
		{methods: "officePhone external", def: "voiceOffice", kept: true},
		{methods: "officePhone microsoftAuthenticatorPush", def: "push", synced: Yes},
		{methods: "mobilePhone temporaryAccessPass", def: "sms"},
		{methods: "fido2", def: "none"},
	} {
		r := Row{Methods: strings.Fields(test.methods), DefaultMethod: test.def, Synced: test.synced}
		r.complete()
		cells, kept := phoneRemoval(&r)
		if got := strings.Join(cells, "|"); got != test.want || kept != test.kept {
			t.Errorf("%s, default %s: %q, kept %v, want %q, %v", test.methods, test.def, got, kept, test.want, test.kept)
		}
	}
}

func TestEarlierReportIsCompared(t *testing.T) {
	before := makeReport(t, directoryOn(t, tenant.Options{Users: people()}), Options{Phones: PhonesFull})
	users := people()[:4] // the guest is gone
	users[0].PerUserMFAState = "disabled"
	users[0].Phones.Mobile = "+1 2065550199"
	users[3].Authenticator, users[3].DefaultMethod = nil, ""
	users = append(users, tenant.User{UserPrincipalName: "gil@contoso.example"})
	d := directoryOn(t, tenant.Options{Users: users})
	m := makeReport(t, d, Options{Phones: PhonesMasked, Earlier: filepath.Join(before.dir, "all.jsonl"), Changes: "changes.csv"})
	got := map[string]bool{}
	for _, r := range m.csv(t, "changes.csv")[1:] {
		got[strings.Join(r[:5], "|")] = true
	}
	for _, want := range []string{
		"added|gil@contoso.example|||", "removed|" + guest + "|||",
		"changed|" + ada + "|perUserMfaState|enforced|disabled", "changed|" + ada + "|mobilePhone|'+1 ********01|'+1 ********99",
		"changed|" + dora + "|methodsRegistered|microsoftAuthenticatorPush; softwareOneTimePasscode|", "changed|" + dora + "|defaultMethod|push|none",
	} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if c := m.summary.Changes; c.Added != 1 || c.Removed != 1 || c.Changed != 2 || len(got) != 6 {
		t.Errorf("changes %+v, %d lines", c, len(got))
	}
	// An earlier report that holds everybody twice is compared all the same.
	doubled := filepath.Join(before.dir, "doubled.jsonl")
	if err := os.WriteFile(doubled, []byte(strings.Repeat(before.read(t, "all.jsonl"), 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := makeReport(t, d, Options{Phones: PhonesMasked, Earlier: doubled}).summary.Changes; c.Added != 1 || c.Removed != 1 || c.Changed != 2 {
		t.Errorf("compared with two of each: %+v", c)
	}
	same := makeReport(t, d, Options{Earlier: filepath.Join(m.dir, "all.jsonl"), Changes: "changes.jsonl"})
	if c := same.summary.Changes; c.Added+c.Removed+c.Changed != 0 || same.read(t, "changes.jsonl") != "" {
		t.Errorf("compared with itself: %+v", c)
	}
}

// hostile are names that want to be formulas, or to break out of the page.
var hostile = []string{
	`=HYPERLINK("http://example.com","x")`, "+1", "-1", "@SUM(1)", "\tx", "\rx", "＝1", "</script><script>alert(1)</script>", `"quoted", 'single'`, "line\nbreak", "\u2028",
}

func TestNoCellIsAFormula(t *testing.T) {
	names := invented{n: len(hostile), name: func(i int) string { return hostile[i] }}
	m := makeReport(t, names, Options{Outputs: []Output{{CSV, "x.csv"}, {XLSX, "x.xlsx"}}})
	found := 0
	for _, r := range m.csv(t, "x.csv") {
		for _, cell := range r {
			if cell != "" && strings.ContainsRune("=+-@\t\r＝", []rune(cell)[0]) {
				t.Errorf("CSV has %q", cell)
			}
			if strings.HasPrefix(cell, "'") {
				found++
			}
		}
	}
	if found != 7 {
		t.Errorf("%d cells were made inert, want 7", found)
	}
	f, err := excelize.OpenFile(filepath.Join(m.dir, "x.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("Users")
	if err != nil || len(rows) != len(hostile)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	var got []string
	for i, r := range rows[1:] {
		got = append(got, r[1])
		cell, _ := excelize.CoordinatesToCellName(2, i+2)
		if formula, err := f.GetCellFormula("Users", cell); err != nil || formula != "" {
			t.Errorf("%s is the formula %q, %v", cell, formula, err)
		}
	}
	if !slices.Contains(got, hostile[0]) {
		t.Errorf("names %q", got)
	}
	if kind, err := f.GetCellType("Summary", "B3"); err != nil || kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber {
		t.Errorf("a count is of type %v, %v", kind, err)
	}
}

func TestInert(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "Ada": "Ada", "a=b": "a=b", "x - y": "x - y", "=1": "'=1", "  =1": "  '=1", "\t=1": "'\t'=1", "\n": "'\n", "a;=1": "a;'=1",
		"a; -1": "a; '-1", "a\n@x": "a\n'@x", "a\r\n+1": "a\r\n'+1", "fido2; mobilePhone": "fido2; mobilePhone", "\x00=": "\ufffd=", "'=1": "'=1",
	} {
		if got := inert(cell); got != want || inert(got) != got {
			t.Errorf("%q became %q and then %q, want %q", cell, got, inert(got), want)
		}
	}
}

// What Excel can't hold is cut or replaced, and the workbook stays whole.
func TestAWorkbookTakesWhateverANameHolds(t *testing.T) {
	names := []string{strings.Repeat("ü", 40_000), strings.Repeat("\U0001F600", 20_000), "nul\x00nul", "esc\x1b[0m", "_x0041_", "\ufffe", "bad\xffutf", "\u202etfel"}
	m := makeReport(t, invented{n: len(names), name: func(i int) string { return names[i] }}, Options{Order: mustOrder(t, "user"), Outputs: []Output{{XLSX, "x.xlsx"}}})
	f, err := excelize.OpenFile(filepath.Join(m.dir, "x.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("Users")
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range []string{strings.Repeat("ü", 32_767), strings.Repeat("\U0001F600", 16_383), "nul\ufffdnul", "esc\ufffd[0m", "_x0041_", "\ufffd", "bad\ufffdutf", names[7]} {
		if got := rows[i+1][1]; got != want {
			t.Errorf("name %d has %d bytes, %.20q, want %d, %.20q", i, len(got), got, len(want), want)
		}
	}
}

func mustOrder(t *testing.T, s string) Order {
	t.Helper()
	o, err := ParseOrder(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestASheetThatIsFullIsFollowedByAnother(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "x.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	w := newXLSX(out, Options{View: ViewUsers}.columns(), t.TempDir())
	w.limit = 4
	if err := w.begin(Summary{Generated: changed}); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := w.row(&Row{UserPrincipalName: ada, AccountEnabled: Yes, LastPasswordChange: changed}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.end(), out.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := strings.Join(f.GetSheetList(), ","); got != "Summary,Users,Users 2,Users 3" {
		t.Errorf("sheets %s", got)
	}
	if rows, _ := f.GetRows("Users 3"); len(rows) != 3 {
		t.Errorf("the last sheet has %d rows", len(rows))
	}
}

// largest is the most that was written at once.
type largest struct{ bytes, all int }

func (l *largest) Write(p []byte) (int, error) {
	l.bytes, l.all = max(l.bytes, len(p)), l.all+len(p)
	return len(p), nil
}

// A workbook is written as it is compressed, not gathered in memory first.
func TestAWorkbookIsWrittenPieceByPiece(t *testing.T) {
	var out largest
	w := newXLSX(&out, Options{View: ViewUsers}.columns(), t.TempDir())
	if err := w.begin(Summary{Generated: changed}); err != nil {
		t.Fatal(err)
	}
	for i := range 12_000 {
		if err := w.row(&Row{ID: (invented{}).id(i), UserPrincipalName: ada, LastPasswordChange: changed.Add(time.Duration(i) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if out.all < 250_000 || out.bytes > 100_000 {
		t.Errorf("%d bytes were written at once, of %d", out.bytes, out.all)
	}
}

// failing is a source whose listing ends with an error, or with the context.
type failing struct {
	invented
	err    error
	cancel context.CancelFunc
}

func (f failing) ReportUsers(ctx context.Context, q graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error] {
	return func(yield func(graphclient.ReportUser, error) bool) {
		for u := range f.invented.ReportUsers(ctx, q) {
			if !yield(u, nil) {
				return
			}
		}
		if f.cancel != nil {
			f.cancel()
			yield(graphclient.ReportUser{}, ctx.Err())
			return
		}
		yield(graphclient.ReportUser{}, f.err)
	}
}

func TestAnInterruptedReportLeavesWhatWasThere(t *testing.T) {
	for name, interrupt := range map[string]bool{"error": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := failing{invented: invented{n: 5000}, err: &graphclient.Error{Op: "list users", Kind: graphclient.KindTransient}}
			if interrupt {
				source.cancel = cancel
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "report.csv")
			if err := os.WriteFile(path, []byte("earlier\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Run(ctx, source, Options{Outputs: []Output{{CSV, path}, {XLSX, filepath.Join(dir, "report.xlsx")}}, sortMemory: 64 << 10})
			if err == nil || interrupt != errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			content, _ := os.ReadFile(path)
			entries, _ := os.ReadDir(dir)
			if string(content) != "earlier\n" || len(entries) != 1 {
				t.Errorf("%q, and %v is left", content, entries)
			}
		})
	}
}

// A file that can't be written is told of before anything is read.
func TestAFileThatCannotBeWrittenIsToldOfAtOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"nowhere/a.csv": "nowhere/a.csv: no such file or directory", "folder.csv": "folder.csv: it is a folder"} {
		_, err := Run(t.Context(), unread{t: t}, Options{Outputs: []Output{{JSONL, filepath.Join(dir, "a.jsonl")}, {CSV, filepath.Join(dir, name)}}})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v is left", left)
	}
}

// unread is a source that must not be read.
type unread struct {
	invented
	t *testing.T
}

func (u unread) ReportUsers(ctx context.Context, q graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error] {
	u.t.Error("the users are read")
	return u.invented.ReportUsers(ctx, q)
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	m := makeReport(t, invented{n: 20}, Options{Outputs: []Output{{CSV, "a.csv"}, {XLSX, "a.xlsx"}, {HTML, "a.html"}}, Commands: "c.csv"})
	entries, err := os.ReadDir(m.dir)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := Run(t.Context(), invented{}, Options{
		SignInDays: 31, Phones: "all", View: "x", Changes: "c.txt", Outputs: []Output{{CSV, "a.csv"}, {JSONL, "./a.csv"}},
	})
	for _, want := range []string{"sign-in days: 31", `phones: "all"`, `view: "x"`, "no earlier report", "neither with .csv", "written twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A million users are reported in bounded memory.
func TestMemoryDoesNotGrowWithTheUsers(t *testing.T) {
	users := 1_000_000
	if raceEnabled {
		users = 100_000
	}
	dir := t.TempDir()
	peak, samples := uint64(0), 0
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ticker := time.NewTicker(400 * time.Millisecond); ; {
			select {
			case <-end:
				ticker.Stop()
				return
			case <-ticker.C:
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			samples++
		}
	}()
	o := Options{
		SignInDays: 7, PageRows: 50_000,
		Outputs: []Output{{CSV, filepath.Join(dir, "a.csv")}, {HTML, filepath.Join(dir, "a.html")}},
	}
	s, err := Run(t.Context(), invented{n: users}, o)
	close(end)
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	if s.Users != int64(users) || lines(t, filepath.Join(dir, "a.csv")) != users+1 {
		t.Errorf("%d users", s.Users)
	}
	// The rows themselves would take some 500 MB as values.
	const bound = 120 << 20
	if peak > bound || samples < 5 {
		t.Errorf("the live heap reached %d MB in %d samples, bound %d MB", peak>>20, samples, bound>>20)
	}
	t.Logf("live heap at most %d MB for %d users in %.1f s", peak>>20, users, s.Seconds)
}
