package tenant_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

// always is a tenant with one user whose every request meets a fault.
func always(t *testing.T, p tenant.Probabilities) *tenant.Tenant {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.Probabilities, o.Now = &p, newClock().Now
	return newTenant(t, o)
}

func TestInjectedThrottling(t *testing.T) {
	tn := always(t, tenant.Probabilities{Throttle: 1, RetryAfterMax: 5 * time.Second})
	got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
	if got.status != 429 || got.code() != "TooManyRequests" {
		t.Errorf("%d %q, want 429 TooManyRequests", got.status, got.code())
	}
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 1 || wait > 5 {
		t.Errorf("Retry-After %q, want 1 to 5", got.header.Get("Retry-After"))
	}
	if got.header.Get("x-ms-throttle-information") != "CPULimitExceeded" || got.header.Get("x-ms-throttle-scope") == "" {
		t.Errorf("throttle headers missing: %v", got.header)
	}
	if got := only(t, tn).Phones.Mobile; got != "" {
		t.Error("a throttled write was carried out")
	}
	if s := tn.Stats(); s.Throttled != 1 || s.Faults["throttled"] != 1 {
		t.Errorf("stats %+v, want one throttled", s)
	}
}

// Odd errors wear what real ones have been seen in: no code, a body that is
// HTML, a Retry-After with a point or as a date.
func TestOddErrors(t *testing.T) {
	tn := always(t, tenant.Probabilities{Throttle: 0.5, ServerError: 0.5, Odd: 1, RetryAfterMax: 3 * time.Second})
	seen := map[string]bool{}
	for i := range 200 {
		got := call(t, tn, "GET", fmt.Sprintf("/v1.0/users/%d", i), "")
		seen[strconv.Itoa(got.status)] = true
		if got.body == nil {
			seen["html"] = strings.HasPrefix(got.raw, "<html>") && got.status == 502
		} else if got.code() != "" {
			t.Errorf("odd error with code %q", got.code())
		}
		retry := got.header.Get("Retry-After")
		if date, err := http.ParseTime(retry); err == nil {
			seen["date"] = true
			if wait := date.Sub(start); wait < time.Second || wait > 4*time.Second {
				t.Errorf("Retry-After %q is %v away", retry, wait)
			}
		} else if strings.Contains(retry, ".") {
			seen["decimal"] = true
			if seconds, err := strconv.ParseFloat(retry, 64); err != nil || seconds < 1 || seconds > 3.1 {
				t.Errorf("Retry-After %q, want 1 to 3 seconds", retry)
			}
		}
	}
	want := map[string]bool{"429": true, "500": true, "502": true, "503": true, "504": true, "html": true, "date": true, "decimal": true}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// Over a real connection a lost reply is an error of the transport, although
// the write landed; a reset before is one too, and nothing landed.
func TestConnectionIsReset(t *testing.T) {
	for _, tt := range []struct {
		name          string
		probabilities tenant.Probabilities
		mobile        string
	}{
		{"before the write", tenant.Probabilities{ResetBefore: 1}, ""},
		{"after the write", tenant.Probabilities{LostReply: 1}, n1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tn := always(t, tt.probabilities)
			server := httptest.NewServer(tn)
			defer server.Close()
			reply, err := server.Client().Post(server.URL+phonesOf(ada), "application/json", strings.NewReader(phoneJSON("mobile", n1)))
			if err == nil {
				_ = reply.Body.Close()
				t.Fatalf("answered %d, want an error of the transport", reply.StatusCode)
			}
			if got := only(t, tn).Phones.Mobile; got != tt.mobile {
				t.Errorf("mobile %q, want %q", got, tt.mobile)
			}
		})
	}
}

func TestGatewayTimeoutMayHaveLanded(t *testing.T) {
	landed, timeouts := 0, 0
	for seed := range uint64(200) {
		o := calm(tenant.User{UserPrincipalName: ada})
		o.Seed, o.Probabilities = seed, &tenant.Probabilities{ServerError: 1}
		tn := newTenant(t, o)
		got := call(t, tn, "POST", phonesOf(ada), phoneJSON("mobile", n1))
		wrote := only(t, tn).Phones.Mobile != ""
		if wrote && got.status != 504 {
			t.Errorf("seed %d: answered %d, and the write landed", seed, got.status)
		}
		if got.status == 504 {
			timeouts++
		}
		if wrote {
			landed++
		}
	}
	if timeouts < 30 || landed < 10 || landed > timeouts-10 {
		t.Errorf("%d of %d timeouts had landed, want about half of about 50", landed, timeouts)
	}
}

func TestSlowReplyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := tenant.Probabilities{Slow: 1, SlowMin: 50 * time.Millisecond, SlowMax: 300 * time.Millisecond}
		o := calm(tenant.User{UserPrincipalName: ada})
		o.Probabilities = &p
		tn := newTenant(t, o)
		for range 50 {
			begin := time.Now()
			if got := call(t, tn, "GET", phonesOf(ada), ""); got.status != 200 {
				t.Fatalf("slow reply: %d", got.status)
			}
			if took := time.Since(begin); took < p.SlowMin || took >= p.SlowMax {
				t.Errorf("took %v, want from %v to %v", took, p.SlowMin, p.SlowMax)
			}
		}
	})
}

// outcome names what a client saw of a request.
func outcome(client *http.Client, method, target, body string) string {
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(r)
	if err != nil {
		return "transport"
	}
	_, copied := io.Copy(io.Discard, reply.Body)
	return fmt.Sprintf("%d %s %v", reply.StatusCode, reply.Header.Get("Retry-After"), errors.Join(copied, reply.Body.Close()))
}

// The same seed gives every user the same adventures, however the requests for
// other users are mixed in.
func TestSeedReplaysUnderConcurrency(t *testing.T) {
	const users, rounds = 8, 25
	play := func(seed uint64, parallel bool) [users][]string {
		// Time stands still, so that only the dice tell whether a read is stale,
		// and slow replies are left out to keep the test short.
		o := tenant.Options{Users: tenant.GenerateUsers(users, 3), Seed: seed, Quota: tenant.QuotaUnlimited, Now: newClock().Now}
		p := tenant.FaultsHarsh.Probabilities()
		p.Slow = 0
		o.Probabilities, o.Lag = &p, time.Second
		server := httptest.NewServer(newTenant(t, o))
		defer server.Close()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		var got [users][]string
		var wg sync.WaitGroup
		for u := range users {
			run := func() {
				base := server.URL + phonesOf(tenant.UserID(o.Users[u].UserPrincipalName))
				for n := range rounds {
					number := fmt.Sprintf("+1 20655501%02d", n)
					got[u] = append(got[u],
						outcome(client, "POST", base, phoneJSON("mobile", number)),
						outcome(client, "PATCH", base+"/"+mobileID, phoneJSON("mobile", number)),
						outcome(client, "GET", base+"/"+mobileID, ""))
				}
			}
			if parallel {
				wg.Go(run)
			} else {
				run()
			}
		}
		wg.Wait()
		return got
	}
	want := play(42, false)
	if diff := cmp.Diff(want, play(42, true)); diff != "" {
		t.Errorf("the same seed, requests interleaved (-want +got):\n%s", diff)
	}
	if cmp.Equal(want, play(43, false)) {
		t.Error("another seed changes nothing")
	}
}

func TestShareOfFaults(t *testing.T) {
	for _, tt := range []struct {
		faults    tenant.Faults
		low, high float64
	}{{tenant.FaultsNone, 0, 0}, {tenant.FaultsDefault, 0.014, 0.036}, {tenant.FaultsHarsh, 0.12, 0.22}} {
		t.Run(string(tt.faults), func(t *testing.T) {
			o := calm(tenant.User{UserPrincipalName: ada})
			p := tt.faults.Probabilities()
			p.SlowMin, p.SlowMax = 0, 0
			o.Probabilities = &p
			tn := newTenant(t, o)
			const n = 4000
			for i := range n {
				call(t, tn, "GET", fmt.Sprintf("/v1.0/users/%d", i), "")
			}
			total := int64(0)
			for _, count := range tn.Stats().Faults {
				total += count
			}
			if share := float64(total) / n; share < tt.low || share > tt.high {
				t.Errorf("%.4f of the requests met a fault, want %v to %v", share, tt.low, tt.high)
			}
		})
	}
}
