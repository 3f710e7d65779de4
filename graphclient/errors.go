package graphclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// Error is a call that Graph refused or that could not be carried out. Its text
// holds operation, status, code and ids, and never Graph's own message, which
// can repeat the number or the user principal name.
type Error struct {
	// Op is the operation, such as "add mobile phone".
	Op string
	// Kind says what a caller can do about it.
	Kind Kind
	// StatusCode is the HTTP status, zero where no reply arrived.
	StatusCode int
	// Code is the most specific error code of Graph's reply, or one of the
	// package's own codes (see the Code constants). It may be empty.
	Code string
	// RequestID is Graph's id of the request, for Microsoft's support.
	RequestID string
	// ClientRequestID is the id that was sent with the request.
	ClientRequestID string
	// RetryAfter is how long Graph asked to wait, zero where it did not.
	RetryAfter time.Duration

	cause error
}

// The codes of errors that this package finds without asking Graph.
const (
	// CodeUnusableID: the id of a user or method can't stand in a URL.
	CodeUnusableID = "musterUnusableID"
	// CodeUnknownPhoneType: the phone type is none of the three.
	CodeUnknownPhoneType = "musterUnknownPhoneType"
	// CodeNotInCloud: the national cloud has no such action.
	CodeNotInCloud = "musterNotInCloud"
	// CodeForeignNextLink: a page points to a next page outside the endpoint.
	CodeForeignNextLink = "musterForeignNextLink"
	// CodeUnreadableReply: the reply is not what Graph's documentation says.
	CodeUnreadableReply = "musterUnreadableReply"
	// CodeTooManyGroups: more groups than one call may name.
	CodeTooManyGroups = "musterTooManyGroups"
	// CodeOtherNumber: another number of that type is there already.
	CodeOtherNumber = "musterOtherNumber"
)

// Error tells the operation, what went wrong and the ids.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(string(e.Kind))
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ", status %d", e.StatusCode)
	}
	for _, part := range [...]struct{ name, value string }{
		{"code", e.Code}, {"request-id", e.RequestID}, {"client-request-id", e.ClientRequestID},
	} {
		if part.value != "" {
			b.WriteString(", " + part.name + " " + part.value)
		}
	}
	if e.cause != nil {
		b.WriteString(": " + describe(e.cause))
	}
	return b.String()
}

// Unwrap returns what lies beneath where no reply arrived, such as a net.Error.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the *Error in err's chain, [KindNone] where there
// is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindNone
}

// interrupted is the error of a call whose context has ended. It is no *Error:
// Graph had no part in it. Both ctx.Err() and the cause are in its chain.
func interrupted(ctx context.Context, op string) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("%s: %w", op, cause)
	}
	return fmt.Errorf("%s: %w: %w", op, err, cause)
}

// withoutURL strips the wrapper that net/http puts around transport errors: its
// text holds the URL, and the URL can hold a user principal name.
func withoutURL(err error) error {
	for {
		wrapper, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapper.Err
	}
}

// describe gives the text of a transport error where the text is known to be
// made of addresses and fixed words. Anything else may quote what went over the
// wire, so only its type is told.
func describe(err error) string {
	var (
		op          *net.OpError
		dns         *net.DNSError
		record      tls.RecordHeaderError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		token       *tokenError
	)
	switch {
	case errors.As(err, &token):
		return token.Error()
	case errors.Is(err, errTooLarge), errors.Is(err, errNoAnswer), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err.Error()
	case errors.As(err, &op):
		return op.Error()
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &record):
		return record.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &authority):
		return authority.Error()
	case isTimeout(err):
		return "timed out"
	}
	return fmt.Sprintf("%T", err)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
