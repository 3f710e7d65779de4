package graphclient_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// reportTenant serves a tenant and returns the client's view on it.
func reportTenant(t *testing.T, o tenant.Options) *graphclient.Directory {
	t.Helper()
	o.Quota, o.Faults = tenant.QuotaUnlimited, tenant.FaultsNone
	sim, err := tenant.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	c, err := graphclient.New(graphclient.Options{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.Directory("contoso.example")
}

func TestReportReads(t *testing.T) {
	changed := time.Date(2026, time.May, 1, 8, 0, 0, 0, time.UTC)
	d := reportTenant(t, tenant.Options{Users: []tenant.User{{
		UserPrincipalName: "ada@contoso.example", Department: "Sales", LastPasswordChange: changed, PerUserMFAState: "enforced",
		Phones: tenant.Phones{Mobile: number}, DefaultMethod: "sms", MFASignInHoursAgo: 3, Licenses: []string{"05e9a617-0261-4cee-bb44-138d3ef5d965"},
	}}})
	paced := 0
	pace := func(context.Context) error { paced++; return nil }
	for u, err := range d.ReportUsers(t.Context(), graphclient.ReportUsersQuery{PerUserMFAState: true}) {
		if err != nil || u.Department != "Sales" || !u.LastPasswordChange.Equal(changed) || u.PerUserMFAState != graphclient.MFAEnforced || len(u.AssignedLicenses) != 1 {
			t.Errorf("user %+v, %v", u, err)
		}
	}
	for r, err := range d.Registrations(t.Context(), graphclient.RegistrationsQuery{Pace: pace}) {
		if err != nil || !slices.Equal(r.Methods, []string{"mobilePhone"}) || r.DefaultMethod != "sms" || !*r.IsMFARegistered || r.Updated.IsZero() {
			t.Errorf("registration %+v, %v", r, err)
		}
	}
	signIns := 0
	for s, err := range d.SignIns(t.Context(), graphclient.SignInsQuery{Since: time.Now().AddDate(0, 0, -7), Pace: pace}) {
		signIns++
		if err != nil || !s.PassedMFA() || s.UserID != tenant.UserID("ada@contoso.example") {
			t.Errorf("sign-in %+v, %v", s, err)
		}
	}
	if signIns != 1 || paced != 2 {
		t.Errorf("%d sign-ins, paced %d times", signIns, paced)
	}
}

func TestUserDetailsTellWhichPartFailed(t *testing.T) {
	d := reportTenant(t, tenant.Options{
		Users: []tenant.User{{UserPrincipalName: "ada@contoso.example", Phones: tenant.Phones{Mobile: number}, PerUserMFAState: "enabled"}},
		Deny:  []tenant.Denial{{Operation: "requirements"}},
	})
	want := graphclient.Details{PerUserMFAState: true, Preferences: true, Methods: true, Phones: true}
	if want.UsersPerBatch() != 5 || (graphclient.Details{}).UsersPerBatch() != 0 {
		t.Errorf("%d users in a batch", want.UsersPerBatch())
	}
	all, err := d.UserDetails(t.Context(), []string{tenant.UserID("ada@contoso.example"), userGUID}, want)
	if err != nil {
		t.Fatal(err)
	}
	ada, nobody := all[0], all[1]
	if graphclient.KindOf(ada.PerUserMFAStateErr) != graphclient.KindForbidden || ada.PreferencesErr != nil ||
		len(ada.Methods) != 2 || ada.Methods[0].Type != graphclient.MethodPassword ||
		ada.Methods[1] != (graphclient.Method{ID: graphclient.Mobile.MethodID(), Type: graphclient.MethodPhone}) || len(ada.Phones) != 1 || ada.Phones[0].Number != number {
		t.Errorf("ada: %+v", ada)
	}
	if graphclient.KindOf(nobody.MethodsErr) != graphclient.KindNotFound || graphclient.KindOf(nobody.PhonesErr) != graphclient.KindNotFound {
		t.Errorf("a user who is not there: %+v", nobody)
	}
}

func TestMissingLicenceOfReports(t *testing.T) {
	d := reportTenant(t, tenant.Options{NoPremium: true})
	for _, err := range d.Registrations(t.Context(), graphclient.RegistrationsQuery{}) {
		if graphclient.KindOf(err) != graphclient.KindLicence {
			t.Errorf("registrations: %v", err)
		}
	}
	for _, err := range d.SignIns(t.Context(), graphclient.SignInsQuery{}) {
		if graphclient.KindOf(err) != graphclient.KindLicence {
			t.Errorf("sign-ins: %v", err)
		}
	}
}
