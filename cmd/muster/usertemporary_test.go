package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestUserTemporaryIsSetBackInTime(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	before := l.ada(t)
	r := muster(t, l.graphOnly(), "", "user", "temporary", adaName, "--office", "+1 206 555 0150", "--default-method", "voiceOffice", "--until", "1s").expect(t, 0)
	if !strings.Contains(r.stdout, "Setting back:") || !strings.Contains(r.stdout, "voiceOffice") {
		t.Errorf("stdout: %s", r.stdout)
	}
	if after := l.ada(t); after.Phones != before.Phones || after.DefaultMethod != before.DefaultMethod || l.stats(t).Writes != 4 {
		t.Errorf("in the end %+v after %d writes, want what was before", after, l.stats(t).Writes)
	}
}

// Ctrl-C, and a terminal that is closed, set back at once.
func TestUserTemporaryIsSetBackWhenInterrupted(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		p := start(t, l.graphOnly(), nil, "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--until", "23h")
		p.stderr.waitFor(t, "Leave this running")
		if got := l.ada(t).Phones.Mobile; got != "+1 2065550107" {
			t.Errorf("while it waits the mobile is %s", got)
		}
		p.cmd.Process.Signal(signal)
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d\n%s", code, p.stderr.String())
		}
		if u := l.ada(t); u.Phones.Mobile != "+1 2065550101" || !u.SMSSignIn {
			t.Errorf("after %v: %+v", signal, u)
		}
	}
}

// With a queue, a worker sets it back: not before the time, and not where
// somebody has changed it since.
func TestUserTemporaryIsSetBackByAWorker(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	c := l.user(t, 0, "temporary", "--mobile", "+1 206 555 0107", "--until", "2s")
	if c.Result.Result != "applied" || c.Until == "" {
		t.Errorf("%+v", c)
	}
	muster(t, l.env(fast...), "", "worker", "--until-empty").expect(t, 0) // waits for what is scheduled
	if u := l.ada(t); u.Phones.Mobile != "+1 2065550101" || !u.SMSSignIn {
		t.Errorf("after the time: %+v", u)
	}
	l.user(t, 0, "temporary", "--mobile", "+1 206 555 0107", "--until", "2s")
	l.user(t, 0, "set", "--mobile", "+1 206 555 0133")
	muster(t, l.env(fast...), "", "worker", "--until-empty").expect(t, 0)
	if got := l.ada(t).Phones.Mobile; got != "+1 2065550133" {
		t.Errorf("the mobile that was set in between is now %s", got)
	}
	if got := l.deadLetters(t); got["ChangedSince"] != 1 {
		t.Errorf("dead letters %v, want one with ChangedSince", got)
	}
}

// Where what is there can't be read it could not be set back, so nothing is set.
func TestUserTemporaryNeedsToReadWhatItReplaces(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"phoneMethods.list"}`)
	r := muster(t, l.env(fast...), "", "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--until", "1h").expect(t, 1)
	if !strings.Contains(r.stderr, "UserAuthMethod-Phone.Read.All") || l.stats(t).Writes != 0 {
		t.Errorf("%d writes, stderr: %s", l.stats(t).Writes, r.stderr)
	}
}

// However far it has come when it is interrupted, or when its terminal is closed,
// nothing of it stays.
func TestUserTemporaryIsSetBackWheneverItIsInterrupted(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, l *local, pull trigger) *process {
		env := append(l.graphOnly(), "MUSTER_GRAPH="+proxyGraph(t, l.Graph, pull))
		return start(t, env, nil, "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--default-method", "sms", "--until", "23h")
	}
	var crossings atomic.Int64
	p := begin(t, startWith(t, adaAtHome), func() { crossings.Add(1) })
	p.stderr.waitFor(t, "Leave this running")
	p.kill()
	p.wait()
	all := crossings.Load()
	for n := int64(1); n <= all; n += max(1, all/8) {
		t.Run(strconv.FormatInt(n, 10), func(t *testing.T) {
			t.Parallel()
			l := startWith(t, adaAtHome)
			before := l.ada(t)
			sent := []os.Signal{os.Interrupt, syscall.SIGHUP}[n%2]
			if signal.Ignored(syscall.SIGHUP) { // under nohup, by which the command too goes on
				sent = os.Interrupt
			}
			begun := make(chan *process, 1)
			var once sync.Once
			interrupt := func() { once.Do(func() { (<-begun).cmd.Process.Signal(sent) }) }
			var moment countdown
			moment.set(n, interrupt)
			p := begin(t, l, moment.pull)
			begun <- p
			// It may have crossed less often than the first, and would wait for hours.
			if p.stderr.written("Leave this running", p.done) {
				interrupt()
			}
			p.wait()
			if got := l.ada(t); got.Phones != before.Phones || got.DefaultMethod != before.DefaultMethod || got.SMSSignIn != before.SMSSignIn {
				t.Errorf("%v at crossing %d of %d left %+v\n%s", sent, n, all, got, p.stderr.String())
			}
		})
	}
}

// A reading that lags does not pass for having been set back: right after the
// last write, at which it is interrupted, every reading shows what was before.
func TestUserTemporaryIsSetBackWhereReadingsLag(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	target, err := url.Parse(l.Graph)
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan *process, 1)
	var mu sync.Mutex
	old := make(map[string][]byte) // guarded by mu: what each path showed first
	var written time.Time          // guarded by mu: when the last write was
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			mu.Lock()
			defer mu.Unlock()
			path := r.Request.URL.Path
			if r.Request.Method != http.MethodGet {
				if written.IsZero() && strings.HasSuffix(path, "/signInPreferences") {
					written = time.Now()
					(<-begun).cmd.Process.Signal(os.Interrupt)
				}
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			if _, seen := old[path]; !seen {
				old[path] = body
			}
			if time.Since(written) < 3*time.Second {
				body = old[path]
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	p := start(t, append(l.graphOnly(), "MUSTER_GRAPH="+server.URL), nil, "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--default-method", "sms", "--until", "23h")
	begun <- p
	p.wait()
	if got := l.ada(t); got.Phones.Mobile != "+1 2065550101" || got.DefaultMethod != "push" || l.stats(t).Writes < 4 {
		t.Errorf("in the end %s and %s after %d writes\n%s", got.Phones.Mobile, got.DefaultMethod, l.stats(t).Writes, p.stderr.String())
	}
}

// What was done before Graph refused the rest is set back at once.
func TestUserTemporaryThatFailsHalfwayIsSetBack(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"signInPreferences.change"}`)
	r := muster(t, l.graphOnly(), "", "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--default-method", "sms", "--until", "23h").expect(t, 1)
	if got := l.ada(t); got.Phones.Mobile != "+1 2065550101" || l.stats(t).Writes < 2 || !strings.Contains(r.stdout, "Setting back:") {
		t.Errorf("%+v after %d writes\n%s", got, l.stats(t).Writes, r.stdout)
	}
}

// It is set back as soon as Graph can be reached, and whoever reads the output
// may have gone by then.
func TestUserTemporaryIsSetBackAsSoonAsItCanBe(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	p := start(t, l.graphOnly(), w, "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--until", "1s")
	if p.wait() == 0 {
		t.Error("exit code 0, though nothing could be printed")
	}
	if got := l.ada(t).Phones.Mobile; got != "+1 2065550101" || l.stats(t).Writes < 2 {
		t.Errorf("without a reader the mobile is %s after %d writes\n%s", got, l.stats(t).Writes, p.stderr.String())
	}

	p = start(t, l.graphOnly(), nil, "user", "temporary", adaName, "--mobile", "+1 206 555 0107", "--until", "23h")
	p.stderr.waitFor(t, "Leave this running")
	l.post(t, http.MethodPost, "/_tenant/deny", `{"operation":"phoneMethods.change"}`)
	p.cmd.Process.Signal(os.Interrupt)
	p.stderr.waitFor(t, "Not set back yet")
	l.post(t, http.MethodDelete, "/_tenant/deny", "")
	if code := p.wait(); code != 0 || l.ada(t).Phones.Mobile != "+1 2065550101" {
		t.Errorf("exit code %d, and the mobile is %s\n%s", code, l.ada(t).Phones.Mobile, p.stderr.String())
	}
}

// What could not be set back is not set.
func TestUserTemporaryThatCouldNotBeSetBack(t *testing.T) {
	t.Parallel()
	const desk, plain = "desk@contoso.example", "plain@contoso.example"
	l := startWith(t, `{"userPrincipalName":"desk@contoso.example","phones":{"mobile":"+44 2079460000"}}`+"\n"+
		`{"userPrincipalName":"plain@contoso.example","phones":{"mobile":"+1 2065550101"}}`+"\n")
	temporary := func(user string, more ...string) []string {
		return append([]string{"user", "temporary", user, "--until", "1s"}, more...)
	}
	r := muster(t, l.graphOnly(), "", temporary(desk, "--mobile", "+1 206 555 0107")...).expect(t, 1)
	if !strings.Contains(r.stderr, "PhoneNumberNotMobile") || l.stats(t).Writes != 0 {
		t.Errorf("%d writes, stderr: %s", l.stats(t).Writes, r.stderr)
	}
	r = muster(t, l.graphOnly(), "", temporary(plain, "--default-method", "sms")...).expect(t, 0)
	if !strings.Contains(r.stdout, "The default method stays: there was none before") {
		t.Errorf("stdout: %s", r.stdout)
	}
	for _, wrong := range [][]string{{}, {"--mobile", ""}} {
		muster(t, l.graphOnly(), "", temporary(plain, wrong...)...).expect(t, 2)
	}
}
