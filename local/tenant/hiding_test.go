package tenant_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/tenant"
)

// Where numbers are hidden, no reply shows one, and writes still take effect.
func TestNumbersCanBeHidden(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n1, Office: "+1 2065550101x123"}})
	o.HideNumbers = true
	tn := newTenant(t, o)
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/phoneMethods", "", "+1 ********01"},
		{"GET", "/phoneMethods/" + mobileID, "", "+1 ********01"},
		{"GET", "/methods", "", "+1 ********01"},
		{"POST", "/phoneMethods", phoneJSON("alternateMobile", n2), "+44 ********23"},
	} {
		got := call(t, tn, x.method, "/v1.0/users/"+ada+"/authentication"+x.path, x.body)
		if got.status/100 != 2 || !strings.Contains(got.raw, x.want) || strings.Contains(got.raw, n1[4:]) || strings.Contains(got.raw, n2[4:]) {
			t.Errorf("%s %s answers %d, %s; want %s", x.method, x.path, got.status, got.raw, x.want)
		}
	}
	if got := only(t, tn).Phones.AlternateMobile; got != n2 {
		t.Errorf("the alternate mobile is %s, want %s", got, n2)
	}
}

// Another method is found by its id in the list.
func TestOtherMethodsAreListed(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, OtherMethods: []string{"fido2"}}))
	const methods = "/v1.0/users/" + ada + "/authentication/methods"
	listed := call(t, tn, http.MethodGet, methods, "").values()
	if len(listed) != 2 || listed[1]["@odata.type"] != "#microsoft.graph.fido2AuthenticationMethod" {
		t.Fatalf("methods %v, want a password and a security key", listed)
	}
	id, _ := listed[1]["id"].(string)
	if got := call(t, tn, http.MethodGet, methods+"/"+id, ""); got.status != 200 || got.body["@odata.type"] != listed[1]["@odata.type"] {
		t.Errorf("by its id: %d, %s", got.status, got.raw)
	}
}
