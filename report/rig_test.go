package report

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// directoryOn serves a tenant over HTTP and returns the view on it.
func directoryOn(t testing.TB, o tenant.Options) *graphclient.Directory {
	t.Helper()
	o.Quota = tenant.QuotaUnlimited
	if o.Faults == "" {
		o.Faults = tenant.FaultsNone
	}
	sim, err := tenant.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	c, err := graphclient.New(graphclient.Options{Endpoint: server.URL, MaxTries: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		server.Close()
	})
	return c.Directory("contoso.example")
}

// made is a report in JSON Lines and what else a test asked for.
type made struct {
	summary Summary
	rows    map[string]Row // by principal name
	order   []string
	dir     string
}

// makeReport runs a report into a new directory. Outputs may be named by their file
// name only.
func makeReport(t testing.TB, source Source, o Options) made {
	t.Helper()
	m := made{rows: map[string]Row{}, dir: t.TempDir()}
	here := func(name *string) {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(m.dir, *name)
		}
	}
	o.Outputs = append(o.Outputs, Output{JSONL, "all.jsonl"})
	for i := range o.Outputs {
		here(&o.Outputs[i].Path)
	}
	here(&o.Commands)
	here(&o.RemovePhones)
	here(&o.Changes)
	o.ReportsPerSecond = 1000
	var err error
	if m.summary, err = Run(t.Context(), source, o); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(m.dir, "all.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := readLines(f, func(r *Row) error {
		m.rows[r.UserPrincipalName] = *r
		m.order = append(m.order, r.UserPrincipalName)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m made) read(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (m made) csv(t testing.TB, name string) [][]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(m.read(t, name))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func (s Summary) part(name partName) Part {
	for _, p := range s.Parts {
		if p.Name == string(name) {
			return p
		}
	}
	return Part{}
}

// invented is a source of any number of invented users, which holds none of
// them in memory. Ids are scattered, so that the listing is in no order.
type invented struct {
	n    int
	name func(i int) string
}

func (v invented) id(i int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
}

var inventedMethods = [][]string{
	{}, {"mobilePhone"}, {"microsoftAuthenticatorPush", "softwareOneTimePasscode"}, {"mobilePhone", "officePhone"},
	{"microsoftAuthenticatorPush", "mobilePhone"}, {"passKeyDeviceBound"}, {"email", "mobilePhone"},
}

var inventedStates = []graphclient.MFAState{"disabled", "disabled", "disabled", "enforced", "disabled", "enabled", "disabled", "disabled"}

func (v invented) ReportUsers(_ context.Context, q graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error] {
	return func(yield func(graphclient.ReportUser, error) bool) {
		for i := range v.n {
			u := graphclient.ReportUser{Department: []string{"Sales", "Engineering", "Finance"}[i%3], LastPasswordChange: time.Unix(1_700_000_000+int64(i), 0)}
			u.ID, u.UserPrincipalName, u.DisplayName = v.id(i), fmt.Sprintf("user%07d@contoso.example", i), fmt.Sprintf("User %07d", i)
			if v.name != nil {
				u.DisplayName = v.name(i)
			}
			u.UserType = []string{"Member", "Member", "Member", "Guest"}[i%4]
			enabled := i%50 != 7
			u.AccountEnabled = &enabled
			if q.PerUserMFAState {
				u.PerUserMFAState = inventedStates[i*7%len(inventedStates)]
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

func (v invented) UserDetails(_ context.Context, ids []string, _ graphclient.Details) ([]graphclient.UserDetails, error) {
	return make([]graphclient.UserDetails, len(ids)), nil
}

func (v invented) Registrations(context.Context, graphclient.RegistrationsQuery) iter.Seq2[graphclient.RegistrationDetails, error] {
	yes := true
	return func(yield func(graphclient.RegistrationDetails, error) bool) {
		for i := v.n - 1; i >= 0; i-- {
			methods := inventedMethods[i*5%len(inventedMethods)]
			r := graphclient.RegistrationDetails{
				ID: v.id(i), Methods: methods, DefaultMethod: []graphclient.DefaultMethod{"none", "sms", "push"}[i%3],
				IsMFARegistered: &yes, Updated: time.Unix(1_780_000_000, 0),
			}
			if i%50 != 7 && !yield(r, nil) {
				return
			}
		}
	}
}

func (v invented) SignIns(context.Context, graphclient.SignInsQuery) iter.Seq2[graphclient.SignIn, error] {
	return func(yield func(graphclient.SignIn, error) bool) {
		for i := 0; i < v.n; i += 3 {
			s := graphclient.SignIn{UserID: v.id(i), Created: time.Unix(1_779_000_000+int64(i), 0), Requirement: "multiFactorAuthentication"}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// lines counts the lines of a file.
func lines(t testing.TB, name string) int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	return n
}
