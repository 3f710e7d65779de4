package graphclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	maxReplyBody = 8 << 20
	maxErrorBody = 1 << 20
)

var errTooLarge = errors.New("reply is too large")

// reply is what one attempt brought. Status zero and err set: none arrived.
type reply struct {
	status          int
	header          http.Header
	body            []byte
	problem         problem
	clientRequestID string
	token           string // with which it was asked for
	err             error
}

func (r reply) seen() seen {
	if r.err != nil {
		return seen{kind: KindTransient, header: r.header}
	}
	return seen{status: r.status, kind: classify(r.status, r.problem), header: r.header}
}

// requestID is Graph's id of the request, from the header or the envelope.
func (r reply) requestID() string {
	if id := safeID(r.header.Get("request-id")); id != "" {
		return id
	}
	return r.problem.requestID
}

// failure turns a reply that is no success into the caller's error.
func (r reply) failure(op string) *Error {
	wait, _ := retryAfter(r.header, time.Now())
	return &Error{
		Op:              op,
		Kind:            r.seen().kind,
		StatusCode:      r.status,
		Code:            r.problem.code(),
		RequestID:       r.requestID(),
		ClientRequestID: r.clientRequestID,
		RetryAfter:      wait,
		cause:           r.err,
	}
}

// unreadable is the error of a successful reply with a body of the wrong shape.
func (r reply) unreadable(op string) *Error {
	e := r.failure(op)
	e.Kind, e.Code = KindTransient, CodeUnreadableReply
	return e
}

// send makes one attempt under a span of its own.
func (d *Directory) send(ctx context.Context, k call, body []byte, token string, h history) reply {
	c := d.client
	c.requests.Add(1)
	c.writes.Add(int64(k.writes))
	id := uuid.NewString()
	ctx, attempt := c.tel.start(ctx, c.base, k, id, h.sends)
	r := d.exchange(ctx, k, body, token, id, h)
	attempt.end(ctx, k, r)
	return r
}

// exchange sends the request and reads the reply whole.
func (d *Directory) exchange(ctx context.Context, k call, body []byte, token, id string, h history) reply {
	r := reply{clientRequestID: id, token: token}
	req, err := d.newRequest(ctx, k, body, token, id)
	if err != nil {
		r.err = withoutURL(err)
		return r
	}
	client := d.client.http
	if h.stale {
		client = d.client.fresh
	}
	resp, err := client.Do(req)
	if err != nil {
		r.err = withoutURL(err)
		return r
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	if r.status < 200 || r.status > 299 {
		r.body, _ = readUpTo(resp.Body, maxErrorBody)
		r.problem = decodeProblem(r.body)
		return r
	}
	r.body, err = readUpTo(resp.Body, maxReplyBody)
	if err != nil && k.wants {
		r.err = withoutURL(err)
	}
	return r
}

func (d *Directory) newRequest(ctx context.Context, k call, body []byte, token, id string) (*http.Request, error) {
	var payload io.Reader
	if body != nil {
		payload = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, k.url(d.client.base), payload)
	if err != nil {
		return nil, err
	}
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Accept", "application/json")
	set("User-Agent", d.client.userAgent)
	set("Client-Request-Id", id)
	set("X-Ms-Throttle-Priority", string(d.priority))
	if token != "" {
		set("Authorization", "Bearer "+token)
	}
	if body != nil {
		set("Content-Type", "application/json")
	}
	if k.method == http.MethodGet {
		// Without it Graph hides newer enum members behind unknownFutureValue.
		set("Prefer", "include-unknown-enum-members")
	}
	if k.advanced {
		set("ConsistencyLevel", "eventual")
	}
	return req, nil
}

// readUpTo reads a body to its end, which lets the connection serve again. A
// longer one is abandoned together with its connection.
func readUpTo(body io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(b)) > limit {
		return b[:limit], errTooLarge
	}
	return b, err
}
