package graphclient_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

func created(n string) answer {
	return answer{status: 201, body: `{"id":"` + mobileID + `","phoneType":"mobile","phoneNumber":"` + n + `","smsSignInState":"notEnabled"}`}
}

func TestAddPhone(t *testing.T) {
	exists := coded(400, "badRequest")
	for _, tt := range []struct {
		name    string
		answers []answer
		sent    string
		kind    graphclient.Kind
		code    string
		number  string
	}{
		{"at once", []answer{created(number)}, "POST", "", "", number},
		{"success without a body", []answer{status(201)}, "POST", "", "", number},
		{"lost after the write", []answer{{err: errCut}, phoneList(number)}, "POST GET", "", "", number},
		{"lost after the write, written without a space", []answer{{err: io.EOF}, phoneList("+12065550100")}, "POST GET", "", "", "+12065550100"},
		{"lost after the write, first looks stale", []answer{status(504), phoneList(), phoneList(), phoneList(number)}, "POST GET GET GET", "", "", number},
		{"lost before the write", []answer{{err: errCut}, phoneList(), phoneList(), phoneList(), created(number)}, "POST GET GET GET POST", "", "", number},
		{"lost after the write, all looks stale", []answer{status(500), phoneList(), phoneList(), phoneList(), exists, phoneList(number)}, "POST GET GET GET POST GET", "", "", number},
		{"lost, then a 409 of our own making", []answer{status(500), phoneList(), phoneList(), phoneList(), status(409), phoneList(number)}, "POST GET GET GET POST GET", "", "", number},
		{"lost, then refused for another reason", []answer{status(500), phoneList(), phoneList(), phoneList(), exists, phoneList(), phoneList(), phoneList()},
			"POST GET GET GET POST GET GET GET", graphclient.KindInvalid, "badRequest", ""},
		{"another number is there", []answer{status(503), phoneList(otherNumber)}, "POST GET", graphclient.KindConflict, graphclient.CodeOtherNumber, ""},
		{"throttled but landed", []answer{throttle("3"), phoneList(number)}, "POST GET", "", "", number},
		{"throttled", []answer{throttle("3"), phoneList(), created(number)}, "POST GET POST", "", "", number},
		{"already there at the first try", []answer{status(409)}, "POST", graphclient.KindConflict, "someCode", ""},
		{"invalid", []answer{exists}, "POST", graphclient.KindInvalid, "badRequest", ""},
		{"not unique", []answer{coded(409, "phoneNumberNotUnique")}, "POST", graphclient.KindNumberNotUnique, "phoneNumberNotUnique", ""},
		{"looking fails", []answer{status(500), coded(403, "accessDenied")}, "POST GET", graphclient.KindForbidden, "accessDenied", ""},
		{"token refused once", []answer{status(401), created(number)}, "POST POST", "", "", number},
		{"locked once", []answer{status(423), created(number)}, "POST POST", "", "", number},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := inTurn(t, tt.answers...)
				m, err := directoryOn(t, w).AddPhone(t.Context(), userGUID, graphclient.Mobile, number)
				if got := w.methods(); got != tt.sent {
					t.Errorf("sent %s, want %s", got, tt.sent)
				}
				e, _ := errors.AsType[*graphclient.Error](err)
				if got := graphclient.KindOf(err); got != tt.kind || (err == nil) != (tt.kind == "") || e != nil && e.Code != tt.code {
					t.Errorf("error = %v, want kind %q, code %q", err, tt.kind, tt.code)
				}
				if m.Number != tt.number || err == nil && (m.ID != mobileID || m.Type != graphclient.Mobile) {
					t.Errorf("method = %+v", m)
				}
			})
		})
	}
}

// TestAddPhoneGivesUp: a POST whose replies are all lost and that never lands is
// sent MaxTries times, with looks between and after.
func TestAddPhoneGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{respond: func(r request) answer {
			if r.Method == http.MethodPost {
				return answer{err: errCut}
			}
			return phoneList()
		}}
		began := time.Now()
		_, err := directoryOn(t, w).AddPhone(t.Context(), userGUID, graphclient.Mobile, number)
		if graphclient.KindOf(err) != graphclient.KindTransient {
			t.Errorf("error = %v", err)
		}
		if got := strings.Count(w.methods(), "POST"); got != 4 {
			t.Errorf("%d POSTs, want 4", got)
		}
		if got := strings.Count(w.methods(), "GET"); got != 12 {
			t.Errorf("%d GETs, want 12", got)
		}
		if took := time.Since(began); took < 12*time.Second || took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// TestAddPhoneUnderThrottling: however often Graph says 429, it is no failure.
func TestAddPhoneUnderThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		posts := 0
		w := &wire{respond: func(r request) answer {
			if r.Method == http.MethodGet {
				return phoneList()
			}
			if posts++; posts <= 50 {
				return throttle("10")
			}
			return created(number)
		}}
		l := &limiter{}
		d := directoryOn(t, w, func(o *graphclient.Options) { o.Limiter = l })
		if _, err := d.AddPhone(t.Context(), userGUID, graphclient.Mobile, number); err != nil {
			t.Fatal(err)
		}
		if len(l.halts) != 50 {
			t.Errorf("%d halts, want 50", len(l.halts))
		}
	})
}
