package tenant_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
)

const (
	pilot  = "0f0f0f0f-1111-4222-8333-444444444401"
	others = "0f0f0f0f-1111-4222-8333-444444444402"
)

func groupIDs(ids ...string) string { return `{"groupIds":["` + strings.Join(ids, `","`) + `"]}` }

func TestCheckMemberGroups(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Groups: []string{strings.ToUpper(pilot)}}, tenant.User{UserPrincipalName: bob}))
	for _, test := range []struct {
		name, user, body string
		status           int
		want             []string
	}{
		{"a member", ada, groupIDs(others, pilot), 200, []string{pilot}},
		{"nobody's group", bob, groupIDs(others, pilot), 200, nil},
		{"no groups", ada, `{"groupIds":[]}`, 200, nil},
		{"twenty", ada, groupIDs(slices.Repeat([]string{others}, 20)...), 200, nil},
		{"more than twenty", ada, groupIDs(slices.Repeat([]string{others}, 21)...), 400, nil},
		{"a malformed id", ada, groupIDs(pilot, "pilot"), 400, nil},
		{"no ids", ada, `{}`, 400, nil},
		{"unknown user", "nobody@contoso.example", groupIDs(pilot), 404, nil},
	} {
		got := call(t, tn, "POST", "/v1.0/users/"+test.user+"/checkMemberGroups", test.body)
		if got.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.status, test.status, got.raw)
			continue
		}
		if got.status != 200 {
			checkEnvelope(t, got)
			continue
		}
		var ids []string
		for _, id := range got.body["value"].([]any) {
			ids = append(ids, id.(string))
		}
		if !slices.Equal(ids, test.want) {
			t.Errorf("%s: %v, want %v", test.name, ids, test.want)
		}
	}
	if s := tn.Stats(); s.Writes != 0 {
		t.Errorf("%d writes, want none: the call reads", s.Writes)
	}
}

func TestRolesOfAUser(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Roles: []string{"Global Reader", "User Administrator"}}, tenant.User{UserPrincipalName: bob}))
	path := func(user, query string) string {
		return "/v1.0/users/" + user + "/transitiveMemberOf/microsoft.graph.directoryRole" + query
	}
	for _, test := range []struct {
		name, user, query string
		status            int
		want              []string
	}{
		{"two", ada, "?$count=true&$select=id,displayName", 200, []string{"Global Reader", "User Administrator"}},
		{"none", bob, "?$count=true&$select=id,displayName", 200, nil},
		{"all properties", ada, "?$count=true", 200, []string{"Global Reader", "User Administrator"}},
		{"without $count", ada, "", 400, nil},
		{"unknown property", bob, "?$count=true&$select=shoeSize", 400, nil},
		{"unknown option", ada, "?$count=true&$search=x", 400, nil},
		{"unknown user", "nobody@contoso.example", "?$count=true", 404, nil},
	} {
		got := call(t, tn, "GET", path(test.user, test.query), "", "ConsistencyLevel", "eventual")
		if got.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.status, test.status, got.raw)
			continue
		}
		if got.status != 200 {
			checkEnvelope(t, got)
			continue
		}
		var names []string
		for _, role := range got.values() {
			names = append(names, role["displayName"].(string))
		}
		if !slices.Equal(names, test.want) || got.body["@odata.count"] != float64(len(test.want)) {
			t.Errorf("%s: %v with count %v, want %v", test.name, names, got.body["@odata.count"], test.want)
		}
	}
	if got := call(t, tn, "GET", path(ada, "?$count=true"), ""); got.status != 400 {
		t.Errorf("without ConsistencyLevel: status %d, want 400", got.status)
	}
}

// The two calls cost what the throttling limits say, and no write.
func TestMembershipsCostUnits(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.Quota, o.Now = tenant.QuotaSmall, newClock().Now
	tn := newTenant(t, o)
	for path, want := range map[string]string{
		"POST /v1.0/users/" + ada + "/checkMemberGroups":                                                      "4",
		"GET /v1.0/users/" + ada + "/transitiveMemberOf/microsoft.graph.directoryRole?$count=true":            "2",
		"GET /v1.0/users/" + ada + "/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$select=id": "1",
	} {
		method, target, _ := strings.Cut(path, " ")
		got := call(t, tn, method, target, groupIDs(pilot), "ConsistencyLevel", "eventual")
		if units := got.header.Get("x-ms-resource-unit"); got.status != 200 || units != want {
			t.Errorf("%s: status %d, %s units; want 200 and %s", path, got.status, units, want)
		}
	}
}

// A user who was just created may not be found, and memberships keep the rules
// of a users file.
func TestMembershipsOfAUserJustCreated(t *testing.T) {
	clock := newClock()
	tn := newTenant(t, tenant.Options{Quota: tenant.QuotaUnlimited, Now: clock.Now, Lag: time.Second, Probabilities: &tenant.Probabilities{Stale: 1}})
	if err := tn.AddUsers([]tenant.User{{UserPrincipalName: ada, Groups: []string{pilot}}}); err != nil {
		t.Fatal(err)
	}
	read := func() answer {
		return call(t, tn, "POST", "/v1.0/users/"+ada+"/checkMemberGroups", groupIDs(pilot))
	}
	if got := read(); got.status != 404 {
		t.Errorf("just created: status %d, want 404", got.status)
	}
	clock.advance(2 * time.Second)
	if got := read(); got.status != 200 {
		t.Errorf("later: status %d, want 200", got.status)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("Role ", i)
	}
	for _, u := range []tenant.User{{UserPrincipalName: bob, Groups: []string{"pilot"}}, {UserPrincipalName: bob, Roles: many}} {
		if err := tn.AddUsers([]tenant.User{u}); err == nil {
			t.Errorf("a user with %d groups and %d roles was taken", len(u.Groups), len(u.Roles))
		}
	}
}
