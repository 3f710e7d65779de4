package tenant_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

func TestAdminUsers(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: bob, Phones: tenant.Phones{Mobile: "+12065550101"}})
	o.Probabilities = &tenant.Probabilities{ResetBefore: 1}
	tn := newTenant(t, o)
	added := call(t, tn, "POST", "/_tenant/users", `{"userPrincipalName":"ada@contoso.example","phones":{"office":"+1 2065550102x7"}}`+"\n\n"+
		`{"userPrincipalName":"eve@contoso.example","accountEnabled":false}`)
	if added.status != 201 || added.body["added"] != 2.0 {
		t.Fatalf("POST users: %d %s", added.status, added.raw)
	}
	got, err := tenant.ReadUsers(strings.NewReader(call(t, tn, "GET", "/_tenant/users", "").raw))
	if err != nil {
		t.Fatalf("read back: %v", err)
	}
	if diff := cmp.Diff(tn.Snapshot(), got); diff != "" {
		t.Errorf("users over HTTP (-snapshot +read):\n%s", diff)
	}
	if len(got) != 3 || got[0].UserPrincipalName != ada || got[1].Phones.Mobile != n1 {
		t.Errorf("users %+v, want three sorted by name with spaced numbers", got)
	}
}

func TestAdminRefusesUsersAsAWhole(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: bob}))
	for name, body := range map[string]string{
		"a user who is there already": `{"userPrincipalName":"ada@contoso.example"}` + "\n" + `{"userPrincipalName":"BOB@contoso.example"}`,
		"the same user twice":         `{"userPrincipalName":"ada@contoso.example"}` + "\n" + `{"userPrincipalName":"ada@contoso.example"}`,
		"an unknown member":           `{"userPrincipalName":"ada@contoso.example","shoeSize":44}`,
		"no JSON":                     `ada@contoso.example`,
		"two values on a line":        `{"userPrincipalName":"ada@contoso.example"} {}`,
		"a number without a plus":     `{"userPrincipalName":"ada@contoso.example","phones":{"mobile":"0612345678"}}`,
	} {
		got := call(t, tn, "POST", "/_tenant/users", body)
		if got.status != 400 || got.body["error"] == "" {
			t.Errorf("%s: %d %s, want 400 and an error", name, got.status, got.raw)
		}
		if strings.Contains(got.raw, "contoso") || strings.Contains(got.raw, "0612345678") {
			t.Errorf("%s: the error repeats its input: %s", name, got.raw)
		}
	}
	if got := len(tn.Snapshot()); got != 1 {
		t.Errorf("%d users, want the one from before", got)
	}
}

func TestAdminStats(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	call(t, tn, "GET", phonesOf(ada), "")
	call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
	call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
	var got tenant.Stats
	if err := json.Unmarshal([]byte(call(t, tn, "GET", "/_tenant/stats", "").raw), &got); err != nil {
		t.Fatalf("decode stats: %v", err)
	}
	want := tenant.Stats{Requests: 3, Reads: 1, Writes: 2, RedundantWrites: 1, Faults: map[string]int64{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if got := call(t, tn, "GET", "/_tenant/nothing", ""); got.status != 404 {
		t.Errorf("unknown endpoint: %d, want 404", got.status)
	}
}

func TestDeny(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	const requirements = "/beta/users/" + ada + "/authentication/requirements"
	for _, tt := range []struct {
		name, denial string
		method, path string
		status       int
		code         string
	}{
		{"one operation", `{"operation":"phoneMethods.add"}`, "POST", phonesOf(ada), 403, "accessDenied"},
		{"another is allowed", `{"operation":"phoneMethods.add"}`, "GET", phonesOf(ada), 200, ""},
		{"a group", `{"operation":"phoneMethods"}`, "GET", phonesOf(ada), 403, "accessDenied"},
		{"requirements", `{"operation":"requirements"}`, "GET", requirements, 403, "Authorization_RequestDenied"},
		{"users", `{"operation":"users.get"}`, "GET", "/v1.0/users/" + ada, 403, "Authorization_RequestDenied"},
		{"a code of one's own", `{"operation":"users","code":"Authorization_IdentityNotFound"}`, "GET", "/v1.0/users", 403, "Authorization_IdentityNotFound"},
		{"everything, 401", `{"status":401}`, "GET", phonesOf(ada), 401, "InvalidAuthenticationToken"},
		{"everything, by an empty body", "", "GET", phonesOf(ada), 403, "accessDenied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := call(t, tn, "POST", "/_tenant/deny", tt.denial); got.status != 204 {
				t.Fatalf("POST deny: %d %s", got.status, got.raw)
			}
			got := call(t, tn, tt.method, tt.path, phoneBodyFor(tt.method))
			if got.status != tt.status || got.code() != tt.code {
				t.Errorf("%d %q, want %d %q", got.status, got.code(), tt.status, tt.code)
			}
			if got := call(t, tn, "DELETE", "/_tenant/deny", ""); got.status != 204 {
				t.Fatalf("DELETE deny: %d", got.status)
			}
			if got := call(t, tn, "GET", phonesOf(ada), ""); got.status != 200 {
				t.Errorf("after lifting: %d, want 200", got.status)
			}
		})
	}
	if got := tn.Stats().Denied; got != 7 {
		t.Errorf("%d denied, want 7", got)
	}
	for _, bad := range []string{`{"status":500}`, `{"operation":"groups"}`, `[]`} {
		if got := call(t, tn, "POST", "/_tenant/deny", bad); got.status != 400 {
			t.Errorf("denial %s: %d, want 400", bad, got.status)
		}
	}
}

func phoneBodyFor(method string) string {
	if method == "GET" {
		return ""
	}
	return phoneJSON("mobile", n1)
}

func TestToken(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.RequireToken = true
	tn := newTenant(t, o)
	for _, tt := range []struct {
		authorization string
		status        int
	}{{"", 401}, {"Basic eDp5", 401}, {"Bearer ", 401}, {"Bearer anything", 200}, {"bearer anything", 200}} {
		got := call(t, tn, "GET", phonesOf(ada), "", "Authorization", tt.authorization)
		if got.status != tt.status {
			t.Errorf("Authorization %q: %d, want %d", tt.authorization, got.status, tt.status)
		}
		if got.status == 401 && (got.code() != "InvalidAuthenticationToken" || got.header.Get("WWW-Authenticate") == "") {
			t.Errorf("401 with code %q and WWW-Authenticate %q", got.code(), got.header.Get("WWW-Authenticate"))
		}
	}
	const batch = `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`
	if got := call(t, tn, "POST", "/v1.0/$batch", batch); got.status != 401 {
		t.Errorf("$batch without a token: %d, want 401", got.status)
	}
	if got := call(t, tn, "POST", "/v1.0/$batch", batch, "Authorization", "Bearer x"); got.status != 200 {
		t.Errorf("$batch with a token: %d, want 200", got.status)
	}
}
