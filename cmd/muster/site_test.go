package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a listener of pipes, which count as idle in a synctest bubble.
type piped struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p piped) Close() error   { close(p.closed); return nil }
func (p piped) Addr() net.Addr { return &net.TCPAddr{} }

// crowded runs f with a site that has room for three, whose requests to /slow end with
// their connection only. What f gets has a connection come to it.
func crowded(t *testing.T, f func(t *testing.T, s *site, arrive func(net.Conn))) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
		s := newSite(mux)
		s.visitors.most = 3
		listener := piped{make(chan net.Conn), make(chan struct{})}
		served := make(chan error)
		go func() { served <- s.Serve(listener) }()
		f(t, s, func(c net.Conn) {
			listener.conns <- c
			synctest.Wait()
		})
		<-time.After(time.Second) // in which what is refused is let go
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// dial connects to a site.
func dial(t *testing.T, arrive func(net.Conn)) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	arrive(server)
	return client
}

// ask sends a request and returns the status of the answer, 0 for none.
func ask(c net.Conn, path string) int {
	go func() { _, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n") }()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// Those who only connect, and those who ask for nothing more, keep nobody out.
func TestIdleVisitorsKeepNobodyOut(t *testing.T) {
	crowded(t, func(t *testing.T, _ *site, arrive func(net.Conn)) {
		idle := dial(t, arrive)
		if got := ask(idle, "/"); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		<-time.After(time.Millisecond) // so that it has been there for the longest
		dial(t, arrive)
		dial(t, arrive)
		if got := ask(dial(t, arrive), "/"); got != 0 {
			t.Errorf("status %d for one too many", got)
		}
		<-time.After(2 * idleGrace)
		if got := ask(dial(t, arrive), "/"); got != http.StatusOK {
			t.Errorf("status %d for one who takes another's place", got)
		}
		if got := ask(idle, "/"); got != 0 {
			t.Errorf("status %d for one whose place was taken", got)
		}
	})
}

// Those who are at one request without end keep nobody out for long.
func TestBusyVisitorsKeepNobodyOutForLong(t *testing.T) {
	crowded(t, func(t *testing.T, _ *site, arrive func(net.Conn)) {
		for range 3 {
			go ask(dial(t, arrive), "/slow")
		}
		<-time.After(busyGrace / 2)
		if got := ask(dial(t, arrive), "/"); got != 0 {
			t.Errorf("status %d for one too many", got)
		}
		<-time.After(busyGrace)
		if got := ask(dial(t, arrive), "/"); got != http.StatusOK {
			t.Errorf("status %d for one who takes another's place", got)
		}
	})
}

// A site ends when its time has come, whoever is at what request.
func TestASiteEnds(t *testing.T) {
	crowded(t, func(t *testing.T, s *site, arrive func(net.Conn)) {
		go ask(dial(t, arrive), "/slow")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		s.shutDown(ctx)
		took := time.Since(begun)
		synctest.Wait()
		if took > 2*time.Second || len(s.visitors.all) > 0 {
			t.Errorf("it took %v, and %d are left", took, len(s.visitors.all))
		}
	})
}

// stuck is like a tls.Conn whose peer has it write: it writes while it is read, and
// can't be closed meanwhile.
type stuck struct {
	net.Conn
	read chan struct{}
}

func (s stuck) NetConn() net.Conn { return s.Conn }

func (s stuck) Read([]byte) (int, error) {
	defer close(s.read)
	return s.Write([]byte{0}) // which nobody reads
}

func (s stuck) Close() error {
	<-s.read
	return s.Conn.Close()
}

// A connection that can't be closed is cut off when it has been there for too long, and
// at the site's end.
func TestVisitorsWhoCannotBeSentAway(t *testing.T) {
	crowded(t, func(t *testing.T, s *site, arrive func(net.Conn)) {
		visit := func() net.Conn {
			return dial(t, func(c net.Conn) { arrive(stuck{c, make(chan struct{})}) })
		}
		first := visit()
		<-time.After(longestVisit + time.Second)
		if first.SetDeadline(time.Time{}) == nil { // which a pipe doesn't take once its other end is closed
			t.Error("the first has not been cut off")
		}
		visit()
		<-time.After(6 * time.Second) // from when on the package closes it, and waits for that
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		s.shutDown(ctx)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A header has its bound, that of the request line included.
func TestHeadersWithoutEnd(t *testing.T) {
	crowded(t, func(t *testing.T, _ *site, arrive func(net.Conn)) {
		if got := ask(dial(t, arrive), "/"+strings.Repeat("a", 2*maxHeader)); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", got)
		}
	})
}
