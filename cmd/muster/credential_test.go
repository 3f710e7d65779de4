package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/muster-mfa/muster/local/tenant"
)

const (
	appID     = "11111111-2222-4333-8444-555555555555"
	appSecret = "a-secret-that-was-invented"
	contosoID = "aaaaaaaa-0000-4000-8000-00000000c0de"
)

// rsaKey is the key of every certificate and assertion: they are slow to make.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// app is an application that may do all that apply with phones does.
func app() tenant.Application {
	return tenant.Application{
		ID: appID, DisplayName: "Muster", Secrets: []tenant.Secret{{Value: appSecret}},
		Roles: []string{"User.Read.All", "UserAuthMethod-Phone.ReadWrite.All"},
	}
}

// online is a tenant that checks tokens, served over TLS.
type online struct {
	*tenant.Tenant
	url, caFile string
	tokens      atomic.Int64 // tokens asked for
	host        atomic.Value // where not nil, the host that Graph believes to have
}

func newTenant(t *testing.T, users int, change func(*tenant.Options)) *tenant.Tenant {
	t.Helper()
	o := tenant.Options{
		Faults: tenant.FaultsNone, Quota: tenant.QuotaUnlimited,
		ID: contosoID, Applications: []tenant.Application{app()},
	}
	for i := range users {
		o.Users = append(o.Users, tenant.User{UserPrincipalName: fmt.Sprintf("user%06d@contoso.example", i+1)})
	}
	if change != nil {
		change(&o)
	}
	tn, err := tenant.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

func serveOnline(t *testing.T, tn *tenant.Tenant, handler http.Handler) *online {
	t.Helper()
	o := &online{Tenant: tn}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			o.tokens.Add(1)
		}
		if host, ok := o.host.Load().(string); ok && strings.HasPrefix(r.URL.Path, "/v1.0") {
			r.Host = host
		}
		handler.ServeHTTP(w, r)
	}))
	certificate, ca := serverCertificate(t)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	o.url, o.caFile = s.URL, writeFile(t, "ca.pem", ca)
	return o
}

// online serves one tenant with that many users.
func startOnline(t *testing.T, users int, change func(*tenant.Options)) *online {
	tn := newTenant(t, users, change)
	return serveOnline(t, tn, tn)
}

// serverCertificate is for loopback and for the names of Microsoft's services.
func serverCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"login.microsoftonline.us", "graph.microsoft.us", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// env points a command at the tenant, with a secret unless more says otherwise.
func (o *online) env(more ...string) []string {
	return append([]string{
		"MUSTER_GRAPH=" + o.url, "MUSTER_AUTHORITY=" + o.url, "MUSTER_CA_FILE=" + o.caFile, "MUSTER_TENANT=contoso.example",
		"MUSTER_TENANT_ID=" + contosoID, "MUSTER_CLIENT_ID=" + appID,
	}, more...)
}

var withSecret = []string{"MUSTER_CREDENTIAL=client-secret", "MUSTER_CLIENT_SECRET=" + appSecret}

// mobiles counts the users who have a mobile.
func (o *online) mobiles() int {
	n := 0
	for _, u := range o.Snapshot() {
		if u.Phones.Mobile != "" {
			n++
		}
	}
	return n
}

// appCertificate is a certificate for rsaKey, and its PEM.
func appCertificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "muster"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &rsaKey().PublicKey, rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// tokenFor gets a token by the secret, without a library.
func tokenFor(t *testing.T, o *online, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {appSecret}, "scope": {resource + "/.default"}}
	r := httptest.NewRequest(http.MethodPost, "/contoso.example/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	r.Host = strings.TrimPrefix(o.url, "https://")
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	var reply struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || reply.Token == "" {
		t.Errorf("token: %d %s", w.Code, w.Body)
	}
	return reply.Token
}

// identityEndpoint stands in for the one that App Service and Container Apps give
// to a managed identity.
func identityEndpoint(t *testing.T, o *online) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Identity-Header") != "invented" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{
			"access_token": tokenFor(t, o, r.URL.Query().Get("resource")), "token_type": "Bearer",
			"resource": r.URL.Query().Get("resource"), "expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()),
		})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// azureCLI is a folder with a stand-in for az that hands out one token.
func azureCLI(t *testing.T, o *online) string {
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho '{\"accessToken\":\"%s\",\"expires_on\":%d,\"tokenType\":\"Bearer\"}'\n", tokenFor(t, o, o.url), time.Now().Add(time.Hour).Unix())
	if err := os.WriteFile(filepath.Join(dir, "az"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// keyPEM is rsaKey.
func keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// encryptedKeyPEM is rsaKey, encrypted as openssl does it.
func encryptedKeyPEM(t *testing.T, password string) string {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(rsaKey(), []byte(password), nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}))
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	certificate, certificatePEM := appCertificate(t)
	_, otherPEM := serverCertificate(t)
	both := writeFile(t, "both.pem", otherPEM+certificatePEM+keyPEM(t)) // the first certificate need not be the key's
	encrypted := writeFile(t, "encrypted.pem", certificatePEM+encryptedKeyPEM(t, "invented"))
	pfx := func(encoder *pkcs12.Encoder, password string) string {
		content, err := encoder.Encode(rsaKey(), certificate, nil, password)
		if err != nil {
			t.Fatal(err)
		}
		return writeFile(t, "app.pfx", string(content))
	}
	public, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": "https://cluster.example.com/", "sub": "system:serviceaccount:muster:worker",
		"aud": "api://AzureADTokenExchange", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	o := startOnline(t, 20, func(o *tenant.Options) {
		o.ApproveDevices = true
		a := &o.Applications[0]
		a.Certificates, a.Scopes = []string{certificatePEM}, a.Roles
		a.Federated = []tenant.FederatedCredential{{
			Issuer: "https://cluster.example.com/", Subject: "system:serviceaccount:muster:worker",
			Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		}}
	})
	password := writeFile(t, "password", "invented\n")
	token := writeFile(t, "token", assertion)
	for i, test := range []struct {
		name string
		env  []string
		says string
	}{
		{"secret from the environment", withSecret, ""},
		{"secret from a file", []string{"MUSTER_CREDENTIAL=client-secret", "MUSTER_CLIENT_SECRET_FILE=" + writeFile(t, "secret", appSecret+"\n")}, ""},
		{"certificate in PEM", []string{"MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_FILE=" + both}, ""},
		{"certificate in PFX", []string{"MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_PASSWORD=invented", "MUSTER_CERTIFICATE_FILE=" + pfx(pkcs12.Modern, "invented")}, ""},
		{"certificate in PFX with old ciphers", []string{"MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_PASSWORD_FILE=" + password, "MUSTER_CERTIFICATE_FILE=" + pfx(pkcs12.Legacy, "invented")}, ""},
		{"certificate in PFX without a password", []string{"MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_FILE=" + pfx(pkcs12.Modern, "")}, ""},
		{"certificate in PEM with an encrypted key", []string{"MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_PASSWORD=invented", "MUSTER_CERTIFICATE_FILE=" + encrypted}, ""},
		{"workload identity", []string{"MUSTER_CREDENTIAL=workload-identity", "MUSTER_FEDERATED_TOKEN_FILE=" + token}, ""},
		{"workload identity as Kubernetes gives it", []string{"MUSTER_CREDENTIAL=workload-identity", "AZURE_FEDERATED_TOKEN_FILE=" + token}, ""},
		{"device code", []string{"MUSTER_CREDENTIAL=device-code"}, "enter"},
		{"managed identity", []string{"MUSTER_CREDENTIAL=managed-identity", "IDENTITY_HEADER=invented", "IDENTITY_ENDPOINT=" + identityEndpoint(t, o)}, ""},
		{"Azure CLI", []string{"MUSTER_CREDENTIAL=azure-cli", "PATH=" + azureCLI(t, o) + ":/usr/bin:/bin"}, ""},
		{"default, from the environment", []string{"AZURE_TENANT_ID=" + contosoID, "AZURE_CLIENT_ID=" + appID, "AZURE_CLIENT_SECRET=" + appSecret}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			row := fmt.Sprintf("user,mobile\nuser%06d@contoso.example,%s\n", i+1, fictional(i+1))
			r := muster(t, o.env(append(test.env, fast...)...), "", "apply", writeFile(t, "users.csv", row), "--quiet").expect(t, 0)
			if o.Snapshot()[i].Phones.Mobile == "" {
				t.Errorf("the number was not set:\n%s%s", r.stdout, r.stderr)
			}
			if !strings.Contains(r.stderr, test.says) {
				t.Errorf("stderr does not say %q: %s", test.says, r.stderr)
			}
			if strings.Contains(r.stdout+r.stderr, appSecret) {
				t.Error("the secret was printed")
			}
		})
	}
}

// Tokens end during a run, again and again, and nobody notices.
func TestTokensAreRenewedDuringARun(t *testing.T) {
	t.Parallel()
	const n = 120
	o := startOnline(t, n, func(o *tenant.Options) { o.TokenLifetime = 3 * time.Second })
	env := o.env(append(withSecret, "MUSTER_READS_PER_SECOND=unlimited", "MUSTER_WRITES_PER_SECOND=15", "MUSTER_WRITE_BURST=1")...)
	r := muster(t, env, "", "apply", writeFile(t, "users.csv", rows(n)), "--quiet").expect(t, 0)
	if o.mobiles() != n || strings.Contains(r.stderr, "paused") {
		t.Errorf("%d of %d numbers were set:\n%s", o.mobiles(), n, r.stderr)
	}
	// The run takes eight seconds; a token is kept for three quarters of its life.
	if tokens := o.tokens.Load(); tokens < 3 || tokens > 30 {
		t.Errorf("%d tokens were asked for", tokens)
	}
}

// A secret that is revoked pauses the tenant; nothing is lost, and nothing has to
// be restarted once it is mended.
func TestARevokedSecretPausesTheTenant(t *testing.T) {
	t.Parallel()
	const n = 60
	o := startOnline(t, n, func(o *tenant.Options) { o.TokenLifetime = 2 * time.Second })
	l := startLocal(t, "--users", "0")
	muster(t, l.env(), "", "load", writeFile(t, "users.csv", rows(n))).expect(t, 0)
	env := append(o.env(withSecret...), "MUSTER_SERVICEBUS="+l.ServiceBus, "MUSTER_QUEUE=commands",
		"MUSTER_WRITES_PER_SECOND=10", "MUSTER_WRITE_BURST=1", "MUSTER_FIRST_PAUSE=200ms")
	w := start(t, env, io.Discard, "worker", "--until-empty")
	w.stderr.waitFor(t, "worker started")
	revoked := app()
	revoked.Secrets[0].Value = "another"
	if err := o.SetApplication(revoked); err != nil {
		t.Fatal(err)
	}
	w.stderr.waitFor(t, "tenant paused")
	if text := w.stderr.String(); !strings.Contains(text, "AADSTS7000215 (the client secret is wrong or was removed)") {
		t.Errorf("the log does not say what is wrong:\n%s", text)
	}
	if err := o.SetApplication(app()); err != nil {
		t.Fatal(err)
	}
	if code := w.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.stderr.String())
	}
	if o.mobiles() != n || len(l.deadLetters(t)) != 0 {
		t.Errorf("%d of %d numbers were set, dead letters %v", o.mobiles(), n, l.deadLetters(t))
	}
}

// Graph that takes the token for another's pauses the tenant as well.
func TestATokenForAnotherAudiencePausesTheTenant(t *testing.T) {
	t.Parallel()
	o := startOnline(t, 1, nil)
	o.host.Store("graph.example.com")
	p := start(t, o.env(append(withSecret, "MUSTER_FIRST_PAUSE=200ms")...), io.Discard, "apply", writeFile(t, "users.csv", rows(1)), "--quiet")
	p.stderr.waitFor(t, "tenant paused")
	if text := p.stderr.String(); !strings.Contains(text, "status 401, code InvalidAuthenticationToken") {
		t.Errorf("the log does not say what is wrong:\n%s", text)
	}
	o.host.Store(strings.TrimPrefix(o.url, "https://"))
	if code := p.wait(); code != 0 || o.mobiles() != 1 {
		t.Errorf("exit code %d, %d numbers:\n%s", code, o.mobiles(), p.stderr.String())
	}
}

// One worker signs in to the tenant of every command.
func TestSeveralTenants(t *testing.T) {
	t.Parallel()
	contoso := newTenant(t, 1, nil)
	fabrikam := newTenant(t, 0, func(o *tenant.Options) {
		o.ID, o.Users = "bbbbbbbb-0000-4000-8000-00000000c0de", []tenant.User{{UserPrincipalName: "fay@fabrikam.example"}}
	})
	o := serveOnline(t, contoso, tenant.Cloud{contoso, fabrikam})
	l := startLocal(t, "--users", "0")
	for name, user := range map[string]string{"contoso.example": "user000001@contoso.example", "fabrikam.example": "fay@fabrikam.example"} {
		muster(t, []string{"MUSTER_SERVICEBUS=" + l.ServiceBus, "MUSTER_QUEUE=commands"}, "", "publish", "--tenant", name, "--user", user, "--mobile", fictional(1)).expect(t, 0)
	}
	env := append(o.env(withSecret...), "MUSTER_SERVICEBUS="+l.ServiceBus, "MUSTER_QUEUE=commands")
	env = append(env[:3:3], env[4:]...) // without MUSTER_TENANT
	muster(t, env, "", "worker", "--until-empty").expect(t, 0)
	if o.mobiles() != 1 || fabrikam.Snapshot()[0].Phones.Mobile == "" {
		t.Error("a tenant's user has no number")
	}
}

// The names of the national clouds, by way of a proxy that leads them all here.
func TestNationalClouds(t *testing.T) {
	t.Parallel()
	o := startOnline(t, 2, nil)
	proxy := connectProxy(t, strings.TrimPrefix(o.url, "https://"))
	for i, cloud := range []string{"usgov", "china"} {
		env := append([]string{
			"HTTPS_PROXY=" + proxy.url, "MUSTER_CA_FILE=" + o.caFile, "MUSTER_TENANT=contoso.example", "MUSTER_TENANT_ID=" + contosoID, "MUSTER_CLIENT_ID=" + appID,
		}, withSecret...)
		row := fmt.Sprintf("user,mobile\nuser%06d@contoso.example,%s\n", i+1, fictional(i+1))
		muster(t, env, "", "apply", writeFile(t, "users.csv", row), "--quiet", "--cloud", cloud).expect(t, 0)
	}
	if o.mobiles() != 2 {
		t.Errorf("%d numbers were set", o.mobiles())
	}
	for _, want := range []string{"login.microsoftonline.us:443", "graph.microsoft.us:443", "login.chinacloudapi.cn:443", "microsoftgraph.chinacloudapi.cn:443"} {
		if _, asked := proxy.hosts.Load(want); !asked {
			t.Errorf("%s was not asked", want)
		}
	}
}

type proxy struct {
	url   string
	hosts sync.Map
}

// connectProxy answers CONNECT for every host with a tunnel to target.
func connectProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{}
	var tunnels sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.hosts.Store(r.Host, true)
		upstream, err := net.Dial("tcp", target)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			upstream.Close()
			return
		}
		fmt.Fprint(down, "HTTP/1.1 200 OK\r\n\r\n")
		tunnels.Go(func() { io.Copy(upstream, down); upstream.Close() })
		tunnels.Go(func() { io.Copy(down, upstream); down.Close() })
	}))
	t.Cleanup(func() { s.Close(); tunnels.Wait() })
	p.url = s.URL
	return p
}

// The whole way that docs/app-registration.md goes on one machine.
func TestLocalOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := startLocal(t, "--users", "3", "--faults", "none", "--tls", dir)
	env := []string{
		"MUSTER_GRAPH=" + l.Graph, "MUSTER_AUTHORITY=" + l.Graph, "MUSTER_CA_FILE=" + dir + "/ca.pem", "MUSTER_TENANT=contoso.example",
		"MUSTER_CREDENTIAL=client-secret", "MUSTER_TENANT_ID=contoso.example", "MUSTER_CLIENT_ID=6e1d2f0a-7c4b-4b8e-9a51-0c2d3e4f5a6b",
		"MUSTER_CLIENT_SECRET_FILE=" + dir + "/client-secret",
	}
	file := writeFile(t, "users.csv", rows(3))
	muster(t, env, "", "apply", file, "--quiet").expect(t, 0)
	second := muster(t, env, "", "apply", file).expect(t, 0)
	if !strings.Contains(second.stdout, "unchanged") {
		t.Errorf("the second run says: %s", second.stdout)
	}
	for name, args := range map[string][]string{
		"beyond loopback": {"--tls", dir, "--host", "0.0.0.0"}, "no permission": {"--tls", dir, "--app-certificate", dir + "/missing"},
	} {
		r := muster(t, nil, "", append([]string{"local", "--amqp-port", "0", "--amqps-port", "0", "--management-port", "0", "--graph-port", "0"}, args...)...)
		if r.code == 0 || r.stdout != "" {
			t.Errorf("%s: exit code %d", name, r.code)
		}
	}
}
