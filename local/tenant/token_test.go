package tenant_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-mfa/muster/local/tenant"
)

const (
	clientID = "11111111-2222-4333-8444-555555555555"
	secret   = "a-secret-that-was-invented"
	contoso  = "aaaaaaaa-0000-4000-8000-00000000c0de"
)

// application is one with a secret that may read users.
func application() tenant.Application {
	return tenant.Application{
		ID: clientID, DisplayName: "Muster", Secrets: []tenant.Secret{{Name: "first", Value: secret}},
		Roles: []string{"User.Read.All", "UserAuthMethod-Phone.Read.All"},
	}
}

// checking are calm options of a tenant that checks tokens.
func checking(apps ...tenant.Application) tenant.Options {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.ID, o.Applications = contoso, apps
	return o
}

// serveTLS serves a handler as a token service must be served.
func serveTLS(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// towards are the client options that lead azidentity to the server. It tries
// once: what it does about trouble is not what is tested.
func towards(s *httptest.Server) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL},
		Transport: s.Client(),
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

func secretCredential(t *testing.T, s *httptest.Server, tenantID, id, value string) azcore.TokenCredential {
	t.Helper()
	c, err := azidentity.NewClientSecretCredential(tenantID, id, value, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: towards(s), DisableInstanceDiscovery: true, AdditionallyAllowedTenants: []string{"*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(t *testing.T, c azcore.TokenCredential, scope, tenantID string) azcore.AccessToken {
	t.Helper()
	got, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}, TenantID: tenantID})
	if err != nil {
		t.Fatalf("get token: %v", err)
	}
	return got
}

// graphGet asks Graph with a token.
func graphGet(t *testing.T, s *httptest.Server, path, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestClientSecret(t *testing.T) {
	tn := newTenant(t, checking(application()))
	s := serveTLS(t, tn)
	for _, name := range []string{contoso, "contoso.example", "Contoso.Example"} {
		got := token(t, secretCredential(t, s, name, clientID, secret), s.URL+"/.default", "")
		if left := time.Until(got.ExpiresOn); left < 59*time.Minute || left > time.Hour {
			t.Errorf("%s: token lives %v", name, left)
		}
		if status, body := graphGet(t, s, "/v1.0/users", got.Token); status != 200 || !strings.Contains(body, ada) {
			t.Errorf("%s: %d %s", name, status, body)
		}
		var claims jwt.MapClaims
		if _, _, err := jwt.NewParser().ParseUnverified(got.Token, &claims); err != nil {
			t.Fatal(err)
		}
		if claims["tid"] != contoso || claims["appid"] != clientID || claims["aud"] != s.URL || claims["idtyp"] != "app" || len(claims["roles"].([]any)) != 2 {
			t.Errorf("%s: claims %v", name, claims)
		}
	}
}

func TestTokenServiceRefusals(t *testing.T) {
	expired := application()
	expired.ID = "11111111-2222-4333-8444-000000000001"
	expired.Secrets[0].Expires = time.Now().Add(-time.Hour)
	disabled := application()
	disabled.ID, disabled.Disabled = "11111111-2222-4333-8444-000000000002", true
	tn := newTenant(t, checking(application(), expired, disabled))
	s := serveTLS(t, tn)
	graph := s.URL + "/.default"
	for _, tt := range []struct {
		name, tenant, client, secret, scope, code string
		status                                    int
	}{
		{"wrong secret", contoso, clientID, "other", graph, "AADSTS7000215", 401},
		{"expired secret", contoso, expired.ID, secret, graph, "AADSTS7000222", 401},
		{"unknown application", contoso, "11111111-2222-4333-8444-000000000009", secret, graph, "AADSTS700016", 400},
		{"disabled application", contoso, disabled.ID, secret, graph, "AADSTS7000112", 400},
		{"unknown tenant", "fabrikam.example", clientID, secret, graph, "AADSTS90002", 400},
		{"unknown resource", contoso, clientID, secret, "https://api.example.com/.default", "AADSTS500011", 400},
		{"not a default scope", contoso, clientID, secret, s.URL + "/User.Read.All", "AADSTS1002012", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := secretCredential(t, s, tt.tenant, tt.client, tt.secret).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{tt.scope}})
			var failed *azidentity.AuthenticationFailedError
			if !errors.As(err, &failed) || failed.RawResponse == nil {
				t.Fatalf("error = %v", err)
			}
			if failed.RawResponse.StatusCode != tt.status || !strings.Contains(err.Error(), tt.code+":") || !strings.Contains(err.Error(), "error_codes") {
				t.Errorf("want %d and %s:\n%v", tt.status, tt.code, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Error("the error holds a secret")
			}
		})
	}
}

func TestTokenServiceThrottles(t *testing.T) {
	tn := newTenant(t, checking(application()))
	s := serveTLS(t, tn)
	if a := call(t, tn, "POST", "/_tenant/throttle-tokens", `{"requests":1}`); a.status != 204 {
		t.Fatalf("throttle: %d %s", a.status, a.raw)
	}
	if a := call(t, tn, "POST", "/_tenant/throttle-tokens", `{"requests":-1}`); a.status != 400 {
		t.Errorf("throttle -1: %d %s", a.status, a.raw)
	}
	c := secretCredential(t, s, contoso, clientID, secret)
	_, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}})
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse.StatusCode != 429 || failed.RawResponse.Header.Get("Retry-After") != "60" {
		t.Fatalf("error = %v", err)
	}
	token(t, c, s.URL+"/.default", "")
}

func TestSecretRevokedAndMended(t *testing.T) {
	tn := newTenant(t, checking(application()))
	s := serveTLS(t, tn)
	changed := application()
	changed.Secrets[0].Value = "another"
	if err := tn.SetApplication(changed); err != nil {
		t.Fatal(err)
	}
	c := secretCredential(t, s, contoso, clientID, secret)
	if _, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}}); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("error = %v", err)
	}
	if err := tn.SetApplication(application()); err != nil {
		t.Fatal(err)
	}
	token(t, c, s.URL+"/.default", "")
}

// Keys are slow to make, and one is as good as another.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// certificate makes a self-signed certificate that ends at the given time.
func certificate(t *testing.T, end time.Time) (*x509.Certificate, string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(end.Unix()), Subject: pkix.Name{CommonName: "muster"},
		NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "muster"}}, &testKey().PublicKey, testKey())
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestClientCertificate(t *testing.T) {
	good, goodPEM := certificate(t, time.Now().Add(time.Hour))
	old, oldPEM := certificate(t, time.Now().Add(-time.Hour))
	stranger, _ := certificate(t, time.Now().Add(2*time.Hour))
	app := application()
	app.Secrets, app.Certificates = nil, []string{goodPEM, oldPEM}
	s := serveTLS(t, newTenant(t, checking(app)))
	for _, tt := range []struct {
		name        string
		certificate *x509.Certificate
		chain       bool
		code        string
	}{
		{"registered", good, false, ""},
		{"with its chain", good, true, ""},
		{"expired", old, false, "AADSTS1000502"},
		{"not registered", stranger, false, "AADSTS700027"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := azidentity.NewClientCertificateCredential(contoso, clientID, []*x509.Certificate{tt.certificate}, testKey(), &azidentity.ClientCertificateCredentialOptions{
				ClientOptions: towards(s), DisableInstanceDiscovery: true, SendCertificateChain: tt.chain,
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}})
			switch {
			case tt.code != "":
				if err == nil || !strings.Contains(err.Error(), tt.code) {
					t.Errorf("error = %v, want %s", err, tt.code)
				}
			case err != nil:
				t.Error(err)
			default:
				if status, body := graphGet(t, s, "/v1.0/users", got.Token); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
		})
	}
}

// A certificate is not enough: the assertion must be signed with its key.
func TestAssertionOfAnotherKey(t *testing.T) {
	good, goodPEM := certificate(t, time.Now().Add(time.Hour))
	app := application()
	app.Certificates = []string{goodPEM}
	s := serveTLS(t, newTenant(t, checking(app)))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c, err := azidentity.NewClientAssertionCredential(contoso, clientID, func(context.Context) (string, error) {
		forged := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"iss": clientID, "sub": clientID, "aud": s.URL + "/" + contoso + "/oauth2/v2.0/token", "exp": time.Now().Add(time.Minute).Unix(),
		})
		forged.Header["x5t#S256"] = tenant.Thumbprint(good)
		return forged.SignedString(other)
	}, &azidentity.ClientAssertionCredentialOptions{ClientOptions: towards(s), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}}); err == nil || !strings.Contains(err.Error(), "AADSTS700027: Client assertion failed signature validation") {
		t.Errorf("error = %v", err)
	}
}

func TestWorkloadIdentity(t *testing.T) {
	public, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	app := application()
	app.Secrets = nil
	app.Federated = []tenant.FederatedCredential{{
		Issuer: "https://cluster.example.com/", Subject: "system:serviceaccount:muster:worker",
		Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}}
	s := serveTLS(t, newTenant(t, checking(app)))
	for _, tt := range []struct {
		name   string
		change jwt.MapClaims
		code   string
	}{
		{"as configured", nil, ""},
		{"another issuer", jwt.MapClaims{"iss": "https://elsewhere.example.com/"}, "AADSTS700211"},
		{"another subject", jwt.MapClaims{"sub": "system:serviceaccount:other:worker"}, "AADSTS700213"},
		{"another audience", jwt.MapClaims{"aud": "https://api.example.com"}, "AADSTS700212"},
		{"expired", jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}, "AADSTS700024"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims := jwt.MapClaims{
				"iss": "https://cluster.example.com/", "sub": "system:serviceaccount:muster:worker",
				"aud": "api://AzureADTokenExchange", "exp": time.Now().Add(time.Hour).Unix(),
			}
			for k, v := range tt.change {
				claims[k] = v
			}
			text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(testKey())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
				ClientOptions: towards(s), DisableInstanceDiscovery: true, ClientID: clientID, TenantID: contoso, TokenFilePath: file,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}})
			if tt.code == "" && err != nil || tt.code != "" && (err == nil || !strings.Contains(err.Error(), tt.code)) {
				t.Errorf("error = %v, want %q", err, tt.code)
			}
		})
	}
}

func TestDeviceCode(t *testing.T) {
	person := application()
	person.Scopes = []string{"UserAuthMethod-Phone.Read", "User.Read.All"}
	nobody := application()
	nobody.ID = "11111111-2222-4333-8444-000000000003"
	tn := newTenant(t, checking(person, nobody))
	s := serveTLS(t, tn)
	signIn := func(id string) (azcore.AccessToken, int, error) {
		prompts := 0
		c, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: towards(s), DisableInstanceDiscovery: true, ClientID: id, TenantID: contoso,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				prompts++
				go func() {
					// The first poll finds the code pending, or approved already.
					if a := call(t, tn, "POST", "/_tenant/devices/"+m.UserCode, ""); a.status != 204 {
						t.Errorf("approve: %d %s", a.status, a.raw)
					}
				}()
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got azcore.AccessToken
		for range 2 { // the second comes by cache or refresh token
			if got, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{s.URL + "/.default"}}); err != nil {
				break
			}
		}
		return got, prompts, err
	}
	got, prompts, err := signIn(clientID)
	if err != nil || prompts != 1 {
		t.Fatalf("%d prompts, error %v", prompts, err)
	}
	if status, body := graphGet(t, s, "/v1.0/users", got.Token); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	// The library has read the body by then, so its error tells the status only.
	if _, _, err := signIn(nobody.ID); err == nil || !strings.Contains(err.Error(), "RESPONSE 400") {
		t.Errorf("error = %v, want 400", err)
	}
}

func TestDeviceCodeIsPendingUntilApproved(t *testing.T) {
	app, nobody := application(), application()
	app.Scopes = []string{"User.Read.All"}
	nobody.ID = "11111111-2222-4333-8444-000000000003"
	o := checking(app, nobody)
	c := newClock()
	o.Now = c.Now
	tn := newTenant(t, o)
	post := func(path, form string) answer {
		return call(t, tn, "POST", "/contoso.example/oauth2/v2.0/"+path, form, "Content-Type", "application/x-www-form-urlencoded")
	}
	started := post("devicecode", "client_id="+clientID+"&scope=https%3A%2F%2Fgraph.example%2F.default+offline_access")
	code, _ := started.body["device_code"].(string)
	poll := "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=" + clientID + "&device_code=" + code
	if got := post("token", poll); got.status != 400 || got.body["error"] != "authorization_pending" {
		t.Errorf("before: %d %s", got.status, got.raw)
	}
	if err := tn.ApproveDevice("NOSUCH"); err == nil {
		t.Error("an unknown code was approved")
	}
	if err := tn.ApproveDevice(started.body["user_code"].(string)); err != nil {
		t.Fatal(err)
	}
	if got := post("token", poll); got.status != 200 || got.body["refresh_token"] == nil {
		t.Errorf("after: %d %s", got.status, got.raw)
	}
	if got := post("token", poll); got.body["error"] != "invalid_grant" {
		t.Errorf("used again: %d %s", got.status, got.raw)
	}
	unwanted := post("devicecode", "client_id="+nobody.ID+"&scope=https%3A%2F%2Fgraph.example%2F.default")
	if err := tn.ApproveDevice(unwanted.body["user_code"].(string)); err != nil {
		t.Fatal(err)
	}
	refused := post("token", "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id="+nobody.ID+"&device_code="+unwanted.body["device_code"].(string))
	if refused.status != 400 || !strings.Contains(refused.raw, "AADSTS65001") || refused.body["suberror"] != "consent_required" {
		t.Errorf("without consent: %d %s", refused.status, refused.raw)
	}
	late, _ := post("devicecode", "client_id="+clientID+"&scope=https%3A%2F%2Fgraph.example%2F.default").body["device_code"].(string)
	c.advance(16 * time.Minute)
	if got := post("token", strings.Replace(poll, code, late, 1)); got.body["error"] != "expired_token" {
		t.Errorf("late: %d %s", got.status, got.raw)
	}
}

func TestGraphChecksTokens(t *testing.T) {
	o := checking(application())
	c := newClock()
	o.Now, o.TokenLifetime = c.Now, time.Minute
	tn := newTenant(t, o)
	issue := func(resource string) string {
		t.Helper()
		got := call(t, tn, "POST", "/"+contoso+"/oauth2/v2.0/token",
			"grant_type=client_credentials&client_id="+clientID+"&client_secret="+secret+"&scope="+resource+"%2F.default", "Content-Type", "application/x-www-form-urlencoded")
		if got.status != 200 {
			t.Fatalf("token: %d %s", got.status, got.raw)
		}
		return got.body["access_token"].(string)
	}
	good := issue("https://graph.example")
	forged := good[:strings.LastIndexByte(good, '.')+1] + "AAAA"
	for _, tt := range []struct {
		name, path, token, code, message string
		status                           int
	}{
		{"good", "/v1.0/users", good, "", "", 200},
		{"none", "/v1.0/users", "", "InvalidAuthenticationToken", "Access token is empty.", 401},
		{"not a token", "/v1.0/users", "hello", "InvalidAuthenticationToken", "IDX14100", 401},
		{"forged", "/v1.0/users", forged, "InvalidAuthenticationToken", "Invalid signature", 401},
		{"for another API", "/v1.0/users", issue("https://servicebus.azure.net"), "InvalidAuthenticationToken", "Invalid audience", 401},
		{"for another cloud", "/v1.0/users", issue("https://graph.microsoft.us"), "InvalidAuthenticationToken", "Invalid audience", 401},
		{"without the role, on a method", "/v1.0/users/" + ada + "/authentication/microsoftAuthenticatorMethods", good, "accessDenied", "Request Authorization failed", 403},
		{"without the role, on requirements", "/beta/users/" + ada + "/authentication/requirements", good, "Authorization_RequestDenied", "Insufficient privileges", 403},
		{"without the role, on applications", "/v1.0/applications(appId='" + clientID + "')", good, "Authorization_RequestDenied", "Insufficient privileges", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			if tt.token != "" {
				headers = []string{"Authorization", "Bearer " + tt.token}
			}
			got := call(t, tn, "GET", tt.path, "", headers...)
			if got.status != tt.status || got.code() != tt.code || !strings.Contains(got.message(), tt.message) {
				t.Errorf("%d %s", got.status, got.raw)
			}
		})
	}
	batch := call(t, tn, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users/ada@contoso.example/authentication/phoneMethods"},`+
		`{"id":"2","method":"POST","url":"/users/ada@contoso.example/authentication/phoneMethods","headers":{"Content-Type":"application/json"},"body":`+phoneJSON("mobile", "+1 2065550101")+`}]}`,
		"Authorization", "Bearer "+good)
	if !strings.Contains(batch.raw, `"status":200`) || !strings.Contains(batch.raw, `"status":403`) {
		t.Errorf("parts of a batch are not judged one by one: %s", batch.raw)
	}
	c.advance(time.Minute)
	if got := call(t, tn, "GET", "/v1.0/users", "", "Authorization", "Bearer "+good); got.status != 401 || !strings.Contains(got.message(), "Lifetime validation failed") {
		t.Errorf("expired: %d %s", got.status, got.raw)
	}
}

func TestApplicationsShowTheirCredentialsWithoutSecrets(t *testing.T) {
	app := application()
	app.Roles = append(app.Roles, "Application.Read.All")
	end := time.Now().Add(240 * time.Hour).UTC().Truncate(time.Second)
	app.Secrets[0].Expires = end
	_, text := certificate(t, end)
	app.Certificates = []string{text}
	s := serveTLS(t, newTenant(t, checking(app)))
	got := token(t, secretCredential(t, s, contoso, clientID, secret), s.URL+"/.default", "")
	status, body := graphGet(t, s, "/v1.0/applications(appId='"+clientID+"')?$select=passwordCredentials,keyCredentials", got.Token)
	if status != 200 || strings.Count(body, end.Format(time.RFC3339)) != 2 || strings.Contains(body, secret) || strings.Contains(body, "displayName\":\"Muster") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := graphGet(t, s, "/v1.0/applications(appId='00000000-0000-0000-0000-000000000000')", got.Token); status != 404 {
		t.Errorf("unknown application: %d", status)
	}
}

func TestSeveralTenantsAtOneAddress(t *testing.T) {
	fabrikam := calm(tenant.User{UserPrincipalName: "fay@fabrikam.example"})
	fabrikam.ID, fabrikam.Applications = "bbbbbbbb-0000-4000-8000-00000000c0de", []tenant.Application{application()}
	s := serveTLS(t, tenant.Cloud{newTenant(t, checking(application())), newTenant(t, fabrikam)})
	c := secretCredential(t, s, contoso, clientID, secret)
	for name, user := range map[string]string{"": ada, "fabrikam.example": "fay@fabrikam.example"} {
		got := token(t, c, s.URL+"/.default", name)
		if status, body := graphGet(t, s, "/v1.0/users", got.Token); status != 200 || !strings.Contains(body, user) {
			t.Errorf("%q: %d %s", name, status, body)
		}
	}
	if status, _ := graphGet(t, s, "/v1.0/users", "nonsense"); status != 401 {
		t.Errorf("nonsense: %d", status)
	}
}

// The real authorities are asked by name; instance discovery is theirs.
func TestAuthoritiesOfNationalClouds(t *testing.T) {
	tn := newTenant(t, checking(application()))
	for authority, graph := range map[string]string{
		"https://login.microsoftonline.com": "https://graph.microsoft.com",
		"https://login.microsoftonline.us":  "https://dod-graph.microsoft.us",
		"https://login.chinacloudapi.cn":    "https://microsoftgraph.chinacloudapi.cn",
	} {
		c, err := azidentity.NewClientSecretCredential(contoso, clientID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{
			Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: authority}, Transport: inProcess{tn},
		}})
		if err != nil {
			t.Fatal(err)
		}
		got := token(t, c, graph+"/.default", "")
		r := httptest.NewRequest("GET", graph+"/v1.0/users", nil)
		r.Header.Set("Authorization", "Bearer "+got.Token)
		w := httptest.NewRecorder()
		tn.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: %d %s", graph, w.Code, w.Body)
		}
	}
}

// inProcess answers an SDK's requests from a handler, whatever their host.
type inProcess struct{ handler http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	served.Host = r.URL.Host
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, served)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func TestSigningKeysArePublished(t *testing.T) {
	tn := newTenant(t, checking(application()))
	got := call(t, tn, "GET", "/contoso.example/discovery/v2.0/keys", "")
	if got.status != 200 || !strings.Contains(got.raw, `"kty":"RSA"`) {
		t.Errorf("%d %s", got.status, got.raw)
	}
	got = call(t, tn, "GET", "/contoso.example/oauth2/v2.0/token", "")
	if got.status != 400 || !strings.Contains(got.raw, "AADSTS900561") {
		t.Errorf("GET token: %d %s", got.status, got.raw)
	}
}

func TestApplicationsAreChecked(t *testing.T) {
	o := checking(tenant.Application{
		ID: "muster", Secrets: []tenant.Secret{{}}, Certificates: []string{"x"}, Federated: []tenant.FederatedCredential{{}},
	})
	o.TokenLifetime, o.ID = time.Nanosecond, "contoso"
	_, err := tenant.New(o)
	if err == nil {
		t.Fatal("no error")
	}
	o.TokenLifetime, o.ID = 0, ""
	_, other := tenant.New(o)
	for _, want := range []string{"token lifetime", "tenant id", "not a GUID", "secret 1", "certificate 1", "federated credential 1"} {
		if !strings.Contains(err.Error()+other.Error(), want) {
			t.Errorf("%v\n%v\ndo not say %q", err, other, want)
		}
	}
	plain := newTenant(t, calm())
	if err := plain.SetApplication(application()); err == nil {
		t.Error("a tenant without a token service took an application")
	}
}

// Whatever is added to the operations must say which permission it needs.
func TestEveryOperationNeedsAPermission(t *testing.T) {
	for _, name := range tenant.WithoutPermission() {
		t.Errorf("operation %s needs no permission", name)
	}
}

func TestAdminSetsApplications(t *testing.T) {
	tn := newTenant(t, checking(application()))
	if a := call(t, tn, "PUT", "/_tenant/applications", `{"id":"`+clientID+`","secrets":[{"value":"other"}]}`); a.status != 204 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	for _, body := range []string{`{"id":"muster"}`, `nonsense`, `{"id":"` + clientID + `","secrets":[{"value":""}]}`} {
		if a := call(t, tn, "PUT", "/_tenant/applications", body); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	if a := call(t, tn, "POST", "/_tenant/devices/NOSUCH", ""); a.status != 404 {
		t.Errorf("devices: %d %s", a.status, a.raw)
	}
	form := "grant_type=client_credentials&client_id=" + clientID + "&client_secret=" + secret + "&scope=https%3A%2F%2Fgraph.example%2F.default"
	if a := call(t, tn, "POST", "/"+contoso+"/oauth2/v2.0/token", form); a.status != 401 {
		t.Errorf("the old secret: %d %s", a.status, a.raw)
	}
}

// Whatever is sent to the token service, it answers in JSON and tells no secret.
func FuzzTokenRequest(f *testing.F) {
	for _, seed := range []string{
		"grant_type=client_credentials&client_id=" + clientID + "&client_secret=" + secret + "&scope=https%3A%2F%2Fgraph.example%2F.default",
		"grant_type=client_credentials&client_id=" + clientID + "&client_assertion=e30.e30.AA&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
		"grant_type=device_code&client_id=" + clientID + "&device_code=x", "grant_type=refresh_token&client_id=" + clientID, "grant_type=password&client_id=" + clientID, "%zz", "",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	tn, err := tenant.New(checking(application()))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, form string, device bool) {
		path := "/contoso.example/oauth2/v2.0/token"
		if device {
			path = "/contoso.example/oauth2/v2.0/devicecode"
		}
		got := call(t, tn, "POST", path, form)
		if got.body == nil || got.status != 200 && got.body["error_codes"] == nil || strings.Contains(got.raw, secret) && !strings.Contains(form, secret) {
			t.Errorf("%d %s", got.status, got.raw)
		}
	})
}
