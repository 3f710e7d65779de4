package graphclient_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

func TestUserAudits(t *testing.T) {
	const ada = "ada@contoso.example"
	sim, err := tenant.New(tenant.Options{Users: []tenant.User{{UserPrincipalName: ada}}, Quota: tenant.QuotaUnlimited, Faults: tenant.FaultsNone})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	c, err := graphclient.New(graphclient.Options{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := c.Directory("contoso.example")
	if _, err := d.AddPhone(t.Context(), ada, graphclient.Mobile, number); err != nil {
		t.Fatal(err)
	}
	if err := d.ChangePhone(t.Context(), ada, graphclient.Mobile, otherNumber); err != nil {
		t.Fatal(err)
	}
	var got []string
	for a, err := range d.UserAudits(t.Context(), tenant.UserID(ada), time.Now().Add(-time.Hour)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Activity)
		if a.Time.IsZero() || a.Result != "success" || a.CorrelationID == "" || a.InitiatedBy.App == nil || a.InitiatedBy.User != nil || len(a.Targets) != 1 {
			t.Errorf("entry %+v", a)
		}
	}
	if strings.Join(got, ", ") != "Admin updated security info, Admin registered security info" {
		t.Errorf("activities: %v", got)
	}
	for _, err := range d.UserAudits(t.Context(), tenant.UserID(ada), time.Now().Add(time.Hour)) {
		t.Errorf("an entry of the future, error %v", err)
	}
	if err := sim.Deny(tenant.Denial{Operation: "directoryAudits"}); err != nil {
		t.Fatal(err)
	}
	for _, err := range d.UserAudits(t.Context(), tenant.UserID(ada), time.Now()) {
		if graphclient.KindOf(err) != graphclient.KindForbidden {
			t.Errorf("without permission: %v", err)
		}
	}
}

// What a filter names stays out of whatever is emitted.
func TestUserAuditsTellNothingOfTheUser(t *testing.T) {
	o := observe(t, &wire{respond: func(request) answer { return ok(`{"value":[]}`) }})
	for _, err := range o.UserAudits(t.Context(), "o'hara@contoso.example", time.Now()) {
		t.Error(err)
	}
	if emitted := o.all(t); strings.Contains(emitted, "hara") || !strings.Contains(emitted, "directoryAudits") {
		t.Errorf("emitted: %s", emitted)
	}
}
