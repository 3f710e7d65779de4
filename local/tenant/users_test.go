package tenant_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

const guest = "eve_partner.example#EXT#@contoso.example"

func TestUserIsFoundByEveryForm(t *testing.T) {
	tn := newTenant(t, calm(
		tenant.User{UserPrincipalName: ada},
		tenant.User{UserPrincipalName: guest, UserType: "Guest"},
		tenant.User{UserPrincipalName: "o'hara@contoso.example"},
	))
	for _, tt := range []struct{ name, path, want string }{
		{"UPN", "/users/" + ada, ada},
		{"UPN in capitals", "/users/ADA@Contoso.Example", ada},
		{"object id", "/users/" + tenant.UserID(ada), ada},
		{"object id in capitals", "/users/" + strings.ToUpper(tenant.UserID(ada)), ada},
		{"key in parentheses", "/users('" + ada + "')", ada},
		{"key in escaped parentheses", "/users%28%27" + ada + "%27%29", ada},
		{"guest", "/users/" + url.PathEscape(guest), guest},
		{"guest in parentheses", "/users('" + url.PathEscape(guest) + "')", guest},
		{"apostrophe", "/users/o'hara@contoso.example", "o'hara@contoso.example"},
		{"doubled apostrophe", "/users('o''hara@contoso.example')", "o'hara@contoso.example"},
		{"trailing slash", "/users/" + ada + "/", ada},
	} {
		for _, version := range []string{"/v1.0", "/beta"} {
			got := call(t, tn, "GET", version+tt.path, "")
			if got.status != 200 || got.body["userPrincipalName"] != tt.want {
				t.Errorf("%s: GET %s%s: %d %v, want %s", tt.name, version, tt.path, got.status, got.body["userPrincipalName"], tt.want)
			}
		}
	}
}

// A number sign that is not escaped cuts the path, so the guest is not found.
func TestUserNotFound(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: guest}))
	for _, path := range []string{"/users/" + bob, "/users/eve_partner.example", "/users/" + bob + "/authentication/phoneMethods"} {
		got := call(t, tn, "GET", "/v1.0"+path, "")
		if got.status != 404 || got.code() != "Request_ResourceNotFound" {
			t.Errorf("GET %s: %d %q, want 404 Request_ResourceNotFound", path, got.status, got.code())
		}
	}
	if got := call(t, tn, "POST", phonesOf(bob), phoneJSON("mobile", n1)); got.status != 404 || got.code() != "Request_ResourceNotFound" {
		t.Errorf("POST for nobody: %d %q, want 404 Request_ResourceNotFound", got.status, got.code())
	}
}

func TestSelect(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, PerUserMFAState: "enforced", OnPremisesSyncEnabled: new(true)}))
	got := call(t, tn, "GET", "/v1.0/users/"+ada+"?$select=id,accountEnabled,userType,onPremisesSyncEnabled,perUserMfaState", "")
	want := map[string]any{
		"@odata.context": "http://graph.example/v1.0/$metadata#users(id,accountEnabled,userType,onPremisesSyncEnabled,perUserMfaState)/$entity",
		"id":             tenant.UserID(ada), "accountEnabled": true, "userType": "Member",
		"onPremisesSyncEnabled": true, "perUserMfaState": "enforced",
	}
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("selected (-want +got):\n%s", diff)
	}
	got = call(t, tn, "GET", "/v1.0/users/"+ada, "")
	for _, absent := range []string{"accountEnabled", "userType", "perUserMfaState"} {
		if _, there := got.body[absent]; there {
			t.Errorf("v1.0 returns %s without $select", absent)
		}
	}
	if got := call(t, tn, "GET", "/beta/users/"+ada, ""); got.body["accountEnabled"] != true {
		t.Error("beta does not return accountEnabled without $select")
	}
	if got := call(t, tn, "GET", "/v1.0/users/"+ada+"?$select=shoeSize", ""); got.status != 400 {
		t.Errorf("$select of an unknown property: %d, want 400", got.status)
	}
}

// upns lists users by following nextLink and returns the pages' sizes too.
func upns(t *testing.T, tn *tenant.Tenant, target string, headers ...string) (names []string, sizes []int) {
	t.Helper()
	for target != "" {
		got := call(t, tn, "GET", target, "", headers...)
		if got.status != 200 {
			t.Fatalf("GET %s: %d %s", target, got.status, got.raw)
		}
		for _, u := range got.values() {
			names = append(names, u["userPrincipalName"].(string))
		}
		sizes = append(sizes, len(got.values()))
		next, _ := got.body["@odata.nextLink"].(string)
		target = strings.TrimPrefix(next, "http://graph.example")
		if len(sizes) > 1000 {
			t.Fatal("paging does not end")
		}
	}
	slices.Sort(names)
	return names, sizes
}

func TestPaging(t *testing.T) {
	users := tenant.GenerateUsers(250, 7)
	tn := newTenant(t, calm(users...))
	var all []string
	for _, u := range users {
		all = append(all, u.UserPrincipalName)
	}
	slices.Sort(all)
	for _, tt := range []struct {
		name, target string
		sizes        []int
	}{
		{"page of 100 by default", "/v1.0/users", []int{100, 100, 50}},
		{"largest page", "/v1.0/users?$top=999", []int{250}},
		{"no page beyond the last user", "/v1.0/users?$top=125", []int{125, 125}},
		{"select is carried on", "/v1.0/users?$top=200&$select=id,userPrincipalName", []int{200, 50}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			names, sizes := upns(t, tn, tt.target)
			if diff := cmp.Diff(all, names); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.sizes, sizes); diff != "" {
				t.Errorf("sizes of pages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPagesMayBeEmpty(t *testing.T) {
	o := calm(tenant.GenerateUsers(60, 7)...)
	o.Probabilities = &tenant.Probabilities{EmptyPage: 0.5}
	tn := newTenant(t, o)
	names, sizes := upns(t, tn, "/v1.0/users?$top=5")
	if len(names) != 60 || len(slices.Compact(names)) != 60 {
		t.Errorf("%d users on pages with gaps, want 60 different ones", len(names))
	}
	if !slices.Contains(sizes, 0) {
		t.Error("no page was empty")
	}
	if got := tn.Stats().Faults["emptyPage"]; got == 0 {
		t.Error("empty pages were not counted")
	}
}

func TestFilter(t *testing.T) {
	tn := newTenant(t, calm(
		tenant.User{UserPrincipalName: ada, OnPremisesSyncEnabled: new(true)},
		tenant.User{UserPrincipalName: bob, AccountEnabled: new(false)},
		tenant.User{UserPrincipalName: guest, UserType: "Guest"},
		tenant.User{UserPrincipalName: "o'hara@contoso.example"},
	))
	for _, tt := range []struct {
		filter string
		want   []string // nil: 400 Request_UnsupportedQuery
	}{
		{"userPrincipalName eq '" + ada + "'", []string{ada}},
		{"userPrincipalName eq 'ADA@contoso.example'", []string{ada}},
		{"userPrincipalName eq 'o''hara@contoso.example'", []string{"o'hara@contoso.example"}},
		{"userPrincipalName eq 'nobody@contoso.example'", []string{}},
		{"userPrincipalName in ('" + ada + "','" + bob + "', 'nobody@contoso.example')", []string{ada, bob}},
		{"userPrincipalName in('" + ada + "')", []string{ada}},
		{"id eq '" + tenant.UserID(bob) + "'", []string{bob}},
		{"accountEnabled eq false", []string{bob}},
		{"userType eq 'Guest'", []string{guest}},
		{"userType eq 'Member' and accountEnabled eq true", []string{ada, "o'hara@contoso.example"}},
		{"onPremisesSyncEnabled eq true", []string{ada}},
		{"userPrincipalName eq '" + ada + "' and accountEnabled eq false", []string{}},
		{"accountEnabled ne true", nil},
		{"accountEnabled eq maybe", nil},
		{"userType eq Guest", nil},
		{"userType eq 'Guest' or userType eq 'Member'", nil},
		{"startswith(userPrincipalName,'a')", nil},
		{"assignedLicenses/$count ne 0", nil},
		{"userPrincipalName eq 'unclosed", nil},
		{"userPrincipalName in ()", nil},
		{"userPrincipalName in ('a' 'b')", nil},
		{"userPrincipalName", nil},
		{"and", nil},
	} {
		got := call(t, tn, "GET", "/v1.0/users?$filter="+url.QueryEscape(tt.filter), "")
		if tt.want == nil {
			if got.status != 400 || got.code() != "Request_UnsupportedQuery" {
				t.Errorf("%s: %d %q, want 400 Request_UnsupportedQuery", tt.filter, got.status, got.code())
			}
			continue
		}
		names := []string{}
		for _, u := range got.values() {
			names = append(names, u["userPrincipalName"].(string))
		}
		slices.Sort(names)
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.filter, diff)
		}
	}
}

func TestInTakesFifteenLiteralsAndPages(t *testing.T) {
	users := tenant.GenerateUsers(16, 7)
	tn := newTenant(t, calm(users...))
	literals := make([]string, len(users))
	for i, u := range users {
		literals[i] = "'" + u.UserPrincipalName + "'"
	}
	in := func(n int) string {
		return url.QueryEscape("userPrincipalName in (" + strings.Join(literals[:n], ",") + ")")
	}
	if got := call(t, tn, "GET", "/v1.0/users?$filter="+in(16), ""); got.status != 400 {
		t.Errorf("16 literals: %d, want 400", got.status)
	}
	names, sizes := upns(t, tn, "/v1.0/users?$top=4&$filter="+in(15))
	if len(slices.Compact(names)) != 15 {
		t.Errorf("15 literals found %d users", len(names))
	}
	if diff := cmp.Diff([]int{4, 4, 4, 3}, sizes); diff != "" {
		t.Errorf("sizes of pages (-want +got):\n%s", diff)
	}
}

func TestCount(t *testing.T) {
	tn := newTenant(t, calm(tenant.GenerateUsers(30, 7)...))
	eventual := []string{"ConsistencyLevel", "eventual"}
	first := call(t, tn, "GET", "/v1.0/users?$count=true&$top=20", "", eventual...)
	if got := first.body["@odata.count"]; got != 30.0 {
		t.Errorf("@odata.count %v, want 30", got)
	}
	next, _ := first.body["@odata.nextLink"].(string)
	second := call(t, tn, "GET", strings.TrimPrefix(next, "http://graph.example"), "", eventual...)
	if _, there := second.body["@odata.count"]; there || len(second.values()) != 10 {
		t.Errorf("second page: count there: %v, %d users; want no count and 10 users", there, len(second.values()))
	}
	if got := call(t, tn, "GET", "/v1.0/users?$count=true", ""); got.body["@odata.count"] != nil {
		t.Error("a count without the ConsistencyLevel header")
	}
	if got := call(t, tn, "GET", "/v1.0/users/$count", "", eventual...); got.raw != "30" {
		t.Errorf("users/$count: %q, want 30", got.raw)
	}
	if got := call(t, tn, "GET", "/v1.0/users/$count", ""); got.status != 400 {
		t.Errorf("users/$count without ConsistencyLevel: %d, want 400", got.status)
	}
}

func TestQueryOptionsThatAreRefused(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	for _, query := range []string{
		"$top=1000", "$top=0", "$top=ten", "$skip=5", "$orderby=displayName", "$search=x", "$expand=manager",
		"$skiptoken=*", "$skiptoken=eA", "$select=nothing", "a=%zz",
	} {
		if got := call(t, tn, "GET", "/v1.0/users?"+query, ""); got.status != 400 {
			t.Errorf("users?%s: %d, want 400", query, got.status)
		}
	}
	if got := call(t, tn, "GET", "/v1.0/users?tracking=1", ""); got.status != 200 {
		t.Errorf("a custom option: %d, want 200", got.status)
	}
}
