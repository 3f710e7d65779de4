package graphclient_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/tenant"
)

// TestAgainstTheLocalTenant makes every call, for many users at once, against a
// tenant over HTTP that misbehaves as it does by default.
func TestAgainstTheLocalTenant(t *testing.T) {
	sim, users := newTenant(t, 24, tenant.FaultsDefault)
	server := httptest.NewServer(sim)
	defer server.Close()
	c, err := graphclient.New(graphclient.Options{Endpoint: server.URL, MaxTries: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rehearse(t, c.Directory("contoso.example"), sim, users)
	if c.Stats().Requests < int64(len(users))*14 {
		t.Errorf("stats = %+v", c.Stats())
	}
}

// TestAgainstAHarshTenant does the same with faults in one request of six, in
// memory and on synctest's clock.
func TestAgainstAHarshTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, users := newTenant(t, 60, tenant.FaultsHarsh)
		l := &limiter{}
		c := clientOn(t, handlerTransport{sim}, func(o *graphclient.Options) {
			o.Endpoint, o.Limiter, o.MaxTries = "http://localhost", l, 10
		})
		rehearse(t, c.Directory("contoso.example"), sim, users)
		s := sim.Stats()
		if s.Faults["lostReply"] == 0 || s.Faults["resetBefore"] == 0 || s.Faults["stale"] == 0 || len(l.halts) == 0 {
			t.Errorf("the tenant was too kind: %+v", s)
		}
	})
}

// newTenant returns a tenant of n invented users, each with an Authenticator
// that is the default method, and what it must hold in the end.
func newTenant(t *testing.T, n int, f tenant.Faults) (*tenant.Tenant, []tenant.User) {
	t.Helper()
	users := make([]tenant.User, n)
	for i := range users {
		upn := fmt.Sprintf("u%d@contoso.example", i)
		if i%5 == 0 {
			upn = fmt.Sprintf("o'u%d_other.example#EXT#@contoso.example", i)
		}
		users[i] = tenant.User{
			ID: tenant.UserID(upn), UserPrincipalName: upn, SMSSignInAllowed: true, DefaultMethod: "push",
			Authenticator: []tenant.Authenticator{{ID: tenant.UserID("app" + upn), DisplayName: "Pixel"}},
		}
	}
	sim, err := tenant.New(tenant.Options{Users: users, Faults: f, Quota: tenant.QuotaUnlimited, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return sim, users
}

// rehearse takes every user from nothing to a full set, eight at a time, and
// compares what the tenant holds.
func rehearse(t *testing.T, d *graphclient.Directory, sim *tenant.Tenant, users []tenant.User) {
	t.Helper()
	var all sync.WaitGroup
	work := make(chan int)
	for range 8 {
		all.Go(func() {
			for i := range work {
				if err := everything(t.Context(), d, users[i].UserPrincipalName, i); err != nil {
					t.Errorf("user %d: %v", i, err)
				}
			}
		})
	}
	for i := range users {
		work <- i
	}
	close(work)
	all.Wait()
	checkListing(t, d, len(users))
	byID := map[string]int{}
	for i, u := range users {
		byID[u.ID] = i
	}
	for _, u := range sim.Snapshot() {
		i := byID[u.ID]
		type state struct {
			Phones        tenant.Phones
			SMS           bool
			MFA, Default  string
			Authenticator int
		}
		got := state{u.Phones, u.SMSSignIn, u.PerUserMFAState, u.DefaultMethod, len(u.Authenticator)}
		want := state{tenant.Phones{Mobile: numberOf(i, 2), Office: numberOf(i, 3)}, i%2 == 0, "enforced", "sms", 0}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("user %d: %s", i, diff)
		}
	}
}

// numberOf invents numbers in a Dutch range, which has room for many users.
func numberOf(i, n int) string { return fmt.Sprintf("+31 612%d%05d", n, i) }

// everything makes all calls for one user; in the end the user has a mobile and
// an office phone, SMS sign-in if i is even, and no Authenticator.
func everything(ctx context.Context, d *graphclient.Directory, upn string, i int) error {
	u, err := d.User(ctx, upn)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { return add(ctx, d, u.ID, graphclient.Mobile, numberOf(i, 1)) },
		func() error { return add(ctx, d, u.ID, graphclient.AlternateMobile, numberOf(i, 4)) },
		func() error { return add(ctx, d, u.ID, graphclient.Office, numberOf(i, 3)) },
		func() error { return d.ChangePhone(ctx, u.ID, graphclient.Mobile, numberOf(i, 2)) },
		func() error { return d.DeletePhone(ctx, u.ID, graphclient.AlternateMobile) },
		func() error { return d.EnableSMSSignIn(ctx, u.ID) },
		func() error {
			if i%2 == 0 {
				return nil
			}
			return d.DisableSMSSignIn(ctx, u.ID)
		},
		func() error { return d.SetDefaultMethod(ctx, u.ID, graphclient.DefaultSMS) },
		func() error { return d.SetPerUserMFAState(ctx, u.ID, graphclient.MFAEnforced) },
		func() error {
			methods, err := d.AuthenticatorMethods(ctx, u.ID)
			if err != nil || len(methods) != 1 {
				return fmt.Errorf("%d authenticators: %w", len(methods), err)
			}
			return d.DeleteAuthenticatorMethod(ctx, u.ID, methods[0].ID)
		},
		func() error { return readAll(ctx, d, u.ID) },
	}
	for n, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
	}
	return nil
}

func add(ctx context.Context, d *graphclient.Directory, id string, t graphclient.PhoneType, number string) error {
	m, err := d.AddPhone(ctx, id, t, number)
	if err == nil && (m.Number != number || m.ID != t.MethodID()) {
		return fmt.Errorf("added a phone of id %s", m.ID)
	}
	return err
}

// readAll reads singly and in a batch. What it reads may be stale, so that it
// can be read is all that counts.
func readAll(ctx context.Context, d *graphclient.Directory, id string) error {
	if _, err := d.PerUserMFAState(ctx, id); err != nil {
		return err
	}
	if _, err := d.SignInPreferences(ctx, id); err != nil {
		return err
	}
	var parts []graphclient.Part
	for _, rest := range []string{"phoneMethods", "requirements", "signInPreferences"} {
		path, err := graphclient.UserPath(id, "/authentication/"+rest)
		if err != nil {
			return err
		}
		parts = append(parts, graphclient.Part{Method: http.MethodGet, Path: path})
	}
	replies, err := d.Batch(ctx, graphclient.Beta, parts)
	if err != nil {
		return err
	}
	for _, r := range replies {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

func checkListing(t *testing.T, d *graphclient.Directory, want int) {
	t.Helper()
	seen := map[string]bool{}
	for u, err := range d.Users(t.Context(), graphclient.UsersQuery{PageSize: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[u.ID] = true
	}
	if len(seen) != want {
		t.Errorf("listed %d users, want %d", len(seen), want)
	}
	_, err := d.User(t.Context(), "nobody@contoso.example")
	if graphclient.KindOf(err) != graphclient.KindNotFound {
		t.Errorf("unknown user: %v", err)
	}
}

// handlerTransport serves requests from a handler without a network. A handler
// that takes the connection and closes it cuts the reply off.
type handlerTransport struct{ handler http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	rec := &cuttable{ResponseRecorder: httptest.NewRecorder()}
	h.handler.ServeHTTP(rec, served)
	if rec.cut {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

type cuttable struct {
	*httptest.ResponseRecorder
	cut bool
}

func (c *cuttable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c.cut = true
	ours, theirs := net.Pipe()
	_ = ours.SetDeadline(time.Now())
	ours.Close()
	return theirs, bufio.NewReadWriter(bufio.NewReader(theirs), bufio.NewWriter(theirs)), nil
}
