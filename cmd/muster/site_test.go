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
// their connection only. What f gets dials it.
func crowded(t *testing.T, f func(t *testing.T, s *site, dial func() net.Conn)) {
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
		f(t, s, func() net.Conn {
			client, server := net.Pipe()
			t.Cleanup(func() { client.Close() })
			listener.conns <- server
			synctest.Wait()
			return client
		})
		<-time.After(time.Second) // in which what is refused is let go
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
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
	crowded(t, func(t *testing.T, _ *site, dial func() net.Conn) {
		idle := dial()
		if got := ask(idle, "/"); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		<-time.After(time.Millisecond) // so that it has been there for the longest
		dial()
		dial()
		if got := ask(dial(), "/"); got != 0 {
			t.Errorf("status %d for one too many", got)
		}
		<-time.After(2 * idleGrace)
		if got := ask(dial(), "/"); got != http.StatusOK {
			t.Errorf("status %d for one who takes another's place", got)
		}
		if got := ask(idle, "/"); got != 0 {
			t.Errorf("status %d for one whose place was taken", got)
		}
	})
}

// Those who are at one request without end keep nobody out for long.
func TestBusyVisitorsKeepNobodyOutForLong(t *testing.T) {
	crowded(t, func(t *testing.T, _ *site, dial func() net.Conn) {
		for range 3 {
			go ask(dial(), "/slow")
		}
		<-time.After(busyGrace / 2)
		if got := ask(dial(), "/"); got != 0 {
			t.Errorf("status %d for one too many", got)
		}
		<-time.After(busyGrace)
		if got := ask(dial(), "/"); got != http.StatusOK {
			t.Errorf("status %d for one who takes another's place", got)
		}
	})
}

// A site ends when its time has come, whoever is at what request.
func TestASiteEnds(t *testing.T) {
	crowded(t, func(t *testing.T, s *site, dial func() net.Conn) {
		go ask(dial(), "/slow")
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

// A header has its bound, that of the request line included.
func TestHeadersWithoutEnd(t *testing.T) {
	crowded(t, func(t *testing.T, _ *site, dial func() net.Conn) {
		if got := ask(dial(), "/"+strings.Repeat("a", 2*maxHeader)); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", got)
		}
	})
}
