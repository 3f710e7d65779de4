package tenant_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/muster-mfa/muster/local/tenant"
)

func TestNewReportsEveryFault(t *testing.T) {
	_, err := tenant.New(tenant.Options{
		Quota: "huge", Faults: "evil", Probabilities: &tenant.Probabilities{Slow: 2, Stale: -1, SlowMin: 2, SlowMax: 1},
		Deny: []tenant.Denial{{Status: 500}},
	})
	if err == nil {
		t.Fatal("New accepted them")
	}
	for _, want := range []string{"huge", "evil", "Slow ", "Stale", "SlowMin", "500"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %s", err, want)
		}
	}
}

// Users that no sequence of calls could bring about are refused, and the error
// says which one without naming it.
func TestNewRefusesUsers(t *testing.T) {
	for name, u := range map[string]tenant.User{
		"no name":                          {},
		"id":                               {UserPrincipalName: ada, ID: "7"},
		"user type":                        {UserPrincipalName: ada, UserType: "Robot"},
		"state":                            {UserPrincipalName: ada, PerUserMFAState: "on"},
		"number":                           {UserPrincipalName: ada, Phones: tenant.Phones{Mobile: "0612345678"}},
		"alternate without mobile":         {UserPrincipalName: ada, Phones: tenant.Phones{AlternateMobile: n1}},
		"default that is lacking":          {UserPrincipalName: ada, DefaultMethod: "sms"},
		"unknown default":                  {UserPrincipalName: ada, DefaultMethod: "pigeon"},
		"SMS sign-in without mobile":       {UserPrincipalName: ada, SMSSignIn: true, SMSSignInAllowed: true},
		"SMS sign-in against the policy":   {UserPrincipalName: ada, SMSSignIn: true, Phones: tenant.Phones{Mobile: n1}},
		"id of another":                    {UserPrincipalName: ada, ID: tenant.UserID(bob)},
		"name of another":                  {UserPrincipalName: strings.ToUpper(bob)},
		"SMS sign-in number of another":    {UserPrincipalName: ada, SMSSignIn: true, SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: n3}},
		"default of another kind of phone": {UserPrincipalName: ada, DefaultMethod: "voiceOffice", Phones: tenant.Phones{Mobile: n1}},
	} {
		first := tenant.User{UserPrincipalName: bob, SMSSignIn: true, SMSSignInAllowed: true, Phones: tenant.Phones{Mobile: n3}}
		_, err := tenant.New(calm(first, u))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.Contains(err.Error(), "user 2:") || strings.Contains(err.Error(), "contoso") || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s: error %q, want user 2 and nothing of what it holds", name, err)
		}
	}
}

func TestGenerateUsers(t *testing.T) {
	users := tenant.GenerateUsers(2000, 1)
	if diff := cmp.Diff(users, tenant.GenerateUsers(2000, 1)); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if cmp.Equal(users, tenant.GenerateUsers(2000, 2)) {
		t.Error("another seed changes nothing")
	}
	newTenant(t, calm(users...))
	for i, u := range users {
		want := uuid.NewSHA1(uuid.NameSpaceURL, []byte("muster:"+strings.ToLower(u.UserPrincipalName))).String()
		if u.ID != want || u.UserPrincipalName != fmt.Sprintf("user%06d@contoso.example", i+1) {
			t.Fatalf("user %d: id %s, name %s", i+1, u.ID, u.UserPrincipalName)
		}
	}
}

func TestUsersFileRoundTrip(t *testing.T) {
	users := tenant.GenerateUsers(300, 5)
	var file bytes.Buffer
	if err := tenant.WriteUsers(&file, users); err != nil {
		t.Fatalf("WriteUsers: %v", err)
	}
	got, err := tenant.ReadUsers(&file)
	if err != nil {
		t.Fatalf("ReadUsers: %v", err)
	}
	if diff := cmp.Diff(users, got); diff != "" {
		t.Errorf("users (-written +read):\n%s", diff)
	}
}

func TestReadUsersTellsTheLine(t *testing.T) {
	for name, file := range map[string]string{
		"no JSON":  "{\"userPrincipalName\":\"ada@contoso.example\"}\n\nada@contoso.example\n",
		"too long": "\n\n" + strings.Repeat("x", 2<<20),
	} {
		_, err := tenant.ReadUsers(strings.NewReader(file))
		if err == nil || strings.Contains(err.Error(), "ada") {
			t.Errorf("%s: error %v, want one without the line's text", name, err)
		}
		if name == "no JSON" && !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%s: error %v, want line 3", name, err)
		}
	}
}

// Many clients at once, faults and all: whatever each was told, the directory
// ends up holding what the rules allow, and a number signs in one user only.
func TestConcurrentClients(t *testing.T) {
	const users = 20
	list := make([]tenant.User, users)
	for i := range list {
		list[i] = tenant.User{UserPrincipalName: fmt.Sprintf("u%d@contoso.example", i), SMSSignInAllowed: true}
	}
	o := tenant.Options{Users: list, Quota: tenant.QuotaUnlimited, Seed: 9}
	p := tenant.FaultsHarsh.Probabilities()
	p.SlowMin, p.SlowMax = 0, 0
	o.Probabilities = &p
	tn := newTenant(t, o)
	server := httptest.NewServer(tn)
	defer server.Close()
	server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 8
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 30 {
				base := server.URL + phonesOf(fmt.Sprintf("u%d@contoso.example", (w+i)%users))
				number := fmt.Sprintf("+1 20655501%02d", (w*7+i)%10)
				outcome(server.Client(), "POST", base, phoneJSON("mobile", number))
				outcome(server.Client(), "PATCH", base+"/"+mobileID, phoneJSON("mobile", number))
				outcome(server.Client(), "GET", base, "")
				outcome(server.Client(), "DELETE", base+"/"+mobileID, "")
				outcome(server.Client(), "GET", server.URL+"/_tenant/stats", "")
			}
		})
	}
	wg.Wait()
	owners := map[string]string{}
	for _, u := range tn.Snapshot() {
		if !u.SMSSignIn {
			continue
		}
		if other := owners[u.Phones.Mobile]; other != "" {
			t.Errorf("two users sign in with the same number: %s and %s", other, u.UserPrincipalName)
		}
		owners[u.Phones.Mobile] = u.UserPrincipalName
	}
	if _, err := tenant.New(calm(tn.Snapshot()...)); err != nil {
		t.Errorf("the directory breaks its own rules: %v", err)
	}
}

func BenchmarkServe(b *testing.B) {
	o := calm(tenant.GenerateUsers(1000, 1)...)
	tn := newTenant(b, o)
	id := tn.Snapshot()[0].ID
	for _, bm := range []struct{ name, method, path, body string }{
		{"read", "GET", phonesOf(id), ""},
		{"write", "PATCH", "/beta/users/" + id + "/authentication/requirements", `{"perUserMfaState":"enforced"}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(bm.method, "http://graph.example"+bm.path, strings.NewReader(bm.body))
				r.Header.Set("Content-Type", "application/json")
				tn.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
