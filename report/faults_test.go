package report

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// forgetful is a source whose listings break off after two items, so many times
// each, as with a next link that has expired.
type forgetful struct {
	invented
	users, registrations, signIns *int
	kind                          graphclient.Kind
}

func breakOff[T any](times *int, kind graphclient.Kind, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		seen := 0
		for x, err := range items {
			if seen++; seen > 2 && *times > 0 {
				*times--
				var zero T
				yield(zero, &graphclient.Error{Op: "list", Kind: kind, StatusCode: 400, Code: "Directory_ExpiredPageToken"})
				return
			}
			if !yield(x, err) {
				return
			}
		}
	}
}

func (f forgetful) ReportUsers(ctx context.Context, q graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error] {
	return breakOff(f.users, f.kind, f.invented.ReportUsers(ctx, q))
}

func (f forgetful) Registrations(ctx context.Context, q graphclient.RegistrationsQuery) iter.Seq2[graphclient.RegistrationDetails, error] {
	return breakOff(f.registrations, f.kind, f.invented.Registrations(ctx, q))
}

func (f forgetful) SignIns(ctx context.Context, q graphclient.SignInsQuery) iter.Seq2[graphclient.SignIn, error] {
	return breakOff(f.signIns, f.kind, f.invented.SignIns(ctx, q))
}

func TestAListingThatLosesItsPlaceBeginsAnew(t *testing.T) {
	source := invented{n: 20}
	want := makeReport(t, source, Options{SignInDays: 7})
	got := makeReport(t, forgetful{source, new(2), new(1), new(2), graphclient.KindInvalid}, Options{SignInDays: 7})
	for _, name := range []partName{partState, partRegistrations, partSignIns} {
		if w, g := want.summary.part(name), got.summary.part(name); w != g {
			t.Errorf("%s: %+v, want %+v", name, g, w)
		}
	}
	if want.read(t, "all.jsonl") != got.read(t, "all.jsonl") || got.summary.Seen != 20 {
		t.Errorf("%d users are seen; the rows:\n%s", got.summary.Seen, got.read(t, "all.jsonl"))
	}
}

func TestAListingThatBreaksOffIsInTheReportAsFarAsItGoes(t *testing.T) {
	m := makeReport(t, forgetful{invented{n: 20}, new(0), new(9), new(1), graphclient.KindTransient}, Options{SignInDays: 7})
	for _, name := range []partName{partRegistrations, partSignIns} {
		p := m.summary.part(name)
		if !p.Read || !p.Partial || p.Users != 2 || p.Failed != 0 || !strings.Contains(p.note(), "in part: the listing broke off after 2: Microsoft Graph did not answer") {
			t.Errorf("%+v: %s", p, p.note())
		}
	}
	if m.summary.Strengths.Of("unknown") != 18 {
		t.Errorf("%+v", m.summary.Strengths)
	}
	_, err := Run(t.Context(), forgetful{invented{n: 20}, new(9), new(0), new(0), graphclient.KindInvalid}, Options{Outputs: []Output{{CSV, t.TempDir() + "/a.csv"}}})
	if err == nil || !strings.Contains(err.Error(), "list users") {
		t.Errorf("error %v", err)
	}
}

// twice is a directory that shows every user twice, as a listing does that
// changes while it is read.
type twice struct{ *graphclient.Directory }

func (d twice) ReportUsers(ctx context.Context, q graphclient.ReportUsersQuery) iter.Seq2[graphclient.ReportUser, error] {
	return func(yield func(graphclient.ReportUser, error) bool) {
		for range 2 {
			for u, err := range d.Directory.ReportUsers(ctx, q) {
				if !yield(u, err) {
					return
				}
			}
		}
	}
}

func TestUsersWhoAreListedTwiceCountOnce(t *testing.T) {
	d := twice{directoryOn(t, tenant.Options{Users: people()})}
	for name, o := range map[string]Options{"listing": {}, "details": {Details: true}} {
		if m := makeReport(t, d, o); m.summary.Users != 5 || m.summary.Seen != 5 || len(m.order) != 5 {
			t.Errorf("%s: %d users of %d, %d rows", name, m.summary.Users, m.summary.Seen, len(m.order))
		}
	}
}

// particular is a directory that refuses some users, and has lost others.
type particular struct {
	*graphclient.Directory
	refused, lost map[string]bool
}

func (p particular) UserDetails(ctx context.Context, ids []string, want graphclient.Details) ([]graphclient.UserDetails, error) {
	all, err := p.Directory.UserDetails(ctx, ids, want)
	for i, id := range ids {
		if p.refused[id] {
			all[i] = graphclient.UserDetails{MethodsErr: &graphclient.Error{Kind: graphclient.KindForbidden}}
		}
		if p.lost[id] {
			all[i] = graphclient.UserDetails{MethodsErr: &graphclient.Error{Kind: graphclient.KindNotFound}, PreferencesErr: &graphclient.Error{Kind: graphclient.KindNotFound}}
		}
	}
	return all, err
}

func TestARefusalOfOneUserStopsNothing(t *testing.T) {
	users := tenant.GenerateUsers(200, 3)
	d := particular{directoryOn(t, tenant.Options{Users: users}), map[string]bool{}, map[string]bool{users[5].ID: true}}
	for _, u := range users[:4] {
		d.refused[u.ID] = true
	}
	m := makeReport(t, d, Options{Details: true, NoRegistrations: true, Concurrency: 1})
	p := m.summary.part(partMethods)
	if p.Users != 195 || p.Failed != 5 || !p.Read || !strings.Contains(p.note(), "not of 5 users") || strings.Contains(p.note(), "permission") {
		t.Errorf("%+v: %s", p, p.note())
	}
	if p := m.summary.part(partPreferences); p.Users != 199 || !strings.Contains(p.Why, "not there any more") {
		t.Errorf("%+v", p)
	}
	if len(m.rows) != 200 || m.summary.Strengths.Of("unknown") != 5 {
		t.Errorf("%d rows, %+v", len(m.rows), m.summary.Strengths)
	}
}
