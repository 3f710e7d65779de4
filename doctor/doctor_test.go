package doctor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

const appID = "11111111-2222-4333-8444-555555555555"

func appOnly(permissions ...string) graphclient.Access {
	return graphclient.Access{Tenant: "t", Application: appID, Permissions: permissions, Expires: now.Add(time.Hour)}
}

func person(permissions ...string) graphclient.Access {
	a := appOnly(permissions...)
	a.Delegated = true
	return a
}

// untrusted is an error about a certificate that nobody vouches for.
type untrusted struct{}

func (untrusted) Error() string { return "not trusted" }
func (untrusted) Untrusted()    {}

// lacking is a need of one permission.
func lacking(capability, permission string, optional bool) doctor.Need {
	return doctor.Need{Capability: capability, Optional: optional, Missing: func(granted []string) []string {
		if slices.Contains(granted, permission) {
			return nil
		}
		return []string{permission}
	}}
}

// refusal is an error as graphclient returns it.
func refusal(kind graphclient.Kind, code string) error {
	return &graphclient.Error{Op: "read", Kind: kind, Code: code}
}

// callX is a call that takes the permission P.
func callX(v graphclient.Version, check string, optional bool) doctor.Call {
	return doctor.Call{Path: "/x", Version: v, Check: check, Accepted: []string{"P", "More.P"}, Optional: optional}
}

// unknown is whom a token that can't be read was issued to.
var unknown = doctor.Grantee{}

func TestJudgements(t *testing.T) {
	end := func(d time.Duration) *time.Time { e := now.Add(d); return &e }
	const day = 24 * time.Hour
	queue := doctor.Queue{Name: "q", Rights: []string{doctor.RightListen}}
	phones, report := lacking("phones", "A.Write", false), lacking("report", "B.Read", true)
	delegated := person("A.Write")
	for _, tt := range []struct {
		name     string
		findings []doctor.Finding
		worst    doctor.Severity
		says     []string
	}{
		{"token", doctor.JudgeToken(appOnly("A"), nil, "client-secret", now), doctor.OK, []string{appID, "app-only", "1h0m0s"}},
		{"opaque token", doctor.JudgeToken(graphclient.Access{}, nil, "client-secret", now), doctor.Note, []string{"can't be read"}},
		{"delegated token", doctor.JudgeToken(delegated, nil, "client-secret", now), doctor.Warning, []string{"a person's"}},
		{"wrong secret", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS7000215"), "client-secret", now), doctor.Error, []string{"AADSTS7000215", "credential reset"}},
		{"no consent", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS65001"), "client-secret", now), doctor.Error, []string{"admin-consent"}},
		{"unknown certificate", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700027"), "client-secret", now), doctor.Error, []string{"--cert"}},
		{"unknown application", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700016"), "client-secret", now), doctor.Error, []string{"az ad sp create"}},
		{"disabled application", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS7000112"), "client-secret", now), doctor.Error, []string{"accountEnabled"}},
		{"foreign subject", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700213"), "client-secret", now), doctor.Error, []string{"Federated credentials"}},
		{"nothing found", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, ""), "default", now), doctor.Error, []string{"az login"}},
		{"no token service", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindTransient, ""), "client-secret", now), doctor.Error, []string{"network"}},
		{"unknown tenant", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS90002"), "client-secret", now), doctor.Error, []string{"Tenant ID", "--cloud"}},
		{"foreign API", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS500011"), "client-secret", now), doctor.Error, []string{"--graph, --cloud and --authority"}},
		{"expired certificate", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS1000502"), "certificate", now), doctor.Error, []string{"--cert"}},
		{"no public client", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS7000218"), "device-code", now), doctor.Error, []string{"Allow public client flows"}},
		{"code of which nothing is known", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS123"), "certificate", now), doctor.Error, []string{"error?code=123"}},
		{"no token file", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, ""), "workload-identity", now), doctor.Error, []string{"azure.workload.identity/use"}},
		{"no managed identity", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, ""), "managed-identity", now), doctor.Error, []string{"Only a machine of Azure"}},
		{"no time left", doctor.JudgeToken(graphclient.Access{}, context.DeadlineExceeded, "device-code", now), doctor.Error, []string{"within --timeout"}},
		{"certificate of nobody", doctor.JudgeToken(graphclient.Access{}, untrusted{}, "client-secret", now), doctor.Error, []string{"--ca-file authority.pem"}},
		{"no credential", []doctor.Finding{doctor.JudgeCredential(errors.New("the password is wrong"), "certificate")}, doctor.Error, []string{"the password is wrong.", "RSA"}},
		{"another error", doctor.JudgeToken(graphclient.Access{}, errors.New("odd"), "client-secret", now), doctor.Error, []string{"odd"}},

		{"all granted", doctor.JudgePermissions(doctor.Grantee{Access: appOnly("A.Write", "B.Read"), Managed: false}, []doctor.Need{phones, report}), doctor.OK, []string{"what phones needs", "what report needs"}},
		{"one missing", doctor.JudgePermissions(doctor.Grantee{Access: appOnly("B.Read"), Managed: false}, []doctor.Need{phones, report}), doctor.Error, []string{"lacks A.Write, for phones", "=Role", "Grant admin consent"}},
		{"one of the report's missing", doctor.JudgePermissions(doctor.Grantee{Access: appOnly("A.Write"), Managed: false}, []doctor.Need{phones, report}), doctor.Warning, []string{"lacks B.Read, for report"}},
		{"none at all", doctor.JudgePermissions(doctor.Grantee{Access: appOnly(), Managed: false}, []doctor.Need{phones}), doctor.Error, []string{"no permission", "consented"}},
		{"of a managed identity", doctor.JudgePermissions(doctor.Grantee{Access: appOnly("X"), Managed: true}, []doctor.Need{phones}), doctor.Error, []string{"appRoleAssignments", "A.Write"}},
		{"delegated", doctor.JudgePermissions(doctor.Grantee{Access: delegated, Managed: false}, []doctor.Need{report}), doctor.Warning, []string{"oauth2PermissionScopes", "=Scope"}},
		{"opaque token's", doctor.JudgePermissions(doctor.Grantee{Access: graphclient.Access{}, Managed: false}, []doctor.Need{phones}), doctor.OK, nil},

		{"good for a year", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(365*day), now, "renew")}, doctor.OK, []string{"2027-03-02", "365 days"}},
		{"good for a month", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(29*day), now, "renew")}, doctor.Note, []string{"29 days"}},
		{"good for a week", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(7*day), now, "renew")}, doctor.Warning, []string{"7 days", "paused"}},
		{"good for an hour", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(time.Hour), now, "renew")}, doctor.Warning, []string{"less than two hours"}},
		{"expired", []doctor.Finding{doctor.JudgeExpiry("It", now, now, "renew")}, doctor.Error, []string{"expired on 2026-03-02"}},
		{"an old secret beside a good one", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{End: end(-day)}, {End: end(90 * day)}}}, "default", now), doctor.Note, []string{"The last of the application's 2 client secrets", "1 of the application's 2 client secrets are expired"}},
		{"all secrets expired", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{End: end(-day)}, {End: end(-2 * day)}}}, "default", now), doctor.Error, []string{"expired on 2026-03-01"}},
		{"certificate", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Certificates: []graphclient.ApplicationCredential{{End: end(10 * day)}}}, "default", now), doctor.Warning, []string{"The application's certificate", "10 days"}},
		{"expired certificate beside a secret in use", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Certificates: []graphclient.ApplicationCredential{{End: end(-day)}}}, "client-secret", now), doctor.Note, []string{"expired on", "Another kind"}},
		{"secret in use that ends", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{End: end(day)}}}, "client-secret", now), doctor.Warning, []string{"for 24 hours", "--years 1"}},
		{"secret without an end", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{}}}, "default", now), doctor.OK, nil},
		{"application not to be read", []doctor.Finding{doctor.JudgeCredentialsUnread(unknown, refusal(graphclient.KindForbidden, ""))}, doctor.Note, []string{"Application.Read.All"}},
		{"application of elsewhere", []doctor.Finding{doctor.JudgeCredentialsUnread(unknown, refusal(graphclient.KindNotFound, ""))}, doctor.Note, []string{"another tenant"}},

		{"clock", []doctor.Finding{doctor.JudgeClock(now, now.Add(time.Second))}, doctor.OK, []string{"agrees"}},
		{"clock behind", []doctor.Finding{doctor.JudgeClock(now, now.Add(30*time.Second))}, doctor.OK, []string{"30s behind"}},
		{"clock ahead", []doctor.Finding{doctor.JudgeClock(now, now.Add(-2*time.Minute))}, doctor.Warning, []string{"2m0s ahead"}},
		{"clock wrong", []doctor.Finding{doctor.JudgeClock(now, now.Add(-5*time.Minute))}, doctor.Error, []string{"refused"}},

		{"queue", []doctor.Finding{doctor.JudgeListen(queue, doctor.Reached, nil), doctor.JudgeSend(queue, doctor.Reached, nil)}, doctor.OK, []string{"received from", "sent to"}},
		{"no queue", []doctor.Finding{doctor.JudgeListen(queue, doctor.QueueMissing, nil)}, doctor.Error, []string{"no queue q", "az servicebus queue create"}},
		{"no right to listen", []doctor.Finding{doctor.JudgeListen(queue, doctor.QueueForbidden, nil)}, doctor.Error, []string{"Listen", "Azure Service Bus Data Receiver"}},
		{"no right to send", []doctor.Finding{doctor.JudgeSend(queue, doctor.QueueForbidden, nil)}, doctor.Note, []string{"Send", "Azure Service Bus Data Sender", "does well without"}},
		{"no right to send, which is needed", []doctor.Finding{doctor.JudgeSend(doctor.Queue{Name: "q", Rights: []string{doctor.RightSend}}, doctor.QueueForbidden, nil)}, doctor.Error, []string{"Azure Service Bus Data Sender"}},
		{"no right to listen, which is not needed", []doctor.Finding{doctor.JudgeListen(doctor.Queue{Name: "q", Rights: []string{doctor.RightSend}}, doctor.QueueForbidden, nil)}, doctor.Note, []string{"do well without"}},
		{"key without the right", []doctor.Finding{doctor.JudgeListen(doctor.Queue{Name: "q", Key: true, Rights: queue.Rights}, doctor.QueueForbidden, nil)}, doctor.Error, []string{"or the key is wrong", "authorization-rule create", "--rights Listen"}},
		{"no namespace", []doctor.Finding{doctor.JudgeNamespace(errors.New("no such file"))}, doctor.Error, []string{"no such file."}},
		{"a disabled queue", []doctor.Finding{doctor.JudgeListen(queue, doctor.QueueDisabled, nil)}, doctor.Error, []string{"The queue q is disabled", "--update (or az", "--status Active"}},
		{"a disabled queue, to send to", []doctor.Finding{doctor.JudgeSend(queue, doctor.QueueDisabled, nil)}, doctor.Note, []string{"can't be sent to", "does well without"}},
		{"a queue that forwards", []doctor.Finding{doctor.JudgeListen(queue, doctor.QueueRefused, errors.New("it forwards"))}, doctor.Error, []string{"received from: it forwards.", "--forward-to"}},
		{"no service bus", []doctor.Finding{doctor.JudgeListen(queue, doctor.Unreachable, errors.New("refused"))}, doctor.Error, []string{"not reached: refused.", "5671"}},

		{"call", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), unknown, nil)}, doctor.OK, []string{"GET /v1.0/x"}},
		{"call without permission", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), unknown, refusal(graphclient.KindForbidden, ""))}, doctor.Error, []string{"permission P is missing"}},
		{"call refused although permitted", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), doctor.Grantee{Access: appOnly("More.P")}, refusal(graphclient.KindForbidden, ""))}, doctor.Error, []string{"although the token holds", "appRoleAssignments"}},
		{"call refused to a person", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), doctor.Grantee{Access: person("P")}, refusal(graphclient.KindForbidden, ""))}, doctor.Error, []string{"Add assignments", "roleAssignments"}},
		{"call of a managed identity", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), doctor.Grantee{Access: appOnly("X"), Managed: true}, refusal(graphclient.KindForbidden, ""))}, doctor.Error, []string{"is missing", "appRoleAssignments", "no portal does it"}},
		{"optional call without permission", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", true), unknown, refusal(graphclient.KindForbidden, ""))}, doctor.Warning, nil},
		{"call without licence", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "licence", true), unknown, refusal(graphclient.KindLicence, ""))}, doctor.Warning, []string{"Microsoft Entra ID P1"}},
		{"token for another", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), unknown, refusal(graphclient.KindUnauthorized, ""))}, doctor.Error, []string{"another API or cloud"}},
		{"no beta", []doctor.Finding{doctor.JudgeCall(callX(graphclient.Beta, "graph", false), unknown, refusal(graphclient.KindInvalid, ""))}, doctor.Error, []string{"beta version"}},
		{"no Graph", []doctor.Finding{doctor.JudgeCall(callX(graphclient.Beta, "graph", false), unknown, refusal(graphclient.KindTransient, ""))}, doctor.Error, []string{"proxy"}},
		{"odd call", []doctor.Finding{doctor.JudgeCall(callX(graphclient.V1, "graph", false), unknown, errors.New("odd"))}, doctor.Error, []string{"odd"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := doctor.Worst(tt.findings); got != tt.worst {
				t.Errorf("worst = %s, want %s: %+v", got, tt.worst, tt.findings)
			}
			text, err := json.Marshal(tt.findings)
			if err != nil {
				t.Fatal(err)
			}
			for _, says := range tt.says {
				if !strings.Contains(string(text), says) {
					t.Errorf("%q is not said: %s", says, text)
				}
			}
			for _, f := range tt.findings {
				if f.Check == "" || f.What == "" || (f.Severity == doctor.Error || f.Severity == doctor.Warning) && (f.Why == "" || f.Command == "") {
					t.Errorf("a finding says neither why nor how to mend it: %+v", f)
				}
			}
		})
	}
}

// credential hands out a token that says what it is told to.
type credential struct {
	claims map[string]any
	err    error
}

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	body, err := json.Marshal(c.claims)
	return azcore.AccessToken{
		Token: "e30." + base64.RawURLEncoding.EncodeToString(body) + ".x", ExpiresOn: time.Now().Add(time.Hour),
	}, errors.Join(err, c.err)
}

// check looks at a tenant through a token that it does not check itself.
func check(t *testing.T, o tenant.Options, claims map[string]any, change func(*doctor.Options)) []doctor.Finding {
	t.Helper()
	o.Faults, o.Quota = tenant.FaultsNone, tenant.QuotaUnlimited
	tn, err := tenant.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tn)
	defer server.Close()
	client, err := graphclient.New(graphclient.Options{Endpoint: server.URL, Credential: credential{claims: claims}, MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	opts := doctor.Options{
		Graph: client, Tenants: []string{"contoso.example"}, Tokens: true,
		Needs: []doctor.Need{lacking("phones", "A.Write", false), lacking("mfa-state", "A.Write", false), lacking("default-method", "A.Write", false)},
		Now:   time.Now,
	}
	if change != nil {
		change(&opts)
	}
	return doctor.Check(t.Context(), opts)
}

var claims = map[string]any{"tid": "t", "appid": appID, "roles": []string{"A.Write"}, "iat": 1, "exp": 2_000_000_000}

// find returns the findings of a check.
func find(findings []doctor.Finding, check string) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f doctor.Finding) bool { return f.Check != check })
}

func TestCheckReadsWhatTheCapabilitiesNeed(t *testing.T) {
	users := []tenant.User{{UserPrincipalName: "ada@contoso.example"}}
	findings := check(t, tenant.Options{Users: users}, claims, nil)
	if got := find(findings, doctor.CheckGraph); len(got) != 6 || doctor.Worst(got) != doctor.OK {
		t.Errorf("graph: %+v", got)
	}
	// Neither the users nor who they are is told.
	text, _ := json.Marshal(findings)
	if strings.Contains(string(text), "ada") || strings.Contains(string(text), tenant.UserID("ada@contoso.example")) {
		t.Errorf("a user is named: %s", text)
	}
	for _, f := range findings {
		if f.Tenant != "contoso.example" {
			t.Errorf("no tenant: %+v", f)
		}
	}
	denied := check(t, tenant.Options{Users: users, Deny: []tenant.Denial{{Operation: "requirements"}}}, claims, nil)
	if got := find(denied, doctor.CheckGraph); doctor.Count(got, doctor.Error) != 1 || doctor.Count(got, doctor.OK) != 5 {
		t.Errorf("denied: %+v", got)
	}
	few := check(t, tenant.Options{Users: users}, claims, func(o *doctor.Options) { o.Needs = o.Needs[:1] })
	if got := find(few, doctor.CheckGraph); len(got) != 2 {
		t.Errorf("phones only: %+v", got)
	}
	empty := check(t, tenant.Options{}, claims, nil)
	if got := find(empty, doctor.CheckGraph); len(got) != 2 || doctor.Worst(got) != doctor.Note {
		t.Errorf("no user: %+v", got)
	}
	unread := check(t, tenant.Options{Users: users, Deny: []tenant.Denial{{Operation: "users.list"}}}, claims, nil)
	if got := find(unread, doctor.CheckGraph); len(got) != 1 || doctor.Worst(got) != doctor.Error {
		t.Errorf("users refused: %+v", got)
	}
}

// Each capability reads what it needs, and no other.
func TestEveryCapabilityIsProbed(t *testing.T) {
	want := map[string][]string{
		doctor.CapabilityScopeGroups: nil, doctor.CapabilityScopeAdmins: {"directoryRole"},
		doctor.CapabilityUserShow:    {"phoneMethods", "requirements", "signInPreferences", "microsoftAuthenticatorMethods", "authentication/methods"},
		doctor.CapabilityUserHistory: {"directoryAudits"}, doctor.CapabilityReport: {"requirements", "userRegistrationDetails"},
		doctor.CapabilityReportDetails: {"signInPreferences", "authentication/methods"}, doctor.CapabilityReportPhones: {"phoneMethods"},
		doctor.CapabilityReportSignIns: {"signIns"},
	}
	users := []tenant.User{{UserPrincipalName: "ada@contoso.example"}}
	for _, need := range doctor.FurtherNeeds() {
		paths, known := want[need.Capability]
		findings := check(t, tenant.Options{Users: users}, claims, func(o *doctor.Options) { o.Needs = []doctor.Need{need} })
		calls := slices.DeleteFunc(findings, func(f doctor.Finding) bool { return f.Check != doctor.CheckGraph && f.Check != doctor.CheckLicence })
		if !known || len(calls) != len(paths)+1 || doctor.Worst(calls) != doctor.OK {
			t.Errorf("%s: %+v", need.Capability, calls)
			continue
		}
		for i, path := range paths {
			if !strings.Contains(calls[i+1].What, path) {
				t.Errorf("%s: call %d is %s", need.Capability, i, calls[i+1].What)
			}
		}
		if missing := need.Missing(nil); len(missing) < 2 || missing[0] != "User.Read.All" {
			t.Errorf("%s needs %v", need.Capability, missing)
		}
	}
}

// A permission that is missing is one error, not one more for each call.
func TestAMissingPermissionCountsOnce(t *testing.T) {
	lacks := tenant.Options{Users: []tenant.User{{UserPrincipalName: "ada@contoso.example"}}, Deny: []tenant.Denial{{Operation: "phoneMethods"}}}
	findings := check(t, lacks, claims, func(o *doctor.Options) {
		o.Needs = []doctor.Need{lacking("phones", "UserAuthMethod-Phone.ReadWrite.All", false)}
	})
	if doctor.Count(findings, doctor.Error) != 1 || !slices.ContainsFunc(findings, func(f doctor.Finding) bool {
		return f.Severity == doctor.Note && strings.Contains(f.What, "phoneMethods is refused (403)")
	}) {
		t.Errorf("findings %+v", findings)
	}
}

// Without a credential, what needs none is looked at all the same.
func TestCheckWithoutACredential(t *testing.T) {
	findings := check(t, tenant.Options{}, claims, func(o *doctor.Options) {
		o.Graph, o.Credential, o.CredentialError = nil, "certificate", errors.New("read certificate: no such file")
		o.QueueError = errors.New("no such file")
	})
	if len(findings) != 2 || findings[0].Check != doctor.CheckCredential || findings[1].Check != doctor.CheckQueueListen || doctor.Count(findings, doctor.Error) != 2 {
		t.Errorf("findings %+v", findings)
	}
}

// The lines that grant permissions are typed into a shell: this is what it makes
// of them.
func TestGrantingLinesInAShell(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in *'ad sp show'*value==*) echo role;; *'ad sp show'*) echo principal;; *) printf '<%s>' \"$@\"; echo;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		grantee doctor.Grantee
		want    string
	}{
		{doctor.Grantee{Access: appOnly("X")}, "<ad><app><permission><add><--id><" + appID + "><--api><00000003-0000-0000-c000-000000000000><--api-permissions><role=Role>\n<ad><app><permission><admin-consent><--id><" + appID + ">\n"},
		{doctor.Grantee{Access: person("X")}, "<ad><app><permission><add><--id><" + appID + "><--api><00000003-0000-0000-c000-000000000000><--api-permissions><role=Scope>\n<ad><app><permission><admin-consent><--id><" + appID + ">\n"},
		{doctor.Grantee{Access: appOnly("X"), Managed: true}, "<rest><--method><POST><--url><https://graph.microsoft.com/v1.0/servicePrincipals(appId='" + appID + "')/appRoleAssignments><--body><{\"principalId\":\"principal\",\"resourceId\":\"principal\",\"appRoleId\":\"role\"}>\n"},
	} {
		line := doctor.JudgePermissions(tt.grantee, []doctor.Need{lacking("phones", "A.Write", false)})[0].Command
		shell := exec.CommandContext(t.Context(), "sh", "-c", line)
		shell.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		out, err := shell.CombinedOutput()
		if err != nil || string(out) != tt.want {
			t.Errorf("%s\nruns %s, %v", line, out, err)
		}
	}
}

func TestCheckWithoutATokenEndsThere(t *testing.T) {
	findings := check(t, tenant.Options{}, claims, func(o *doctor.Options) {
		client, err := graphclient.New(graphclient.Options{Endpoint: "http://127.0.0.1:1", Credential: credential{err: errors.New("AADSTS7000215: wrong")}})
		if err != nil {
			t.Fatal(err)
		}
		o.Graph, o.Application = client, appID
	})
	if len(findings) != 1 || findings[0].Check != doctor.CheckToken || findings[0].Severity != doctor.Error {
		t.Errorf("findings = %+v", findings)
	}
}

func TestCheckOfQueueClockAndCertificate(t *testing.T) {
	sent := false
	findings := check(t, tenant.Options{}, claims, func(o *doctor.Options) {
		o.Tenants, o.Queue, o.CertificateEnd = nil, doctor.Queue{Name: "q"}, time.Now().Add(time.Hour)
		o.Listen = func(context.Context) (doctor.Reach, error) { return doctor.QueueMissing, nil }
		o.Send = func(context.Context) (doctor.Reach, error) { sent = true; return doctor.QueueMissing, nil }
		o.Clock = func(context.Context) (time.Time, error) { return time.Time{}, errors.New("no date") }
	})
	if len(findings) != 3 || sent || doctor.Count(findings, doctor.Error) != 1 || doctor.Count(findings, doctor.Warning) != 1 || doctor.Count(findings, doctor.Note) != 1 {
		t.Errorf("findings = %+v", findings)
	}
	ok := check(t, tenant.Options{}, claims, func(o *doctor.Options) {
		o.Tenants = nil
		o.Clock = func(context.Context) (time.Time, error) { return time.Now(), nil }
	})
	if len(ok) != 1 || ok[0].Severity != doctor.OK {
		t.Errorf("findings = %+v", ok)
	}
}

// A tenant without the licence says so of the registration report alone.
func TestCheckTellsALicenceFromAPermission(t *testing.T) {
	for code, worst := range map[string]doctor.Severity{
		"Authentication_RequestFromNonPremiumTenantOrB2CTenant": doctor.Warning, "Authentication_MSGraphPermissionMissing": doctor.Warning, "": doctor.OK,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.URL.Path != "/v1.0/$batch":
				w.Write([]byte(`{"value":[{"id":"` + tenant.UserID("x") + `"}]}`))
			case code == "":
				w.Write([]byte(`{"responses":[{"id":"1","status":200,"body":{"value":[]}}]}`))
			default:
				w.Write([]byte(`{"responses":[{"id":"1","status":403,"body":{"error":{"code":"` + code + `","message":"no"}}}]}`))
			}
		}))
		client, err := graphclient.New(graphclient.Options{Endpoint: server.URL, Credential: credential{claims: claims}})
		if err != nil {
			t.Fatal(err)
		}
		findings := doctor.CheckGraphCalls(t.Context(), client.Directory("contoso.example"), doctor.Grantee{}, []doctor.Need{lacking(doctor.CapabilityReport, "B", true)}, now)
		if got := find(findings, doctor.CheckLicence); len(got) != 1 || got[0].Severity != worst || strings.Contains(got[0].What, "licence") != strings.Contains(code, "NonPremium") {
			t.Errorf("%q: %+v", code, got)
		}
		client.Close()
		server.Close()
	}
}
