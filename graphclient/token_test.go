package graphclient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/muster-mfa/muster/graphclient"
)

// credential hands out token-1, token-2 … for an hour each.
type credential struct {
	mu       sync.Mutex
	asked    []policy.TokenRequestOptions
	failed   int
	err      error
	life     time.Duration // zero: an hour
	noClaims bool
	token    string
}

func (c *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		c.failed++
		return azcore.AccessToken{}, c.err
	}
	if c.noClaims && o.Claims != "" {
		return azcore.AccessToken{}, finalError{"claims are not supported"}
	}
	c.asked = append(c.asked, o)
	life := c.life
	if life == 0 {
		life = time.Hour
	}
	token := c.token
	if token == "" {
		token = "token-" + string(rune('0'+len(c.asked)))
	}
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(life)}, ctx.Err()
}

func withCredential(c *credential) func(*graphclient.Options) {
	return func(o *graphclient.Options) { o.Endpoint = "https://graph.example"; o.Credential = c }
}

func TestTokenPerTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &credential{}
		w := &wire{respond: func(request) answer { return phoneList() }}
		c := clientOn(t, w, withCredential(cred))
		read := func(tenant string) {
			t.Helper()
			if _, err := c.Directory(tenant).Phones(t.Context(), userGUID); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { read("a.example") })
		}
		all.Wait()
		read("b.example")
		<-time.After(56 * time.Minute) // by the clock of synctest
		read("A.example")
		var tenants []string
		for _, o := range cred.asked {
			tenants = append(tenants, o.TenantID)
			if len(o.Scopes) != 1 || o.Scopes[0] != "https://graph.example/.default" {
				t.Errorf("scopes = %v", o.Scopes)
			}
		}
		if got := strings.Join(tenants, " "); got != "a.example b.example a.example" {
			t.Errorf("asked for tokens of %s", got)
		}
		sent := w.seen()
		for i, want := range map[int]string{0: "Bearer token-1", 8: "Bearer token-2", 9: "Bearer token-3"} {
			if got := sent[i].Header.Get("Authorization"); got != want {
				t.Errorf("request %d: %q, want %q", i, got, want)
			}
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	claims := `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
	challenge := answer{status: 401, header: map[string]string{
		"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`,
	}}
	cred := &credential{}
	w := inTurn(t, challenge, phoneList(number), status(401), status(401))
	d := directoryOn(t, w, withCredential(cred))
	if _, err := d.Phones(t.Context(), userGUID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Phones(t.Context(), userGUID); graphclient.KindOf(err) != graphclient.KindUnauthorized {
		t.Errorf("error = %v", err)
	}
	if len(cred.asked) != 3 || cred.asked[0].Claims != "" || cred.asked[1].Claims != claims || cred.asked[2].Claims != "{}" {
		t.Errorf("asked for %+v", cred.asked)
	}
	if got := w.seen()[1].Header.Get("Authorization"); got != "Bearer token-2" {
		t.Errorf("second request has %q", got)
	}
}

// finalError is marked as azidentity marks errors that will not pass.
type finalError struct{ text string }

func (e finalError) Error() string { return e.text }
func (finalError) NonRetriable()   {}

// busyError passes by itself, although it is marked as azidentity marks all.
type busyError struct{ wait time.Duration }

func (busyError) Error() string               { return "the token service is busy" }
func (busyError) NonRetriable()               {}
func (busyError) Temporary() bool             { return true }
func (e busyError) RetryAfter() time.Duration { return e.wait }

func TestNoToken(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		kind graphclient.Kind
		text string
	}{
		{"refused", finalError{"ClientSecretCredential failed\nPOST https://login.example\n{\"error_description\":\"AADSTS50020: User account 'ann@contoso.example' …\"}"}, graphclient.KindUnauthorized,
			"list phones: unauthorized, code AADSTS50020: get token: AADSTS50020"},
		{"explained", finalError{"AADSTS7000215: Invalid client secret provided."}, graphclient.KindUnauthorized,
			"list phones: unauthorized, code AADSTS7000215: get token: AADSTS7000215 (the client secret is wrong or was removed)"},
		{"for a while", busyError{time.Minute}, graphclient.KindTransient, "list phones: transient: get token: the token service is busy"},
		{"unavailable", finalError{"AzureCLICredential: run az login"}, graphclient.KindUnauthorized, "list phones: unauthorized: get token: AzureCLICredential: run az login"},
		{"names somebody", finalError{"no token for ann@contoso.example"}, graphclient.KindUnauthorized, "list phones: unauthorized: get token: the credential failed"},
		{"no connection", errors.New("dial failed"), graphclient.KindTransient, "list phones: transient: get token: dial failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := directoryOn(t, inTurn(t), withCredential(&credential{err: tt.err}))
			_, err := d.Phones(t.Context(), userGUID)
			if graphclient.KindOf(err) != tt.kind || err.Error() != tt.text {
				t.Errorf("error = %v\nwant    %s", err, tt.text)
			}
			if !errors.Is(err, tt.err) {
				t.Error("the credential's error is not in the chain")
			}
		})
	}
}

func TestOldTokenServesWhileNewOnesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &credential{}
		w := &wire{respond: func(request) answer { return phoneList() }}
		d := directoryOn(t, w, withCredential(cred))
		_, _ = d.Phones(t.Context(), userGUID)
		cred.err = errors.New("token service is down")
		<-time.After(57 * time.Minute) // by the clock of synctest
		if _, err := d.Phones(t.Context(), userGUID); err != nil {
			t.Errorf("before its end: %v", err)
		}
		<-time.After(4 * time.Minute)
		if _, err := d.Phones(t.Context(), userGUID); graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestRedirectIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{respond: func(r request) answer {
			if strings.HasPrefix(r.URL, "https://elsewhere.example") {
				t.Errorf("followed to %s with %q", r.URL, r.Header.Get("Authorization"))
			}
			return answer{status: http.StatusTemporaryRedirect, header: map[string]string{"Location": "https://elsewhere.example/"}}
		}}
		_, err := directoryOn(t, w, withCredential(&credential{})).Phones(t.Context(), userGUID)
		if graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("error = %v", err)
		}
	})
}

// Tokens of a tenant may live for minutes only; none is asked for more often
// than that makes necessary.
func TestShortLivedTokensAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &credential{life: 8 * time.Second}
		w := &wire{respond: func(request) answer { return phoneList() }}
		d := directoryOn(t, w, withCredential(cred))
		for range 24 {
			if _, err := d.Phones(t.Context(), userGUID); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if n := len(cred.asked); n != 4 {
			t.Errorf("asked for %d tokens in 24 s, want one every 6 s", n)
		}
	})
}

// A permission that was granted is in the next token only.
func TestForbiddenTokenIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &credential{}
		w := &wire{respond: func(r request) answer {
			if r.Header.Get("Authorization") == "Bearer token-1" {
				return status(403)
			}
			return phoneList()
		}}
		d := directoryOn(t, w, withCredential(cred))
		read := func() graphclient.Kind {
			_, err := d.Phones(t.Context(), userGUID)
			return graphclient.KindOf(err)
		}
		for i, want := range []graphclient.Kind{graphclient.KindForbidden, graphclient.KindForbidden} {
			if got := read(); got != want || len(cred.asked) != 1 {
				t.Errorf("read %d: %q with %d tokens", i, got, len(cred.asked))
			}
		}
		<-time.After(time.Minute)
		if got := read(); got != graphclient.KindForbidden {
			t.Errorf("after a minute, with the old token: %q", got)
		}
		if got := read(); got != graphclient.KindNone || len(cred.asked) != 2 || cred.asked[1].Claims != "{}" {
			t.Errorf("with a new token: %q, asked %+v", got, cred.asked)
		}
	})
}

// The token service is not asked again before the time that it names.
func TestThrottledTokenServiceIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cred := &credential{err: busyError{time.Minute}}
		w := &wire{respond: func(request) answer { return phoneList() }}
		d := directoryOn(t, w, withCredential(cred))
		for range 3 {
			_, err := d.Phones(t.Context(), userGUID)
			var e *graphclient.Error
			if !errors.As(err, &e) || e.Kind != graphclient.KindTransient || e.RetryAfter != time.Minute {
				t.Errorf("error = %v", err)
			}
		}
		if cred.failed != 1 {
			t.Errorf("asked %d times, want once", cred.failed)
		}
		<-time.After(time.Minute)
		cred.err = nil
		if _, err := d.Phones(t.Context(), userGUID); err != nil {
			t.Error(err)
		}
	})
}

// A credential that can't take claims is asked without.
func TestCredentialThatKnowsNoClaims(t *testing.T) {
	cred := &credential{noClaims: true}
	d := directoryOn(t, inTurn(t, status(401), phoneList(number)), withCredential(cred))
	if _, err := d.Phones(t.Context(), userGUID); err != nil || len(cred.asked) != 2 || cred.asked[1].Claims != "" {
		t.Errorf("error %v, asked %+v", err, cred.asked)
	}
}

func TestAccessTellsWhatTheTokenHolds(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"t","appid":"a","roles":["User.Read.All","Policy.Read.All"],"iat":1700000000,"exp":1700003600}`))
	for name, tt := range map[string]struct {
		token string
		want  int
	}{"readable": {"e30." + claims + ".sig", 2}, "opaque": {"opaque", 0}, "broken": {"a.!.c", 0}} {
		d := directoryOn(t, inTurn(t), withCredential(&credential{token: tt.token}))
		a, err := d.Access(t.Context())
		if err != nil || len(a.Permissions) != tt.want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if tt.want > 0 && (a.Tenant != "t" || a.Application != "a" || a.Delegated || a.Permissions[0] != "Policy.Read.All" || a.Expires.Sub(a.Issued) != time.Hour) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
