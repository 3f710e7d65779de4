package graphclient_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/graphclient"
)

func TestUsersPages(t *testing.T) {
	next := loopback + "/v1.0/users?$skiptoken=two"
	w := inTurn(t,
		ok(`{"value":[{"id":"1","userPrincipalName":"a@contoso.example","accountEnabled":true,"onPremisesSyncEnabled":null}],"@odata.count":2,"@odata.nextLink":"`+next+`"}`),
		ok(`{"value":[],"@odata.nextLink":"`+next+`3"}`),
		ok(`{"value":[{"id":"2","userType":"Guest","usageLocation":"NL","assignedLicenses":[{"skuId":"s"}]}]}`),
	)
	q := graphclient.UsersQuery{Filter: "assignedLicenses/$count ne 0", Advanced: true}
	var got []graphclient.User
	for u, err := range directoryOn(t, w).Users(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, u)
	}
	enabled := true
	want := []graphclient.User{
		{ID: "1", UserPrincipalName: "a@contoso.example", AccountEnabled: &enabled},
		{ID: "2", UserType: "Guest", UsageLocation: "NL", AssignedLicenses: []graphclient.License{{SKUID: "s"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sent := w.seen()
	u, err := url.Parse(sent[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	wantQuery := url.Values{
		"$select": {strings.Join(graphclient.UserFields(), ",")}, "$top": {"999"}, "$count": {"true"},
		"$filter": {"assignedLicenses/$count ne 0"},
	}
	if diff := cmp.Diff(wantQuery, u.Query()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(u.RawQuery, "+") {
		t.Errorf("query %s writes a space as a plus sign", u.RawQuery)
	}
	if sent[1].URL != next || sent[2].URL != next+"3" {
		t.Errorf("pages came from %s and %s", sent[1].URL, sent[2].URL)
	}
	for _, r := range sent {
		if r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Errorf("%s went without ConsistencyLevel", r.URL)
		}
	}
}

func TestUsersCanBeLeftAndWalkedAgain(t *testing.T) {
	page := ok(`{"value":[{"id":"1"},{"id":"2"}],"@odata.nextLink":"` + loopback + `/v1.0/users?$skiptoken=2"}`)
	w := inTurn(t, page, ok(`{"value":[{"id":"3"}]}`), page)
	users := directoryOn(t, w).Users(t.Context(), graphclient.UsersQuery{PageSize: 2, Select: []string{"id"}})
	for _, stopAt := range []string{"3", "1"} {
		for u, err := range users {
			if err != nil {
				t.Fatal(err)
			}
			if u.ID == stopAt {
				break
			}
		}
	}
	if sent := w.seen(); len(sent) != 3 || sent[2].URL != sent[0].URL {
		t.Errorf("sent %d requests, the second walk began elsewhere", len(sent))
	}
}

func TestNextLinkIsPinned(t *testing.T) {
	for _, link := range []string{
		"https://elsewhere.example/prefix/v1.0/users",
		"https://127.0.0.1:1/prefix/v1.0/users",
		"http://127.0.0.1:2/prefix/v1.0/users",
		"http://127.0.0.1:1/other/v1.0/users",
		"http://127.0.0.1:1@elsewhere.example/prefix/v1.0/users",
		"//elsewhere.example/prefix/",
		"/prefix/v1.0/users",
		"::",
	} {
		w := inTurn(t, ok(`{"value":[{"id":"1"}],"@odata.nextLink":"`+link+`"}`))
		var seen int
		var failure error
		for _, err := range directoryOn(t, w).Users(t.Context(), graphclient.UsersQuery{}) {
			if err != nil {
				failure = err
			} else {
				seen++
			}
		}
		e, ok := errors.AsType[*graphclient.Error](failure)
		if seen != 1 || !ok || e.Code != graphclient.CodeForeignNextLink {
			t.Errorf("%s: %d users, error %v", link, seen, failure)
		}
	}
}

func TestNextLinkInAWideCircle(t *testing.T) {
	// Two pages, and then round and round through three others.
	following := map[string]string{"": "a", "a": "b", "b": "c", "c": "d", "d": "b"}
	w := &wire{respond: func(r request) answer {
		_, at, _ := strings.Cut(r.URL, "skiptoken=")
		return ok(`{"value":[{"id":"1"}],"@odata.nextLink":"` + loopback + `/v1.0/users?$skiptoken=` + following[at] + `"}`)
	}}
	var failure error
	for _, failure = range directoryOn(t, w).Users(t.Context(), graphclient.UsersQuery{}) {
	}
	if graphclient.KindOf(failure) != graphclient.KindTransient {
		t.Errorf("error = %v", failure)
	}
	if n := len(w.seen()); n > 10 {
		t.Errorf("sent %d requests", n)
	}
}

func TestNextLinkInACircle(t *testing.T) {
	w := &wire{respond: func(request) answer { return ok(`{"value":[],"@odata.nextLink":"` + loopback + `/v1.0/users?x"}`) }}
	for _, err := range directoryOn(t, w).Users(t.Context(), graphclient.UsersQuery{}) {
		if graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("error = %v", err)
		}
	}
	if n := len(w.seen()); n != 2 {
		t.Errorf("sent %d requests", n)
	}
}
