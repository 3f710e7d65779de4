package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/graphclient"
)

// notReached begins the text of an error of the network. azidentity keeps only
// the text of such an error, so the text has to say what it is.
const notReached = "the token service was not reached"

// notTrusted does the same for a certificate that nobody vouches for. It does not
// pass by itself.
const notTrusted = "the certificate of the token service is not trusted"

// tokenTransport carries azidentity's requests.
type tokenTransport struct{ client *http.Client }

func newTokenTransport(roots *x509.CertPool) *tokenTransport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &tokenTransport{&http.Client{Transport: t, Timeout: 30 * time.Second}}
}

// Do sends the request.
func (t *tokenTransport) Do(r *http.Request) (*http.Response, error) {
	resp, err := t.client.Do(r)
	var untrusted *tls.CertificateVerificationError
	switch {
	case err == nil || r.Context().Err() != nil:
		return resp, err
	case errors.As(err, &untrusted):
		return nil, &untrustedError{err}
	}
	return nil, fmt.Errorf("%s: %w", notReached, err)
}

// tokenCredential tells of azidentity's errors which of them may pass.
type tokenCredential struct{ sdk azcore.TokenCredential }

// GetToken gets a token from azidentity.
func (c *tokenCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.sdk.GetToken(ctx, o)
	if err != nil && ctx.Err() == nil {
		err = describeTokenError(err)
	}
	return token, err
}

// passingError is trouble with the token service that may be over later.
type passingError struct {
	error
	text string
	wait time.Duration
}

var _ graphclient.Temporary = (*passingError)(nil)

func (e *passingError) Error() string             { return e.text }
func (e *passingError) Unwrap() error             { return e.error }
func (*passingError) Temporary() bool             { return true }
func (e *passingError) RetryAfter() time.Duration { return e.wait }

// untrustedError is one that --ca-file may mend, and another try does not.
type untrustedError struct{ error }

var (
	_ doctor.Untrusted            = (*untrustedError)(nil)
	_ interface{ NonRetriable() } = (*untrustedError)(nil) // as azcore asks
)

func (e *untrustedError) Error() string { return notTrusted + "; name its authority by --ca-file" }
func (e *untrustedError) Unwrap() error { return e.error }
func (*untrustedError) Untrusted()      {}
func (*untrustedError) NonRetriable()   {}

func describeTokenError(err error) error {
	if strings.Contains(err.Error(), notTrusted) {
		return &untrustedError{err}
	}
	if strings.Contains(err.Error(), notReached) {
		return &passingError{error: err, text: notReached}
	}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil {
		return err
	}
	r := failed.RawResponse
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusRequestTimeout && r.StatusCode < 500 {
		return err
	}
	wait := time.Duration(0)
	if seconds, atoi := strconv.Atoi(r.Header.Get("Retry-After")); atoi == nil {
		wait = time.Duration(seconds) * time.Second
	}
	return &passingError{error: err, text: fmt.Sprintf("the token service answered %d", r.StatusCode), wait: wait}
}
