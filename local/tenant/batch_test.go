package tenant_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
)

// batchOf sends a $batch and returns its replies by id, and the ids in order.
func batchOf(t *testing.T, tn *tenant.Tenant, version string, parts ...string) (map[string]answer, []string) {
	t.Helper()
	got := call(t, tn, "POST", "/"+version+"/$batch", `{"requests":[`+strings.Join(parts, ",")+`]}`)
	if got.status != 200 {
		t.Fatalf("$batch: %d %s", got.status, got.raw)
	}
	var body struct {
		Responses []struct {
			ID      string            `json:"id"`
			Status  int               `json:"status"`
			Headers map[string]string `json:"headers"`
			Body    any               `json:"body"`
		} `json:"responses"`
	}
	if err := json.Unmarshal([]byte(got.raw), &body); err != nil {
		t.Fatalf("$batch: %v", err)
	}
	replies, order := map[string]answer{}, []string{}
	for _, r := range body.Responses {
		a := answer{status: r.Status, header: map[string][]string{}}
		a.body, _ = r.Body.(map[string]any)
		for name, value := range r.Headers {
			a.header.Set(name, value)
		}
		replies[r.ID] = a
		order = append(order, r.ID)
	}
	return replies, order
}

func statuses(replies map[string]answer) map[string]int {
	s := map[string]int{}
	for id, r := range replies {
		s[id] = r.status
	}
	return s
}

const (
	postMobile    = `{"id":"1","method":"POST","url":"/users/ada@contoso.example/authentication/phoneMethods","headers":{"content-type":"application/json"},"body":{"phoneType":"mobile","phoneNumber":"+1 2065550101"}}`
	postAlternate = `{"id":"2","method":"POST","url":"/users/ada@contoso.example/authentication/phoneMethods","headers":{"Content-Type":"application/json"},"body":{"phoneType":"alternateMobile","phoneNumber":"+44 7700900123"},"dependsOn":["1"]}`
	enforce       = `{"id":"3","method":"patch","url":"users/ada@contoso.example/authentication/requirements","headers":{"Content-Type":"application/json"},"body":{"perUserMfaState":"enabled"},"dependsOn":["2"]}`
)

func TestBatchObeysDependencies(t *testing.T) {
	for seed := range uint64(20) {
		o := calm(tenant.User{UserPrincipalName: ada})
		o.Seed = seed
		tn := newTenant(t, o)
		replies, _ := batchOf(t, tn, "beta", postMobile, postAlternate, enforce)
		if diff := cmp.Diff(map[string]int{"1": 201, "2": 201, "3": 204}, statuses(replies)); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		u := only(t, tn)
		if u.Phones.AlternateMobile != n2 || u.PerUserMFAState != "enforced" {
			t.Errorf("seed %d: user after the batch: %+v", seed, u.Phones)
		}
	}
}

func TestBatchFailsDependants(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Phones: tenant.Phones{Mobile: n3}}))
	replies, _ := batchOf(t, tn, "beta", postMobile, postAlternate, enforce)
	if diff := cmp.Diff(map[string]int{"1": 400, "2": 424, "3": 424}, statuses(replies)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if got := replies["2"].code(); got != "FailedDependency" {
		t.Errorf("code of the dependant %q", got)
	}
	if got := only(t, tn).Phones.AlternateMobile; got != "" {
		t.Error("a dependant of a failed request was carried out")
	}
}

func TestBatchPartsStandAlone(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	replies, _ := batchOf(t, tn, "v1.0",
		`{"id":"a","method":"GET","url":"/users/ada@contoso.example?$select=id"}`,
		`{"id":"b","method":"GET","url":"/users/nobody@contoso.example"}`,
		`{"id":"c","method":"GET","url":"/users/ada@contoso.example/authentication/requirements"}`,
		`{"id":"d","method":"POST","url":"/users/ada@contoso.example/authentication/phoneMethods","body":{"phoneType":"mobile","phoneNumber":"+1 2065550101"}}`,
		`{"id":"e","method":"GET","url":"https://graph.microsoft.com/v1.0/users"}`,
		`{"id":"f","method":"GET","url":"/users/$count","headers":{"consistencylevel":"eventual"}}`,
		`{"id":"g","method":"POST","url":"/$batch","body":{"requests":[]}}`,
	)
	want := map[string]int{"a": 200, "b": 404, "c": 400, "d": 415, "e": 400, "f": 200, "g": 400}
	if diff := cmp.Diff(want, statuses(replies)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if got := replies["a"].header.Get("x-ms-resource-unit"); got != "1" {
		t.Errorf("part without x-ms-resource-unit: %q", got)
	}
	if s := tn.Stats(); s.Requests != 7 || s.Batches != 1 {
		t.Errorf("stats: %d requests, %d batches; want 7 and 1", s.Requests, s.Batches)
	}
}

func TestBatchThatIsRefused(t *testing.T) {
	tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada}))
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users"}`, i)
	}
	for name, body := range map[string]string{
		"21 requests":                  `{"requests":[` + strings.Join(many, ",") + `]}`,
		"the same id twice":            `{"requests":[{"id":"a","method":"GET","url":"/users"},{"id":"A","method":"GET","url":"/users"}]}`,
		"no id":                        `{"requests":[{"method":"GET","url":"/users"}]}`,
		"no url":                       `{"requests":[{"id":"1","method":"GET"}]}`,
		"no requests":                  `{}`,
		"no JSON":                      `{"requests":`,
		"an id that is a number":       `{"requests":[{"id":1,"method":"GET","url":"/users"}]}`,
		"dependency on nothing":        `{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["9"]}]}`,
		"dependency on itself":         `{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["1"]}]}`,
		"dependency on what comes yet": `{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["2"]},{"id":"2","method":"GET","url":"/users"}]}`,
	} {
		if got := call(t, tn, "POST", "/v1.0/$batch", body); got.status != 400 || got.code() != "BadRequest" {
			t.Errorf("%s: %d %q, want 400 BadRequest", name, got.status, got.code())
		}
	}
	replies, _ := batchOf(t, tn, "v1.0", many[:20]...)
	if len(replies) != 20 {
		t.Errorf("20 requests: %d replies", len(replies))
	}
}

func TestBatchRepliesComeInAnyOrder(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(10) {
		o := calm(tenant.User{UserPrincipalName: ada})
		o.Seed = seed
		var first []string
		for range 2 {
			_, order := batchOf(t, newTenant(t, o), "v1.0",
				`{"id":"1","method":"GET","url":"/users"}`, `{"id":"2","method":"GET","url":"/users"}`,
				`{"id":"3","method":"GET","url":"/users"}`, `{"id":"4","method":"GET","url":"/users"}`)
			if first != nil && !slices.Equal(first, order) {
				t.Errorf("seed %d: order %v, then %v", seed, first, order)
			}
			first = order
		}
		orders[strings.Join(first, "")] = true
	}
	if len(orders) < 3 {
		t.Errorf("ten seeds gave the orders %v only", slices.Collect(maps.Keys(orders)))
	}
}

// Parts are throttled singly, and the batch is answered 200 all the same.
func TestBatchPartsAreThrottledSingly(t *testing.T) {
	tn, _ := limited(t, tenant.QuotaStrict)
	parts := make([]string, 8)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users/%s/authentication/phoneMethods"}`, i, ada)
	}
	replies, _ := batchOf(t, tn, "v1.0", parts...)
	throttled := 0
	for _, r := range replies {
		if r.status == 429 {
			throttled++
			if r.header.Get("Retry-After") == "" || r.code() != "TooManyRequests" {
				t.Errorf("throttled part: Retry-After %q, code %q", r.header.Get("Retry-After"), r.code())
			}
		}
	}
	if throttled != 3 {
		t.Errorf("%d of 8 parts throttled, want 3", throttled)
	}
}

// A part has no connection of its own: it is told 504, and may have landed.
func TestBatchPartWithALostReply(t *testing.T) {
	o := calm(tenant.User{UserPrincipalName: ada})
	o.Probabilities = &tenant.Probabilities{LostReply: 1}
	tn := newTenant(t, o)
	replies, _ := batchOf(t, tn, "v1.0", postMobile)
	if got := replies["1"].status; got != 504 {
		t.Errorf("status %d, want 504", got)
	}
	if got := only(t, tn).Phones.Mobile; got != n1 {
		t.Errorf("mobile %q, want the number written", got)
	}
}
