package broker

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// maxPeek and maxPeekBytes bound one page of peek-message. A page holds one
	// message at least.
	maxPeek      = 1000
	maxPeekBytes = 1 << 20
)

// management answers requests to the $management node of a queue.
type management struct {
	server *Server
	queue  *queue.Queue
}

// argumentError says what is wrong with the arguments of a request.
type argumentError struct{ problem string }

func (e argumentError) Error() string { return e.problem }

// handle answers one request.
func (m management) handle(r request) reply {
	args, _ := r.body.(wire.Map)
	var body any
	var err error
	switch r.operation {
	case "com.microsoft:renew-lock":
		body, err = m.renewLock(args)
	case "com.microsoft:update-disposition":
		err = m.updateDisposition(args)
	case "com.microsoft:peek-message":
		body, err = m.peek(args)
		if err == nil && body == nil {
			return reply{status: http.StatusNoContent, description: "No Content"}
		}
	default:
		return notImplemented(fmt.Sprintf("operation %q", r.operation))
	}
	if err != nil {
		return failed(err)
	}
	return reply{status: http.StatusOK, description: "OK", body: body}
}

// failed turns an error into a reply.
func failed(err error) reply {
	var told *wire.Error
	var argument argumentError
	switch {
	case errors.Is(err, queue.ErrLockLost):
		return reply{status: http.StatusGone, description: textLockLost, condition: condLockLost}
	case errors.Is(err, queue.ErrDeadLetterQueue):
		return reply{status: http.StatusBadRequest, description: err.Error(), condition: wire.CondNotAllowed}
	case errors.As(err, &argument):
		return reply{status: http.StatusBadRequest, description: argument.problem, condition: condArgumentError}
	case errors.As(err, &told):
		return notImplemented(told.Description)
	}
	return reply{status: http.StatusInternalServerError, description: "internal error", condition: wire.CondInternalError}
}

func notImplemented(what string) reply {
	return reply{
		status:      http.StatusNotImplemented,
		description: what + " is not supported by this broker",
		condition:   wire.CondNotImplemented,
	}
}

// renewLock renews locks one by one; the first that is lost fails the request.
func (m management) renewLock(args wire.Map) (any, error) {
	tokens, err := lockTokens(args)
	if err != nil {
		return nil, err
	}
	expirations := make([]wire.Timestamp, len(tokens))
	for i, t := range tokens {
		until, err := m.queue.Renew(m.server.options.Now(), t)
		if err != nil {
			return nil, err
		}
		expirations[i] = timestamp(until)
	}
	return wire.Map{{Key: "expirations", Value: wire.ArrayOf(expirations...)}}, nil
}

// updateDisposition settles by lock token, for receivers whose link is gone.
func (m management) updateDisposition(args wire.Map) error {
	tokens, err := lockTokens(args)
	if err != nil {
		return err
	}
	status, _ := args.Get("disposition-status")
	settle, err := m.settlement(fmt.Sprint(status), args)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := settle(t); err != nil {
			return err
		}
	}
	return nil
}

func (m management) settlement(status string, args wire.Map) (func(queue.Token) error, error) {
	now := m.server.options.Now()
	modified, _ := args.Get("properties-to-modify")
	changes, _ := modified.(wire.Map)
	properties := overlay(changes)
	switch status {
	case "completed":
		return func(t queue.Token) error { return m.queue.Complete(now, t) }, nil
	case "abandoned":
		return func(t queue.Token) error { return m.queue.Abandon(now, t, properties) }, nil
	case "suspended":
		reason, _ := args.Get("deadletter-reason")
		description, _ := args.Get("deadletter-description")
		reasonText, _ := reason.(string)
		descriptionText, _ := description.(string)
		return func(t queue.Token) error {
			return m.queue.DeadLetter(now, t, reasonText, descriptionText, properties)
		}, nil
	case "defered": // as the protocol spells it
		return nil, refuse(wire.CondNotImplemented, "deferring messages")
	}
	return nil, argumentError{fmt.Sprintf("disposition-status %q is unknown", status)}
}

// peek returns one page of messages, nil when there is none.
func (m management) peek(args wire.Map) (any, error) {
	from, err := integer(args, "from-sequence-number")
	if err != nil {
		return nil, err
	}
	count, err := integer(args, "message-count")
	if err != nil {
		return nil, err
	}
	if count < 1 {
		return nil, argumentError{"message-count must be at least 1"}
	}
	var page wire.List
	size := 0
	for _, msg := range m.queue.Peek(m.server.options.Now(), from, int(min(count, maxPeek))) {
		encoded, err := peeked(msg)
		if err != nil {
			return nil, err
		}
		if size += len(encoded); size > maxPeekBytes && len(page) > 0 {
			break
		}
		page = append(page, wire.Map{{Key: "message", Value: encoded}})
	}
	if len(page) == 0 {
		return nil, nil
	}
	return wire.Map{{Key: "messages", Value: page}}, nil
}

// lockTokens reads the argument lock-tokens, an array or a list of uuids.
func lockTokens(args wire.Map) ([]queue.Token, error) {
	v, _ := args.Get("lock-tokens")
	var elements []any
	switch v := v.(type) {
	case wire.Array:
		elements = v.Elements
	case wire.List:
		elements = v
	}
	tokens := make([]queue.Token, len(elements))
	for i, e := range elements {
		id, ok := e.(wire.UUID)
		if !ok {
			return nil, argumentError{"lock-tokens must be an array of uuids"}
		}
		tokens[i] = queue.Token(id)
	}
	if len(tokens) == 0 {
		return nil, argumentError{"lock-tokens must name at least one lock"}
	}
	return tokens, nil
}

// integer reads an integer of any width.
func integer(args wire.Map, name string) (int64, error) {
	v, _ := args.Get(name)
	switch v := v.(type) {
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case uint8:
		return int64(v), nil
	case uint16:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint64:
		return int64(min(v, 1<<62)), nil
	}
	return 0, argumentError{name + " must be an integer"}
}
