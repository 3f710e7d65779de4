package graphclient

import (
	"testing"
)

func TestUserPlace(t *testing.T) {
	const guid, method = "11111111-2222-4333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	for _, tt := range []struct{ name, user, id, path, told string }{
		{"object id", guid, method, "/users/" + guid + "/m/" + method + "/act", "/users/" + guid + "/m/" + method + "/act"},
		{"principal name", "ann@contoso.example", method, "/users/ann@contoso.example/m/" + method + "/act", "/users/REDACTED/m/" + method + "/act"},
		{"guest", "a_b.example#EXT#@contoso.example", method, "/users/a_b.example%23EXT%23@contoso.example/m/" + method + "/act", "/users/REDACTED/m/" + method + "/act"},
		{"quote", "o'neil@contoso.example", method, "/users/o%27neil@contoso.example/m/" + method + "/act", "/users/REDACTED/m/" + method + "/act"},
		{"dollar", "$o'neil@contoso.example", method, "/users('$o%27%27neil@contoso.example')/m/" + method + "/act", "/users/REDACTED/m/" + method + "/act"},
		{"slash and question mark", "a/b?c@contoso.example", "x/../y", "/users/a%2Fb%3Fc@contoso.example/m/x%2F..%2Fy/act", "/users/REDACTED/m/REDACTED/act"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := userPlace("/users/{id}/m/{methodId}/act", tt.user, tt.id)
			if err != nil {
				t.Fatal(err)
			}
			if p.path != tt.path {
				t.Errorf("path = %s, want %s", p.path, tt.path)
			}
			if p.told != tt.told {
				t.Errorf("told = %s, want %s", p.told, tt.told)
			}
		})
	}
	for _, bad := range []string{"", ".", "..", "a\nb", "a\xff"} {
		if _, err := userPlace("/users/{id}", bad); err == nil {
			t.Errorf("user %q was taken", bad)
		}
		if _, err := userPlace("/users/{id}/m/{methodId}", guid, bad); err == nil {
			t.Errorf("method %q was taken", bad)
		}
	}
}

func mustClient(t testing.TB) *Client {
	t.Helper()
	endpoint, err := parseEndpoint("https://graph.microsoft.com")
	if err != nil {
		t.Fatal(err)
	}
	return &Client{endpoint: endpoint, base: endpoint.String()}
}
