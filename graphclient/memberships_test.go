package graphclient_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// Groups and roles are read from a tenant that misbehaves as it does by default,
// for users by object id and by a name that must be encoded.
func TestMembershipsAgainstTheLocalTenant(t *testing.T) {
	t.Parallel()
	groups := make([]string, graphclient.MaxCheckedGroups)
	for i := range groups {
		groups[i] = fmt.Sprintf("0f0f0f0f-1111-4222-8333-4444444444%02d", i)
	}
	sim, err := tenant.New(tenant.Options{Quota: tenant.QuotaUnlimited, Seed: 3, Users: []tenant.User{
		{UserPrincipalName: guestUPN, Groups: groups[3:5], Roles: []string{"User Administrator"}},
		{UserPrincipalName: "plain@contoso.example"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	c, err := graphclient.New(graphclient.Options{Endpoint: server.URL, MaxTries: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := c.Directory("contoso.example")
	for _, test := range []struct {
		user   string
		groups []string
		roles  string
	}{
		{guestUPN, groups[3:5], "User Administrator"},
		{tenant.UserID(guestUPN), groups[3:5], "User Administrator"},
		{"plain@contoso.example", nil, ""},
	} {
		for range 10 {
			in, err := d.MemberGroups(t.Context(), test.user, groups)
			if err != nil || !slices.Equal(in, test.groups) {
				t.Errorf("groups %v, %v; want %v", in, err, test.groups)
			}
			roles, err := d.DirectoryRoles(t.Context(), test.user)
			var names []string
			for _, r := range roles {
				names = append(names, r.DisplayName)
			}
			if err != nil || strings.Join(names, ",") != test.roles {
				t.Errorf("roles %v, %v; want %s", names, err, test.roles)
			}
		}
	}
	if got := sim.Stats().Writes; got != 0 {
		t.Errorf("%d writes, want none", got)
	}
}

func TestTooManyGroupsAreRefusedHere(t *testing.T) {
	t.Parallel()
	w := &wire{respond: calm}
	_, err := directoryOn(t, w).MemberGroups(t.Context(), userGUID, make([]string, graphclient.MaxCheckedGroups+1))
	var e *graphclient.Error
	if !errors.As(err, &e) || e.Code != graphclient.CodeTooManyGroups || len(w.seen()) != 0 {
		t.Errorf("error %v after %d requests; want %s and none", err, len(w.seen()), graphclient.CodeTooManyGroups)
	}
}

// Asking for groups takes from the budget what Graph charges, and no write.
func TestMembershipsAreReads(t *testing.T) {
	t.Parallel()
	l := &limiter{}
	c := clientOn(t, &wire{respond: calm}, func(o *graphclient.Options) { o.Limiter = l })
	if _, err := c.Directory("contoso.example").MemberGroups(t.Context(), userGUID, []string{userGUID}); err != nil {
		t.Fatal(err)
	}
	if l.asked != [2]int{4, 0} {
		t.Errorf("took %v of the budget, want 4 reads and no write", l.asked)
	}
}
