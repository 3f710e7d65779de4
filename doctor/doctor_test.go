package doctor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
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

func TestJudgements(t *testing.T) {
	end := func(d time.Duration) *time.Time { e := now.Add(d); return &e }
	const day = 24 * time.Hour
	phones, report := lacking("phones", "A.Write", false), lacking("report", "B.Read", true)
	delegated := appOnly("A.Write")
	delegated.Delegated = true
	for _, tt := range []struct {
		name     string
		findings []doctor.Finding
		worst    doctor.Severity
		says     []string
	}{
		{"token", doctor.JudgeToken(appOnly("A"), nil, now), doctor.OK, []string{appID, "app-only", "1h0m0s"}},
		{"opaque token", doctor.JudgeToken(graphclient.Access{}, nil, now), doctor.Note, []string{"can't be read"}},
		{"delegated token", doctor.JudgeToken(delegated, nil, now), doctor.Warning, []string{"a person's"}},
		{"wrong secret", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS7000215"), now), doctor.Error, []string{"AADSTS7000215", "credential reset"}},
		{"no consent", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS65001"), now), doctor.Error, []string{"admin-consent"}},
		{"unknown certificate", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700027"), now), doctor.Error, []string{"--cert"}},
		{"unknown application", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700016"), now), doctor.Error, []string{"az ad sp create"}},
		{"disabled application", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS7000112"), now), doctor.Error, []string{"accountEnabled"}},
		{"foreign subject", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, "AADSTS700213"), now), doctor.Error, []string{"Federated credentials"}},
		{"nothing found", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindUnauthorized, ""), now), doctor.Error, []string{"az login"}},
		{"no token service", doctor.JudgeToken(graphclient.Access{}, refusal(graphclient.KindTransient, ""), now), doctor.Error, []string{"network"}},
		{"another error", doctor.JudgeToken(graphclient.Access{}, errors.New("odd"), now), doctor.Error, []string{"odd"}},

		{"all granted", doctor.JudgePermissions(appOnly("A.Write", "B.Read"), []doctor.Need{phones, report}, false), doctor.OK, []string{"what phones needs", "what report needs"}},
		{"one missing", doctor.JudgePermissions(appOnly("B.Read"), []doctor.Need{phones, report}, false), doctor.Error, []string{"lacks A.Write, for phones", "=Role", "Grant admin consent"}},
		{"one of the report's missing", doctor.JudgePermissions(appOnly("A.Write"), []doctor.Need{phones, report}, false), doctor.Warning, []string{"lacks B.Read, for report"}},
		{"none at all", doctor.JudgePermissions(appOnly(), []doctor.Need{phones}, false), doctor.Error, []string{"no permission", "consented"}},
		{"of a managed identity", doctor.JudgePermissions(appOnly("X"), []doctor.Need{phones}, true), doctor.Error, []string{"appRoleAssignments", "A.Write"}},
		{"delegated", doctor.JudgePermissions(delegated, []doctor.Need{report}, false), doctor.Warning, []string{"oauth2PermissionScopes", "=Scope"}},
		{"opaque token's", doctor.JudgePermissions(graphclient.Access{}, []doctor.Need{phones}, false), doctor.OK, nil},

		{"good for a year", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(365*day), now)}, doctor.OK, []string{"2027-03-02", "365 days"}},
		{"good for a month", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(29*day), now)}, doctor.Note, []string{"29 days"}},
		{"good for a week", []doctor.Finding{doctor.JudgeExpiry("It", now.Add(7*day), now)}, doctor.Warning, []string{"7 days", "paused"}},
		{"expired", []doctor.Finding{doctor.JudgeExpiry("It", now, now)}, doctor.Error, []string{"expired on 2026-03-02"}},
		{"an old secret beside a good one", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{End: end(-day)}, {End: end(90 * day)}}}, now), doctor.Note, []string{"The last of the application's 2 client secrets", "1 of the application's 2 client secrets are expired"}},
		{"all secrets expired", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{End: end(-day)}, {End: end(-2 * day)}}}, now), doctor.Error, []string{"expired on 2026-03-01"}},
		{"certificate", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Certificates: []graphclient.ApplicationCredential{{End: end(10 * day)}}}, now), doctor.Warning, []string{"The application's certificate", "10 days"}},
		{"secret without an end", doctor.JudgeCredentials(graphclient.ApplicationCredentials{Secrets: []graphclient.ApplicationCredential{{}}}, now), doctor.OK, nil},
		{"application not to be read", []doctor.Finding{doctor.JudgeCredentialsUnread(refusal(graphclient.KindForbidden, ""))}, doctor.Note, []string{"Application.Read.All"}},
		{"application of elsewhere", []doctor.Finding{doctor.JudgeCredentialsUnread(refusal(graphclient.KindNotFound, ""))}, doctor.Note, []string{"another tenant"}},

		{"clock", []doctor.Finding{doctor.JudgeClock(now, now.Add(time.Second))}, doctor.OK, []string{"agrees"}},
		{"clock behind", []doctor.Finding{doctor.JudgeClock(now, now.Add(30*time.Second))}, doctor.OK, []string{"30s behind"}},
		{"clock ahead", []doctor.Finding{doctor.JudgeClock(now, now.Add(-2*time.Minute))}, doctor.Warning, []string{"2m0s ahead"}},
		{"clock wrong", []doctor.Finding{doctor.JudgeClock(now, now.Add(-5*time.Minute))}, doctor.Error, []string{"refused"}},

		{"queue", []doctor.Finding{doctor.JudgeListen("q", doctor.Reached, nil), doctor.JudgeSend("q", doctor.Reached, nil)}, doctor.OK, []string{"received from", "sent to"}},
		{"no queue", []doctor.Finding{doctor.JudgeListen("q", doctor.QueueMissing, nil)}, doctor.Error, []string{"no queue q", "az servicebus queue create"}},
		{"no right to listen", []doctor.Finding{doctor.JudgeListen("q", doctor.QueueForbidden, nil)}, doctor.Error, []string{"Listen", "Azure Service Bus Data Receiver"}},
		{"no right to send", []doctor.Finding{doctor.JudgeSend("q", doctor.QueueForbidden, nil)}, doctor.Note, []string{"Send", "Azure Service Bus Data Sender", "does well without"}},
		{"no service bus", []doctor.Finding{doctor.JudgeListen("q", doctor.Unreachable, errors.New("refused"))}, doctor.Error, []string{"not reached: refused.", "5671"}},

		{"call", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "graph", false, nil)}, doctor.OK, []string{"GET /v1.0/x"}},
		{"call without permission", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "graph", false, refusal(graphclient.KindForbidden, ""))}, doctor.Error, []string{"permission P is missing"}},
		{"optional call without permission", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "graph", true, refusal(graphclient.KindForbidden, ""))}, doctor.Warning, nil},
		{"call without licence", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "licence", true, refusal(graphclient.KindLicence, ""))}, doctor.Warning, []string{"Microsoft Entra ID P1"}},
		{"token for another", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "graph", false, refusal(graphclient.KindUnauthorized, ""))}, doctor.Error, []string{"another API or cloud"}},
		{"no beta", []doctor.Finding{doctor.JudgeCall("/x", graphclient.Beta, "P", "graph", false, refusal(graphclient.KindInvalid, ""))}, doctor.Error, []string{"beta version"}},
		{"no Graph", []doctor.Finding{doctor.JudgeCall("/x", graphclient.Beta, "P", "graph", false, refusal(graphclient.KindTransient, ""))}, doctor.Error, []string{"proxy"}},
		{"odd call", []doctor.Finding{doctor.JudgeCall("/x", graphclient.V1, "P", "graph", false, errors.New("odd"))}, doctor.Error, []string{"odd"}},
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
				if f.Check == "" || f.What == "" || (f.Severity == doctor.Error || f.Severity == doctor.Warning) && f.Why == "" && !strings.Contains(f.What, "odd") {
					t.Errorf("a finding is not explained: %+v", f)
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
	if got := find(findings, doctor.CheckGraph); len(got) != 5 || doctor.Worst(got) != doctor.OK {
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
	if got := find(denied, doctor.CheckGraph); doctor.Count(got, doctor.Error) != 1 || doctor.Count(got, doctor.OK) != 4 {
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
		o.Tenants, o.Queue, o.CertificateEnd = nil, "q", time.Now().Add(time.Hour)
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
		findings := doctor.CheckGraphCalls(t.Context(), client.Directory("contoso.example"), []doctor.Need{lacking(doctor.CapabilityReport, "B", true)})
		if got := find(findings, doctor.CheckLicence); len(got) != 1 || got[0].Severity != worst || strings.Contains(got[0].What, "licence") != strings.Contains(code, "NonPremium") {
			t.Errorf("%q: %+v", code, got)
		}
		client.Close()
		server.Close()
	}
}
