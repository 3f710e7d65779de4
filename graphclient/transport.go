package graphclient

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// idleConnsPerHost keeps a busy worker from closing and reopening connections:
// net/http keeps only two idle ones per host by default.
const idleConnsPerHost = 256

// httpClients returns the client that sends requests and a second one that
// opens a new connection for each: after a 503 Graph asks for that, since the
// old connection may lead to the same tired front end (Microsoft Graph error
// responses, 503). Neither follows redirects: Graph sends none on the calls that
// are made here, and a token must not leave for another host.
func httpClients(given *http.Client, roots *x509.CertPool) (usual, fresh *http.Client) {
	if given == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		if roots != nil {
			t.TLSClientConfig = &tls.Config{RootCAs: roots}
			t.ForceAttemptHTTP2 = true
		}
		t.MaxIdleConns = 0
		t.MaxIdleConnsPerHost = idleConnsPerHost
		given = &http.Client{Transport: t, Timeout: attemptTimeout}
	}
	u := *given
	u.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f := u
	f.Transport = withoutReuse(u.Transport)
	return &u, &f
}

// withoutReuse returns a transport like rt that keeps no connection. A transport
// that is not net/http's own is returned as it is: its connections are its own
// affair.
func withoutReuse(rt http.RoundTripper) http.RoundTripper {
	if rt == nil {
		rt = http.DefaultTransport
	}
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}
