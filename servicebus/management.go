package servicebus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// emulatorManagementPort is where Microsoft's emulator and muster local serve the
// management API, over plain HTTP.
const emulatorManagementPort = "5300"

// EmulatorManagement is where the management API of a local endpoint is expected:
// at http, on port 5300 of the connection string's host. It is empty for any other
// address.
func EmulatorManagement(address string) string {
	if !IsEmulator(address) {
		return ""
	}
	for part := range strings.SplitSeq(address, ";") {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "Endpoint") {
			continue
		}
		value = strings.TrimSpace(value)
		if !strings.Contains(value, "://") {
			value = "sb://" + value
		}
		if u, err := url.Parse(value); err == nil && u.Hostname() != "" {
			return "http://" + net.JoinHostPort(u.Hostname(), emulatorManagementPort)
		}
	}
	return ""
}

// managementTransport carries the requests of the official administration client,
// which always asks https on port 443 of the namespace. What is for a local
// endpoint goes elsewhere.
type managementTransport struct {
	client *http.Client
	to     *url.URL // nil for where the request says
}

// newManagementTransport redirects to an address such as http://127.0.0.1:5300, or
// 127.0.0.1:5300 for the same; the empty one redirects nothing.
func newManagementTransport(address string, roots *x509.CertPool) (*managementTransport, error) {
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	if roots != nil {
		carrier.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	// A redirection of the service's would carry the token to who knows where.
	t := &managementTransport{client: &http.Client{Transport: carrier, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
	if address == "" {
		return t, nil
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("the address of the management API must look like http://127.0.0.1:5300")
	}
	t.to = u
	return t, nil
}

// Do sends the request. Its token is signed for the namespace, which is named in
// the Host header still.
func (t *managementTransport) Do(r *http.Request) (*http.Response, error) {
	if t.to != nil {
		r = r.Clone(r.Context())
		if r.Host == "" {
			r.Host = r.URL.Host
		}
		r.URL.Scheme, r.URL.Host = t.to.Scheme, t.to.Host
	}
	resp, err := t.client.Do(r)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if err != nil {
		return nil, fmt.Errorf("reach the management API: %w", err)
	}
	return resp, nil
}
