package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
)

// A worker that makes no headway says why, once for all that wait.
func TestTroubleForEverybodyIsTold(t *testing.T) {
	t.Parallel()
	users, names := people(20)
	r := newRig(t, config{users: users, graph: graphclient.Options{MaxTries: 1}})
	r.front.use(func(n int, w http.ResponseWriter, _ *http.Request) bool {
		return n <= 60 && refuse(w, 500, "generalException")
	})
	var commands []messages.Command
	for i, name := range names {
		commands = append(commands, messages.Command{User: upn(name), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()
	line := r.log.await(t, "microsoft graph fails")
	for _, want := range []string{domain, "generalException", "next_try_in", `"level":"WARN"`} {
		if !strings.Contains(line, want) {
			t.Errorf("the log does not tell %s: %s", want, line)
		}
	}
	if n := r.log.count("microsoft graph fails"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	r.wantResults(messages.Applied, ids...)
}
