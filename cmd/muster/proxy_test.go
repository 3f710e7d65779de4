package main_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crossing is a moment at which something passes between the worker and one of
// the services. The trigger is called at every one of them, before what passes
// goes on.
type trigger func()

// proxyGraph stands between a worker and the tenant. The trigger is called
// before each request is handed on and again before the reply is: a process that
// is killed at the second moment never learns what its write did.
func proxyGraph(t testing.TB, graph string, pull trigger) string {
	t.Helper()
	target, err := url.Parse(graph)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		ModifyResponse: func(*http.Response) error { pull(); return nil },
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pull()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

// proxyAMQP stands between a worker and the broker, and returns the connection
// string that leads through it. The trigger is called for each piece that either
// side sends.
func proxyAMQP(t testing.TB, connectionString string, pull trigger) string {
	t.Helper()
	_, rest, _ := strings.Cut(connectionString, "sb://")
	target, _, _ := strings.Cut(rest, ";")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	var closing bool
	pipe := func(from, to net.Conn) {
		defer from.Close()
		defer to.Close()
		buffer := make([]byte, 16<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				pull()
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, server)
			late := closing
			mu.Unlock()
			if late {
				client.Close()
				server.Close()
			}
			all.Go(func() { pipe(client, server) })
			all.Go(func() { pipe(server, client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		closing = true
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return strings.Replace(connectionString, target, listener.Addr().String(), 1)
}

// countdown pulls once, when it is set and has been counted down.
type countdown struct {
	left atomic.Int64
	mu   sync.Mutex
	do   func() // guarded by mu
}

func (c *countdown) set(n int64, do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = do
	c.left.Store(n)
}

func (c *countdown) pull() {
	if c.left.Add(-1) == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.do()
	}
}
