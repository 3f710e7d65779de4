package graphclient_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/graphclient"
)

// Methods tells kinds apart by the type of their resource, and keeps one that it
// does not know.
func TestMethods(t *testing.T) {
	w := inTurn(t, answer{status: 200, body: `{"value":[
		{"@odata.type":"#microsoft.graph.passwordAuthenticationMethod","id":"p","password":null},
		{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","id":"` + mobileID + `","phoneNumber":"` + number + `"},
		{"@odata.type":"#microsoft.graph.windowsHelloForBusinessAuthenticationMethod","id":"w"},
		{"@odata.type":"#microsoft.graph.verifiableCredentialAuthenticationMethod","id":"v"},
		{"id":"n"}]}`})
	got, err := directoryOn(t, w).Methods(t.Context(), userGUID)
	if err != nil {
		t.Fatal(err)
	}
	want := []graphclient.Method{
		{ID: "p", Type: graphclient.MethodPassword}, {ID: mobileID, Type: graphclient.MethodPhone},
		{ID: "w", Type: graphclient.MethodWindowsHello}, {ID: "v", Type: "verifiableCredential"}, {ID: "n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}
