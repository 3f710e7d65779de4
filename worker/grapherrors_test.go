package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// graphError is what Graph answers to those requests of a user that match.
type graphError struct {
	name         string
	method, path string
	status       int
	code, says   string
	header       [2]string
	times        int // how often; 0 for always
}

// applies tells whether the error is the answer to the n-th matching request.
func (e graphError) applies(n int) bool { return e.times == 0 || n <= e.times }

func (e graphError) matches(r *http.Request) bool {
	return r.Method == e.method && strings.Contains(r.URL.Path, e.path)
}

func (e graphError) answer(w http.ResponseWriter) {
	if e.header[0] != "" {
		w.Header().Set(e.header[0], e.header[1])
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": e.code, "message": e.says,
		"innererror": map[string]string{"date": "2026-05-04T08:30:00", "request-id": "11111111-2222-3333-4444-555555555555"},
	}})
}

// troubles meets each user with the error that is theirs.
type troubles struct {
	mu  sync.Mutex
	of  map[string]graphError // by object id
	met map[string]int        // guarded by mu
}

func (t *troubles) meddle(_ int, w http.ResponseWriter, r *http.Request) bool {
	user := request{path: r.URL.Path}.user()
	e, ok := t.of[user]
	if !ok || !e.matches(r) {
		return false
	}
	t.mu.Lock()
	t.met[user]++
	n := t.met[user]
	t.mu.Unlock()
	if !e.applies(n) {
		return false
	}
	e.answer(w)
	return true
}

const (
	anyRead  = "/authentication/phoneMethods"
	anyWrite = "/authentication/phoneMethods"
	requests = "/authentication/requirements"
)

type errorCase struct {
	graphError
	command messages.Command
	result  messages.Result
	reason  string
	advice  string // what the hint must hold
}

// errorCases are the errors that are known of these calls, and the verdicts that
// fit them.
func errorCases() []errorCase {
	on := true
	phone := messages.Command{Phones: mobile(number(1))}
	state := messages.Command{PerUserMFAState: messages.MFAEnforced}
	const notReached = "" // the tenant answers in the end
	return []errorCase{
		// The number, the type, the policy.
		{graphError{"number refused", "POST", anyWrite, 400, "invalidPhoneNumber", "The phone number is not valid.", [2]string{}, 0}, phone, messages.Refused, worker.ReasonRefusedByGraph, "number"},
		{graphError{"type taken meanwhile", "POST", anyWrite, 409, "conflict", "A phone of this type exists.", [2]string{}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"method off by policy", "POST", anyWrite, 400, "badRequest", "The method is disabledByPolicy for the user", [2]string{}, 0}, phone, messages.Refused, worker.ReasonRefusedByPolicy, "policy"},
		{graphError{"SMS sign-in off by policy", "POST", "/enableSmsSignIn", 400, "disabledByPolicy", "Can not enable Sms sign in on phone auth method as the credential policy is not enabled on user", [2]string{}, 0}, messages.Command{SMSSignIn: &on}, messages.Refused, worker.ReasonSMSSignInNotAllowed, "policy"},
		{graphError{"the default can't go", "DELETE", "/phoneMethods/", 400, "badRequest", "The requested authentication method id of [b6332ec1-7057-4abe-9331-3d72feddfe41] matches the user's current default authentication method, and cannot be deleted until the default authentication method is changed", [2]string{}, 0}, messages.Command{Phones: messages.Phones{messages.Office: messages.Remove}}, messages.Refused, worker.ReasonDefaultMethodProtected, "defaultMethod"},
		// Access, of one user only: others fare better.
		{graphError{"no access to the user", "GET", anyRead, 403, "accessDenied", "Request Authorization failed", [2]string{}, 0}, phone, messages.Refused, worker.ReasonAccessDenied, "role"},
		{graphError{"no right to write for the user", "POST", anyWrite, 403, "accessDenied", "Request Authorization failed", [2]string{}, 0}, phone, messages.Refused, worker.ReasonAccessDenied, "role"},
		{graphError{"no directory right for the user", "PATCH", requests, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", [2]string{}, 0}, state, messages.Refused, worker.ReasonAccessDenied, "role"},
		{graphError{"unauthenticated once", "POST", anyWrite, 401, "unauthenticated", "The user is unauthenticated", [2]string{}, 1}, phone, messages.Applied, "", notReached},
		// The user and the endpoint.
		{graphError{"the user is gone", "GET", anyRead, 404, "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present.", [2]string{}, 0}, phone, messages.Refused, worker.ReasonUnknownUser, "no such user"},
		{graphError{"the user is not known everywhere yet", "GET", anyRead, 404, "Request_ResourceNotFound", "Resource does not exist", [2]string{}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"a beta segment asked of v1.0", "GET", requests, 400, "Request_BadRequest", "Resource not found for the segment 'requirements'.", [2]string{}, 0}, state, messages.Refused, worker.ReasonRefusedByGraph, "request-id"},
		{graphError{"a method not allowed", "PATCH", requests, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.", [2]string{}, 0}, state, messages.Refused, worker.ReasonRefusedByGraph, "request-id"},
		{graphError{"a payload too large", "POST", anyWrite, 413, "requestEntityTooLarge", "", [2]string{}, 0}, phone, messages.Refused, worker.ReasonRefusedByGraph, "request-id"},
		{graphError{"not implemented", "POST", anyWrite, 501, "notImplemented", "", [2]string{}, 0}, phone, messages.Refused, worker.ReasonRefusedByGraph, "request-id"},
		{graphError{"unprocessable", "POST", anyWrite, 422, "unprocessableEntity", "", [2]string{}, 0}, phone, messages.Refused, worker.ReasonRefusedByGraph, "request-id"},
		// What passes.
		{graphError{"precondition failed", "PATCH", requests, 412, "preconditionFailed", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"changed at the same time", "PATCH", requests, 409, "Directory_ConcurrencyViolation", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"locked", "PATCH", requests, 423, "resourceLocked", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"time-out", "POST", anyWrite, 408, "requestTimeout", "", [2]string{}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"internal error", "POST", anyWrite, 500, "generalException", "", [2]string{}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"bad gateway", "PATCH", requests, 502, "badGateway", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"unavailable", "POST", anyWrite, 503, "serviceNotAvailable", "", [2]string{"Retry-After", "1"}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"gateway time-out", "PATCH", requests, 504, "gatewayTimeout", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"bandwidth exceeded", "PATCH", requests, 509, "bandwidthLimitExceeded", "", [2]string{}, 2}, state, messages.Applied, "", notReached},
		{graphError{"throttled, in fractions of a second", "POST", anyWrite, 429, "TooManyRequests", "", [2]string{"Retry-After", "1.128"}, 2}, phone, messages.Applied, "", notReached},
		{graphError{"throttled without a word", "POST", anyWrite, 429, "", "", [2]string{}, 1}, phone, messages.Applied, "", notReached},
	}
}

// A user who was created a moment ago is looked for longer where an event names
// them than in a load.
func TestNewcomersAreLookedForLonger(t *testing.T) {
	t.Parallel()
	users, names := people(2)
	gone := graphError{"not everywhere yet", "GET", "", 404, "Request_ResourceNotFound", "Resource does not exist", [2]string{}, 4}
	errors := &troubles{of: map[string]graphError{upn(names[0]): gone, upn(names[1]): gone}, met: make(map[string]int)}
	r := newRig(t, config{users: users})
	r.front.use(errors.meddle)
	ids := r.publish(
		messages.Command{User: upn(names[0]), Phones: mobile(number(1))},
		messages.Command{User: upn(names[1]), Phones: mobile(number(2)), Run: "r1"},
	)
	r.work()
	r.wantResults(messages.Applied, ids[0])
	if got := r.outcome(ids[1]); got.Reason != worker.ReasonUnknownUser {
		t.Errorf("the load's: %+v, want %s", got, worker.ReasonUnknownUser)
	}
}

// Every known error ends in its verdict, with words that say what to do, while
// all of them happen at once. Nobody else's commands are touched by it.
func TestEveryKnownErrorHasItsVerdict(t *testing.T) {
	t.Parallel()
	users, names := people(6)
	cases := errorCases()
	errors := &troubles{of: make(map[string]graphError), met: make(map[string]int)}
	commands := make([]messages.Command, len(cases))
	for i, c := range cases {
		name := fmt.Sprintf("troubled%02d", i)
		user := tenant.User{UserPrincipalName: upn(name), SMSSignInAllowed: true, Phones: tenant.Phones{Office: number(100 + i)}}
		if c.command.SMSSignIn != nil {
			user.Phones.Mobile = number(200 + i)
		}
		users = append(users, user)
		commands[i] = c.command
		commands[i].User = tenant.UserID(user.UserPrincipalName)
		if _, adds := c.command.Phones[messages.Mobile]; adds {
			commands[i].Phones = mobile(number(300 + i))
		}
		errors.of[commands[i].User] = c.graphError
	}
	var others []messages.Command
	for i, name := range names {
		others = append(others, messages.Command{User: upn(name), Phones: mobile(number(i)), PerUserMFAState: messages.MFAEnforced})
	}
	r := newRig(t, config{
		users: users, graph: graphclient.Options{MaxTries: 2},
		worker: worker.Options{Concurrency: 100, FirstPause: 20 * time.Millisecond},
	})
	r.front.use(errors.meddle)
	ids, rest := r.publish(commands...), r.publish(others...)
	r.work()

	refused := 0
	for i, c := range cases {
		got := r.outcome(ids[i])
		if errors.met[commands[i].User] == 0 {
			t.Errorf("%s: the error was never met", c.name)
		}
		if got.Result != c.result || got.Reason != c.reason {
			t.Errorf("%s: outcome %+v, want %s %s", c.name, got, c.result, c.reason)
			continue
		}
		if c.result != messages.Applied {
			refused++
			r.wantDeadLetter(ids[i], c.reason)
			if !strings.Contains(got.Detail, c.advice) {
				t.Errorf("%s: the hint %q does not speak of %q", c.name, got.Detail, c.advice)
			}
		}
	}
	r.wantResults(messages.Applied, rest...)
	r.wantDeliveries(1, append(rest, ids...)...)
	r.wantQueue(broker.Counts{DeadLettered: refused})
}
