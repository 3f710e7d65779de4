package tenant_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
	alternateID = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	officeID    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	appID       = "0c1f6a6e-3e0b-4c7e-8f39-6f3a4a0c1a01"
	passwordID  = "28c10230-6103-485e-b985-444c60001490"

	ada = "ada@contoso.example"
	bob = "bob@contoso.example"
)

// start is when the clocks of tests begin.
var start = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// clock is a clock that a test moves.
type clock struct{ now time.Time }

func newClock() *clock                   { return &clock{now: start} }
func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// calm are options without quotas, faults and lag.
func calm(users ...tenant.User) tenant.Options {
	return tenant.Options{Users: users, Quota: tenant.QuotaUnlimited, Faults: tenant.FaultsNone}
}

func newTenant(t testing.TB, o tenant.Options) *tenant.Tenant {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	tn, err := tenant.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return tn
}

// answer is a reply as a client sees it.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// code and message are those of an error reply.
func (a answer) code() string    { return a.errorText("code") }
func (a answer) message() string { return a.errorText("message") }

func (a answer) errorText(member string) string {
	e, _ := a.body["error"].(map[string]any)
	s, _ := e[member].(string)
	return s
}

// values returns the members of a listing.
func (a answer) values() []map[string]any {
	var values []map[string]any
	list, _ := a.body["value"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		values = append(values, m)
	}
	return values
}

// call sends one request in the process. Headers are given as name, value.
func call(t testing.TB, h http.Handler, method, target, body string, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, "http://graph.example"+target, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		decoder := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		if err := decoder.Decode(&a.body); err != nil {
			t.Fatalf("%s %s: body is not JSON: %v\n%s", method, target, err, a.raw)
		}
	}
	return a
}

// only returns the one user that the directory holds, without its identity.
func only(t testing.TB, tn *tenant.Tenant) tenant.User {
	t.Helper()
	users := tn.Snapshot()
	if len(users) != 1 {
		t.Fatalf("directory holds %d users, want 1", len(users))
	}
	return users[0]
}

// phonesOf is the path of a user's phone methods.
func phonesOf(user string) string { return "/v1.0/users/" + user + "/authentication/phoneMethods" }

func phoneJSON(kind, number string) string {
	b, _ := json.Marshal(map[string]string{"phoneType": kind, "phoneNumber": number})
	return string(b)
}

var oneAuthenticator = []tenant.Authenticator{{ID: appID, DisplayName: "Ada's phone"}}
