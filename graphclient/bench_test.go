package graphclient_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
)

// BenchmarkPhones is one GET through do over a transport in memory.
func BenchmarkPhones(b *testing.B) {
	w := &forgetful{reply: `{"value":[{"id":"` + mobileID + `","phoneType":"mobile","phoneNumber":"+1 2065550100","smsSignInState":"ready"}]}`}
	c, err := graphclient.New(graphclient.Options{Endpoint: loopback, HTTPClient: w.client()})
	if err != nil {
		b.Fatal(err)
	}
	d := c.Directory("contoso.example")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Phones(b.Context(), userGUID); err != nil {
			b.Fatal(err)
		}
	}
}

// forgetful is a transport in memory that always gives the same reply.
type forgetful struct{ reply string }

func (f *forgetful) client() *http.Client { return &http.Client{Transport: f} }

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.reply)), Request: r}, nil
}
