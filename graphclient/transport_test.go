package graphclient_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
)

// serve starts a server on loopback and a client with a transport of its own.
func serve(t *testing.T, maxTries int, h http.HandlerFunc) *graphclient.Directory {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := graphclient.New(graphclient.Options{Endpoint: s.URL + "/prefix/", MaxTries: maxTries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.Directory("t")
}

func TestConnectionsAreKeptSaveAfter503(t *testing.T) {
	var mu sync.Mutex
	var from []string
	d := serve(t, 2, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from = append(from, r.RemoteAddr)
		switch len(from) {
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 4:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"code":"x"}}`)
		default:
			_, _ = io.WriteString(w, `{"value":[]}`)
		}
	})
	for range 3 {
		if _, err := d.Phones(t.Context(), userGUID); err != nil {
			t.Fatal(err)
		}
	}
	if len(from) != 5 {
		t.Fatalf("%d requests", len(from))
	}
	if from[0] != from[1] || from[0] != from[3] || from[3] != from[4] {
		t.Errorf("a connection was not kept: %v", from)
	}
	if from[2] == from[1] {
		t.Error("after a 503 the same connection was used")
	}
}

func TestUserSegmentArrivesWhole(t *testing.T) {
	var got []string
	d := serve(t, 2, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path)
		_, _ = io.WriteString(w, `{"value":[]}`)
	})
	for _, user := range []string{guestUPN, "$o'neil@contoso.example", "a/b?c%41 d@contoso.example"} {
		if _, err := d.Phones(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"/prefix/v1.0/users/" + guestUPN + "/authentication/phoneMethods",
		"/prefix/v1.0/users('$o''neil@contoso.example')/authentication/phoneMethods",
		"/prefix/v1.0/users/a/b?c%41 d@contoso.example/authentication/phoneMethods",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("path = %s, want %s", got[i], want[i])
		}
	}
}

func TestRepliesAreCapped(t *testing.T) {
	large := strings.Repeat(" ", 9<<20)
	d := serve(t, 1, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"value":[]}`+large)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, large+`{"error":{"code":"itemNotFound"}}`)
	})
	if _, err := d.Phones(t.Context(), userGUID); graphclient.KindOf(err) != graphclient.KindTransient || !strings.Contains(err.Error(), "too large") {
		t.Errorf("large reply: %v", err)
	}
	// The envelope lies beyond the cap, so this is not Graph's word.
	if err := d.DeletePhone(t.Context(), userGUID, graphclient.Mobile); graphclient.KindOf(err) != graphclient.KindTransient {
		t.Errorf("large error: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c, err := graphclient.New(graphclient.Options{Endpoint: "http://" + address, MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Directory("t").Phones(t.Context(), guestUPN)
	if graphclient.KindOf(err) != graphclient.KindTransient || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error = %v", err)
	}
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Error("the network's error is not in the chain")
	}
}

func TestCutReplyToARead(t *testing.T) {
	n := 0
	d := serve(t, 2, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"value":[`)
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"value":[]}`)
	})
	if _, err := d.Phones(t.Context(), userGUID); err != nil || n != 2 {
		t.Errorf("error = %v after %d requests", err, n)
	}
}
