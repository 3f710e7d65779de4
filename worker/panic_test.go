package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// A panic over one command costs that command and no other.
func TestAPanicInAStageIsDeadLettered(t *testing.T) {
	t.Parallel()
	users, names := people(10)
	victim := tenant.UserID(upn(names[3]))
	r := newRig(t, config{users: users, graph: graphclient.Options{HTTPClient: &http.Client{Transport: explosive(victim)}}})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()
	r.wantDeadLetter(ids[3], worker.ReasonPanic)
	r.wantResults(messages.Failed, ids[3])
	r.wantResults(messages.Applied, append(ids[:3:3], ids[4:]...)...)
	if n := r.log.count("panic while a command was processed"); n != 1 {
		t.Errorf("%d panics in the log, want one", n)
	}
}

// A panic of the probe leaves the gate to others.
func TestAPanicOfTheProbeDoesNotKeepTheTenantPaused(t *testing.T) {
	t.Parallel()
	users, names := people(3)
	victim := tenant.UserID(upn(names[0]))
	first := once("GET", victim)
	r := newRig(t, config{
		users:  users,
		worker: worker.Options{FirstPause: time.Nanosecond, Concurrency: 1}, // so the one who is refused is the probe
		graph: graphclient.Options{HTTPClient: &http.Client{Transport: transport(func(req *http.Request) (*http.Response, error) {
			if strings.Contains(req.URL.Path, victim) && !first(req) {
				panic("invented by a test")
			}
			return http.DefaultTransport.RoundTrip(req)
		})}},
	})
	r.front.use(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		return strings.Contains(req.URL.Path, victim) && refuse(w, 403, "accessDenied")
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: tenant.UserID(upn(name)), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()
	r.wantResults(messages.Failed, ids[0])
	r.wantResults(messages.Applied, ids[1:]...)
}

// A panic in the function that outcomes are reported to does not end the worker.
func TestAPanicInReportIsSurvived(t *testing.T) {
	t.Parallel()
	users, names := people(10)
	r := newRig(t, config{users: users})
	var commands []messages.Command
	for i, name := range names {
		// Twice each: the second goes only if the first has left its place.
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))},
			messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.config.worker.Report = func(o messages.Outcome) {
		if o.CommandID == ids[0] {
			panic("invented by a test, about " + names[0])
		}
	}
	r.work()
	for i := range names {
		r.wantResults(messages.Applied, ids[2*i])
		r.wantResults(messages.Unchanged, ids[2*i+1])
	}
	r.wantQueue(broker.Counts{})
	if n := r.log.count("panic while a command was processed"); n != 1 {
		t.Errorf("%d panics in the log, want one", n)
	}
}

// explosive is a transport that panics over the phones of one user.
func explosive(user string) http.RoundTripper {
	return transport(func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Path, user+"/authentication/phoneMethods") {
			panic("invented by a test")
		}
		return http.DefaultTransport.RoundTrip(req)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
