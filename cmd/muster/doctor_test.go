package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/servicebus"
)

// finding is one of muster doctor --json.
type finding struct {
	Check, Severity, Tenant, What, Why, Portal, Command string
}

// examine runs muster doctor and returns what it has found.
func examine(t *testing.T, env []string, code int, args ...string) []finding {
	t.Helper()
	r := muster(t, env, "", append([]string{"doctor", "--json"}, args...)...).expect(t, code)
	var report struct {
		Worst    string
		Findings []finding
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	for _, u := range []string{"user0000", appSecret} {
		if strings.Contains(r.stdout+r.stderr, u) {
			t.Errorf("doctor tells %q: %s%s", u, r.stdout, r.stderr)
		}
	}
	return report.Findings
}

// has finds a finding of that severity which says the text.
func has(findings []finding, check, severity, text string) bool {
	for _, f := range findings {
		if f.Check == check && f.Severity == severity && strings.Contains(f.What+f.Why+f.Portal+f.Command, text) {
			return true
		}
	}
	return false
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*tenant.Options)
		args   []string
		code   int
		wants  [][3]string // check, severity, text
	}{
		{"all is well", nil, []string{"--capabilities", "phones,sms-sign-in"}, 0, [][3]string{
			{"token", "ok", appID}, {"permission", "ok", "phones"}, {"graph", "ok", "phoneMethods"}, {"expiry", "note", "Application.Read.All"}, {"clock", "ok", "agrees"},
		}},
		{"missing permissions", nil, nil, 1, [][3]string{
			{"permission", "error", "Policy.Read.All"}, {"permission", "error", "az ad app permission add --id " + appID}, {"graph", "note", "requirements is refused (403)"},
		}},
		{"no consent at all", func(o *tenant.Options) { o.Applications[0].Roles = nil }, nil, 1, [][3]string{{"permission", "error", "no permission"}}},
		{"a secret that ends soon", func(o *tenant.Options) {
			a := &o.Applications[0]
			a.Secrets[0].Expires, a.Roles = time.Now().Add(100*time.Hour), append(a.Roles, "Application.Read.All")
		}, []string{"--capabilities", "phones"}, 3, [][3]string{{"expiry", "warning", "for 4 days"}}},
		{"a secret that has ended", func(o *tenant.Options) { o.Applications[0].Secrets[0].Expires = time.Now().Add(-time.Hour) }, nil, 1, [][3]string{
			{"token", "error", "AADSTS7000222"}, {"token", "error", "az ad app credential reset --id " + appID},
		}},
		{"what reports and single users need", func(o *tenant.Options) {
			o.Applications[0].Roles = []string{"User.Read.All", "Policy.Read.All"}
		}, []string{"--capabilities", "report,report-details,user-history"}, 1, [][3]string{
			{"permission", "warning", "AuditLog.Read.All, UserAuthenticationMethod.Read.All, for report, report-details"},
			{"permission", "error", "lacks AuditLog.Read.All, for user-history"}, {"graph", "note", "directoryAudits is refused (403)"},
		}},
		{"all that there is", func(o *tenant.Options) {
			o.Applications[0].Roles = []string{
				"Directory.Read.All", "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod", "UserAuthenticationMethod.ReadWrite.All", "AuditLog.Read.All",
			}
		}, []string{"--capabilities", "all"}, 0, [][3]string{
			{"permission", "ok", "scope-admins"}, {"graph", "ok", "directoryRole"}, {"graph", "ok", "directoryAudits"}, {"licence", "ok", "signIns"},
		}},
		{"refused although permitted", func(o *tenant.Options) { o.Deny = []tenant.Denial{{Operation: "phoneMethods"}} }, []string{"--capabilities", "phones"}, 1, [][3]string{
			{"graph", "error", "although the token holds"},
		}},
		{"another application's id", nil, []string{"--client-id", "99999999-2222-4333-8444-555555555555"}, 1, [][3]string{{"token", "error", "not the object id"}}},
		{"a Graph of another cloud", nil, []string{"--graph", "https://graph.example.com"}, 1, [][3]string{{"token", "error", "AADSTS500011"}, {"clock", "note", "was not reached"}}},
		{"an untrusted token service", nil, []string{"--ca-file", ""}, 1, [][3]string{{"token", "error", "name its authority by --ca-file"}}},
		{"nobody enters the device code", nil, []string{"--credential", "device-code", "--timeout", "2s"}, 1, [][3]string{{"token", "error", "within --timeout"}}},
		{"no token of a workload", nil, []string{"--credential", "workload-identity", "--federated-token-file", "nowhere"}, 1, [][3]string{{"token", "error", "azure.workload.identity/use"}}},
		{"no secret at all", nil, []string{"--client-secret-file", "nowhere"}, 1, [][3]string{{"credential", "error", "read secret"}, {"clock", "ok", ""}}},
		{"an unknown tenant", nil, []string{"--tenant", "fabrikam.example"}, 1, [][3]string{{"token", "error", "AADSTS90002 (the tenant does not exist in this cloud)"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := startOnline(t, 1, test.change)
			env := o.env(withSecret...)
			if slices.Contains(test.args, "--client-secret-file") {
				env = o.env("MUSTER_CREDENTIAL=client-secret")
			}
			findings := examine(t, env, test.code, test.args...)
			for _, want := range test.wants {
				if !has(findings, want[0], want[1], want[2]) {
					t.Errorf("no finding %q in %+v", want, findings)
				}
			}
		})
	}
}

func TestDoctorOfTheQueue(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none")
	env := l.env()
	findings := examine(t, env, 0)
	for _, want := range []string{"queue-listen", "queue-send", "graph"} {
		if !has(findings, want, "ok", "") {
			t.Errorf("%s is not well: %+v", want, findings)
		}
	}
	if findings = examine(t, append(env, "MUSTER_QUEUE=nowhere"), 1); !has(findings, "queue-listen", "error", "no queue nowhere") {
		t.Errorf("findings %+v", findings)
	}
	wrong := strings.Replace(l.ServiceBus, "SAS_KEY_VALUE", "another", 1)
	if findings = examine(t, append(env, "MUSTER_SERVICEBUS="+wrong), 1); !has(findings, "queue-listen", "error", "or the key is wrong") || !has(findings, "queue-send", "note", "authorization-rule create") {
		t.Errorf("findings %+v", findings)
	}
	if findings = examine(t, append(env, "MUSTER_SERVICEBUS="+wrong, "MUSTER_QUEUE_RIGHTS=send"), 1); !has(findings, "queue-send", "error", "") || !has(findings, "queue-listen", "note", "") {
		t.Errorf("findings %+v", findings)
	}
	if findings = examine(t, append(env, "MUSTER_SERVICEBUS=@nowhere"), 1); !has(findings, "queue-listen", "error", "read service bus connection string") || !has(findings, "graph", "ok", "") {
		t.Errorf("findings %+v", findings)
	}
	// Nothing was taken, sent or written.
	if s := l.stats(t); s.Writes != 0 {
		t.Errorf("%d writes", s.Writes)
	}
	muster(t, l.env(), "", "worker", "--until-empty").expect(t, 0)
}

// What a queue refuses is told as such, not as a network that fails; its properties say
// why, and the command that is printed mends it.
func TestDoctorOfQueuesThatRefuse(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--faults", "none", "--config", writeFile(t, "config.json", `{"UserConfig":{"Namespaces":[{"Name":"n",
		"Queues":[{"Name":"to"},{"Name":"forwards","Properties":{"ForwardTo":"to"}}],"Topics":[{"Name":"topic","Subscriptions":[]}]}]}}`))
	manager, err := servicebus.OpenManager(servicebus.Options{Address: l.ServiceBus}, l.Management)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	for _, status := range []string{"Disabled", "ReceiveDisabled", "SendDisabled"} {
		if err := manager.CreateQueue(t.Context(), status, servicebus.QueueProperties{Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		queue, rights string
		code          int
		wants         [][3]string
		mended        int // the exit code once the printed command has run
	}{
		{"Disabled", "listen,send", 1, [][3]string{{"queue-listen", "error", "is disabled"}, {"queue-send", "error", "is disabled"}, {"queue-properties", "error", "Status of the queue"}}, 0},
		{"ReceiveDisabled", "listen", 1, [][3]string{{"queue-listen", "error", "is disabled"}, {"queue-send", "ok", ""}, {"queue-properties", "error", "Status of the queue"}}, 0},
		{"SendDisabled", "listen", 3, [][3]string{{"queue-listen", "ok", ""}, {"queue-send", "note", "is disabled"}, {"queue-properties", "warning", "Status of the queue"}}, 0},
		{"forwards", "listen", 1, [][3]string{{"queue-listen", "error", "auto-forwarding"}, {"queue-properties", "error", "ForwardTo of the queue"}}, 0},
		{"topic", "listen", 1, [][3]string{{"queue-listen", "error", "received from a topic"}, {"queue-properties", "error", "topic is no queue"}}, 1},
	} {
		t.Run(test.queue, func(t *testing.T) {
			env := l.env("MUSTER_MANAGEMENT="+l.Management, "MUSTER_QUEUE="+test.queue, "MUSTER_QUEUE_RIGHTS="+test.rights)
			findings := examine(t, env, test.code)
			for _, want := range test.wants {
				if !has(findings, want[0], want[1], want[2]) {
					t.Errorf("no finding %q in %+v", want, findings)
				}
			}
			if has(findings, "queue-listen", "error", "not reached") || has(findings, "queue-send", "error", "not reached") {
				t.Errorf("a network is blamed: %+v", findings)
			}
			muster(t, env, "", "queues", "create", test.queue, "--update", "--duplicate-detection", "0").expect(t, test.mended)
			examine(t, env, test.mended)
		})
	}
}

func TestDoctorOfACertificateAndTheClock(t *testing.T) {
	t.Parallel()
	_, certificate := appCertificate(t) // ends in an hour
	tn := newTenant(t, 1, func(o *tenant.Options) { o.Applications[0].Certificates = []string{certificate} })
	o := serveOnline(t, tn, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-7*time.Minute).UTC().Format(http.TimeFormat))
		tn.ServeHTTP(w, r)
	}))
	env := o.env("MUSTER_CREDENTIAL=certificate", "MUSTER_CERTIFICATE_FILE="+writeFile(t, "both.pem", certificate+keyPEM(t)))
	findings := examine(t, env, 1, "--capabilities", "phones")
	if !has(findings, "expiry", "warning", "The certificate in use") || !has(findings, "clock", "error", "7m") {
		t.Errorf("findings %+v", findings)
	}
}

func TestDoctorSaysHowToMendInWords(t *testing.T) {
	t.Parallel()
	o := startOnline(t, 1, nil)
	r := muster(t, o.env(withSecret...), "", "doctor", "--capabilities", "mfa-state", "--tenant", "contoso.example").expect(t, 1)
	for _, want := range []string{"Tenant contoso.example\n", "error    The token lacks Policy.Read.All", "mend: Entra admin centre", "or:   for p in Policy.Read.All", "errors: 1, warnings: 0"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not said:\n%s", want, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, "doctor has found errors: 1") {
		t.Errorf("stderr: %s", r.stderr)
	}
	for _, args := range [][]string{
		{"--capabilities", "everything"}, {"here"}, {"--tenant", "contoso example"}, {"--queue", "commands"}, {"--timeout", "0s"}, {"--queue-rights", "manage"},
	} {
		muster(t, o.env(withSecret...), "", append([]string{"doctor"}, args...)...).expect(t, 2)
	}
	muster(t, []string{"MUSTER_GRAPH=" + o.url}, "", "doctor").expect(t, 2)
}

// A worker says at its start, and when a tenant is paused, what the token lacks.
func TestTheWorkerLooksAtItsToken(t *testing.T) {
	t.Parallel()
	contoso := newTenant(t, 2, nil)
	fabrikam := newTenant(t, 0, func(o *tenant.Options) {
		o.ID, o.Users = "bbbbbbbb-0000-4000-8000-00000000c0de", []tenant.User{{UserPrincipalName: "fay@fabrikam.example"}}
		o.Applications[0].Roles = []string{"User.Read.All"}
	})
	o := serveOnline(t, contoso, tenant.Cloud{contoso, fabrikam})
	l := startLocal(t, "--users", "0")
	queue := []string{"MUSTER_SERVICEBUS=" + l.ServiceBus, "MUSTER_QUEUE=commands"}
	scope := writeFile(t, "scope.yaml", "exclude:\n  - name: administrators\n    admins: true\n")
	w := start(t, append(append(o.env(withSecret...)[:3:3], o.env(withSecret...)[4:]...), queue...), nil, "worker", "--allow", "phones,mfa-state", "--scope", scope)
	w.stderr.waitFor(t, "muster doctor: The token lacks Policy.Read.All, Policy.ReadWrite.AuthenticationMethod, RoleManagement.Read.Directory, for mfa-state, the scope.")
	if strings.Contains(w.stderr.String(), "for phones") {
		t.Errorf("the home tenant lacks nothing for phones:\n%s", w.stderr.String())
	}
	muster(t, queue, "", "publish", "--tenant", "fabrikam.example", "--user", "fay@fabrikam.example", "--mobile", fictional(1)).expect(t, 0)
	w.stderr.waitFor(t, "tenant=fabrikam.example")
	w.stderr.waitFor(t, fmt.Sprintf("muster doctor: The token lacks %s", "UserAuthMethod-Phone.ReadWrite.All"))
	if code := w.stop(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.stderr.String())
	}
}

// A refusal that no permission explains is told of when the tenant is paused.
func TestApplyRunsTheChecksWhenATenantIsPaused(t *testing.T) {
	t.Parallel()
	o := startOnline(t, 1, nil)
	if err := o.Deny(tenant.Denial{Operation: "phoneMethods"}); err != nil {
		t.Fatal(err)
	}
	p := start(t, o.env(append(withSecret, "MUSTER_FIRST_PAUSE=200ms")...), io.Discard, "apply", writeFile(t, "users.csv", rows(1)), "--quiet", "--allow", "phones")
	p.stderr.waitFor(t, "muster doctor: GET /v1.0/users/{id}/authentication/phoneMethods is refused (403), although the token holds a permission for it")
	o.Lift()
	if code := p.wait(); code != 0 || o.mobiles() != 1 {
		t.Errorf("exit code %d, %d numbers:\n%s", code, o.mobiles(), p.stderr.String())
	}
}
