package graphclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

func TestTransientTroubleIsRetried(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []answer
		kind    graphclient.Kind
		sent    int
	}{
		{"500 then 204", []answer{status(500), status(204)}, graphclient.KindNone, 2},
		{"cut off three times", []answer{{err: errCut}, {err: errCut}, {err: io.ErrUnexpectedEOF}, status(204)}, graphclient.KindNone, 4},
		{"cut off for good", []answer{{err: errCut}, {err: errCut}, {err: errCut}, {err: errCut}}, graphclient.KindTransient, 4},
		{"locked for good", []answer{status(423), status(423), status(423), status(423)}, graphclient.KindLocked, 4},
		{"concurrency violation once", []answer{coded(409, "Directory_ConcurrencyViolation"), status(204)}, graphclient.KindNone, 2},
		{"refused", []answer{status(400)}, graphclient.KindInvalid, 1},
		{"forbidden", []answer{coded(403, "accessDenied")}, graphclient.KindForbidden, 1},
		{"throttled does not count", []answer{status(500), throttle("1"), throttle("1"), throttle("1"), throttle("1"), status(500), status(204)}, graphclient.KindNone, 7},
		{"unauthorized twice", []answer{status(401), status(401)}, graphclient.KindUnauthorized, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := inTurn(t, tt.answers...)
				err := directoryOn(t, w).ChangePhone(t.Context(), userGUID, graphclient.Mobile, number)
				if got := graphclient.KindOf(err); got != tt.kind || (err == nil) != (tt.kind == "") {
					t.Errorf("kind = %q (%v), want %q", got, err, tt.kind)
				}
				if got := len(w.seen()); got != tt.sent {
					t.Errorf("sent %d requests, want %d", got, tt.sent)
				}
				for i, r := range w.seen() {
					if r.Body != w.seen()[0].Body {
						t.Errorf("request %d has another body than the first", i+1)
					}
				}
			})
		})
	}
}

func TestErrorTellsStatusCodeAndIDs(t *testing.T) {
	const id = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	w := inTurn(t, answer{
		status: 403, header: map[string]string{"request-id": id},
		body: `{"error":{"code":"accessDenied","message":"no"}}`,
	})
	err := directoryOn(t, w).DeletePhone(t.Context(), userGUID, graphclient.Office)
	e, ok := errors.AsType[*graphclient.Error](err)
	if !ok {
		t.Fatalf("error is %T", err)
	}
	sent := w.seen()[0].Header.Get("client-request-id")
	if e.StatusCode != 403 || e.Code != "accessDenied" || e.RequestID != id || e.ClientRequestID != sent || sent == "" {
		t.Errorf("error = %+v", e)
	}
	want := "delete office phone: forbidden, status 403, code accessDenied, request-id " + id + ", client-request-id " + sent
	if got := e.Error(); got != want {
		t.Errorf("text = %q\nwant   %q", got, want)
	}
}

func TestEveryAttemptHasItsOwnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inTurn(t, status(500), status(500), status(204))
		if err := directoryOn(t, w).DeletePhone(t.Context(), userGUID, graphclient.Mobile); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, r := range w.seen() {
			ids[r.Header.Get("client-request-id")] = true
		}
		if len(ids) != 3 {
			t.Errorf("%d different ids in 3 attempts", len(ids))
		}
	})
}

func TestThrottlingHaltsTheTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{}
		w := inTurn(t, throttle("17"), throttle("2.5"), answer{status: 503, header: map[string]string{"Retry-After": "3"}}, phoneList(number))
		c := clientOn(t, w, func(o *graphclient.Options) { o.Limiter = l; o.MaxTries = 1 })
		began := time.Now()
		phones, err := c.Directory("Contoso.example").Phones(t.Context(), userGUID)
		if err != nil || len(phones) != 1 {
			t.Fatalf("phones = %v, %v", phones, err)
		}
		want := []time.Duration{17 * time.Second, 2500 * time.Millisecond, 3 * time.Second}
		if !slices.Equal(l.halts, want) {
			t.Errorf("halts = %v, want %v", l.halts, want)
		}
		if took := time.Since(began); took != 22500*time.Millisecond {
			t.Errorf("took %v, want 22.5s", took)
		}
		if l.asked != [2]int{4, 0} || l.waits[0] != "contoso.example" {
			t.Errorf("asked %v for %v", l.asked, l.waits)
		}
		if got, want := c.Stats(), (graphclient.Stats{Requests: 4, Throttled: 3}); got != want {
			t.Errorf("stats = %+v, want %+v", got, want)
		}
	})
}

func TestThrottlingWithoutLimiterIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inTurn(t, throttle("40"), status(204))
		began := time.Now()
		if err := directoryOn(t, w).SetPerUserMFAState(t.Context(), userGUID, graphclient.MFAEnforced); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 40*time.Second {
			t.Errorf("took %v, want 40s", took)
		}
	})
}

// errDraining stands for a reason to stop that is not the request's fault.
var errDraining = errors.New("draining")

func TestEndOfContextIsNoGraphError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer answer
		with   *limiter
	}{
		{"while waiting for Retry-After", throttle("60"), nil},
		{"while waiting in the limiter", throttle("60"), &limiter{}},
		{"while backing off", status(500), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				w := &wire{respond: func(request) answer { return tt.answer }}
				d := directoryOn(t, w, func(o *graphclient.Options) {
					o.MaxTries = 1000
					if tt.with != nil {
						o.Limiter = tt.with
					}
				})
				failed := make(chan error)
				go func() { failed <- d.DeletePhone(ctx, userGUID, graphclient.Mobile) }()
				synctest.Wait()
				cancel(errDraining)
				err := <-failed
				if !errors.Is(err, errDraining) || !errors.Is(err, context.Canceled) {
					t.Errorf("error %v has not the cause in its chain", err)
				}
				if k := graphclient.KindOf(err); k != graphclient.KindNone {
					t.Errorf("kind = %q", k)
				}
			})
		})
	}
}

func TestEndOfContextDuringAnAttempt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &wire{respond: func(request) answer { cancel(errDraining); return answer{err: context.Canceled} }}
	once := func(o *graphclient.Options) { o.MaxTries = 1 }
	_, err := directoryOn(t, w, once).AddPhone(ctx, userGUID, graphclient.Mobile, number)
	if !errors.Is(err, errDraining) || graphclient.KindOf(err) != graphclient.KindNone {
		t.Errorf("error = %v", err)
	}
	if got := w.methods(); got != "POST" {
		t.Errorf("sent %s", got)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	defer cancel(nil)
	err = directoryOn(t, w, once).DeletePhone(ctx, userGUID, graphclient.Mobile)
	if !errors.Is(err, errDraining) || graphclient.KindOf(err) != graphclient.KindNone {
		t.Errorf("error of the last try = %v", err)
	}
}

func TestDeleteOfWhatIsGoneSucceeds(t *testing.T) {
	w := inTurn(t, coded(404, "itemNotFound"), coded(404, "itemNotFound"))
	d := directoryOn(t, w)
	if err := d.DeletePhone(t.Context(), userGUID, graphclient.Mobile); err != nil {
		t.Error(err)
	}
	if err := d.DeleteAuthenticatorMethod(t.Context(), userGUID, userGUID); err != nil {
		t.Error(err)
	}
}

func TestRepliesOfTheWrongShape(t *testing.T) {
	for _, body := range []string{"", "<html>login</html>", `{"value":7}`, `[]`} {
		w := &wire{respond: func(request) answer { return ok(body) }}
		if _, err := directoryOn(t, w).Phones(t.Context(), userGUID); graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("body %q: %v", body, err)
		}
	}
}

func TestUnknownMembersAndValuesAreKept(t *testing.T) {
	w := inTurn(t,
		ok(`{"value":[{"id":"x","phoneType":"satellite","phoneNumber":"+1 2065550100","smsSignInState":"sometimes","new":{"a":1}}],"@microsoft.graph.tips":"t"}`),
		ok(`{"perUserMfaState":"perhaps"}`),
		ok(`{"isSystemPreferredAuthenticationMethodEnabled":true,"userPreferredMethodForSecondaryAuthentication":null,"systemPreferredAuthenticationMethod":"fido"}`),
	)
	d := directoryOn(t, w)
	phones, err := d.Phones(t.Context(), userGUID)
	if err != nil || len(phones) != 1 || phones[0].Type != "satellite" || phones[0].SMSSignInState != "sometimes" {
		t.Errorf("phones = %+v, %v", phones, err)
	}
	if s, err := d.PerUserMFAState(t.Context(), userGUID); s != "perhaps" || err != nil {
		t.Errorf("state = %q, %v", s, err)
	}
	if p, err := d.SignInPreferences(t.Context(), userGUID); !p.SystemPreferred || p.DefaultMethod != "" || err != nil {
		t.Errorf("preferences = %+v, %v", p, err)
	}
}

func TestUnusableArgumentsAreNotSent(t *testing.T) {
	w := inTurn(t)
	d := directoryOn(t, w)
	ctx := t.Context()
	_, errUser := d.User(ctx, "")
	_, errDots := d.Phones(ctx, "..")
	_, errType := d.AddPhone(ctx, userGUID, "fax", number)
	for name, err := range map[string]error{
		"no user": errUser, "dots": errDots, "unknown type": errType,
		"no method": d.DeleteAuthenticatorMethod(ctx, userGUID, ""),
	} {
		if graphclient.KindOf(err) != graphclient.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChinaHasNoSMSSignIn(t *testing.T) {
	cloud, _ := graphclient.CloudNamed("China")
	w := inTurn(t)
	d := directoryOn(t, w, func(o *graphclient.Options) { o.Endpoint = cloud.Endpoint; o.Credential = &credential{} })
	e, ok := errors.AsType[*graphclient.Error](d.EnableSMSSignIn(t.Context(), userGUID))
	if !ok || e.Kind != graphclient.KindPolicy || e.Code != graphclient.CodeNotInCloud {
		t.Errorf("error = %v", e)
	}
}

func TestRequestHeaders(t *testing.T) {
	w := inTurn(t, phoneList(), status(204), status(204))
	d := directoryOn(t, w, func(o *graphclient.Options) { o.UserAgent = "muster/1.2"; o.Priority = graphclient.PriorityLow })
	_, _ = d.Phones(t.Context(), userGUID)
	_ = d.ChangePhone(t.Context(), userGUID, graphclient.Mobile, number)
	_ = d.WithPriority(graphclient.PriorityHigh).EnableSMSSignIn(t.Context(), userGUID)
	for i, want := range []map[string]string{
		{"Prefer": "include-unknown-enum-members", "Content-Type": "", "X-Ms-Throttle-Priority": "Low"},
		{"Prefer": "", "Content-Type": "application/json", "X-Ms-Throttle-Priority": "Low"},
		{"Content-Type": "", "X-Ms-Throttle-Priority": "High"},
	} {
		r := w.seen()[i]
		want["User-Agent"], want["Accept"], want["Authorization"] = "muster/1.2", "application/json", ""
		for name, value := range want {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s %s: %s = %q, want %q", r.Method, r.URL, name, got, value)
			}
		}
	}
	if got := w.seen()[2]; got.Method != http.MethodPost || got.Body != "" {
		t.Errorf("action = %+v", got)
	}
}

func TestStats(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []answer
		do      func(context.Context, *graphclient.Directory) error
		want    graphclient.Stats
	}{
		{"a change", []answer{status(204)}, change, graphclient.Stats{Requests: 1, Writes: 1}},
		{"a change, throttled", []answer{throttle("1"), status(204)}, change, graphclient.Stats{Requests: 2, Writes: 2, Throttled: 1}},
		{"a change, lost once", []answer{{err: errCut}, status(204)}, change, graphclient.Stats{Requests: 2, Writes: 2, RedundantWrites: 1}},
		{"an addition, lost before the write", []answer{{err: errCut}, phoneList(), phoneList(), phoneList(), created(number)}, addMobile, graphclient.Stats{Requests: 5, Writes: 2}},
		{"an addition, lost after the write", []answer{{err: errCut}, phoneList(number)}, addMobile, graphclient.Stats{Requests: 2, Writes: 1}},
		{"an addition, sent again needlessly", []answer{{err: errCut}, phoneList(), phoneList(), phoneList(), status(409), phoneList(number)}, addMobile, graphclient.Stats{Requests: 6, Writes: 2, RedundantWrites: 1}},
		{"a deletion of what is gone", []answer{status(404)}, remove, graphclient.Stats{Requests: 1, Writes: 1, RedundantWrites: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clientOn(t, inTurn(t, tt.answers...))
				if err := tt.do(t.Context(), c.Directory("t")); err != nil {
					t.Fatal(err)
				}
				if got := c.Stats(); got != tt.want {
					t.Errorf("stats = %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func change(ctx context.Context, d *graphclient.Directory) error {
	return d.ChangePhone(ctx, userGUID, graphclient.Mobile, number)
}

func addMobile(ctx context.Context, d *graphclient.Directory) error {
	_, err := d.AddPhone(ctx, userGUID, graphclient.Mobile, number)
	return err
}

func remove(ctx context.Context, d *graphclient.Directory) error {
	return d.DeletePhone(ctx, userGUID, graphclient.Mobile)
}
