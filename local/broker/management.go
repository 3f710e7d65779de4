package broker

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// maxPeek and maxPeekBytes bound one page of peek-message. A page holds one
	// message at least.
	maxPeek      = 1000
	maxPeekBytes = 1 << 20
	// maxBareBytes bounds the messages of which a page without bodies is made.
	maxBareBytes = 16 << 20
)

// How $management calls the outcomes of deliveries; one is spelled as the protocol
// spells it.
const (
	statusCompleted = "completed"
	statusAbandoned = "abandoned"
	statusSuspended = "suspended"
	statusDeferred  = "defered"
)

// management answers requests to the $management node of a queue.
type management struct {
	conn    *conn
	address address
	entity  *entity
	queue   *queue.Queue
}

func (m management) now() time.Time { return m.conn.server.options.Now() }

// argumentError says what is wrong with the arguments of a request.
type argumentError struct{ problem string }

func (e argumentError) Error() string { return e.problem }

// handle answers one request.
func (m management) handle(r request) reply {
	operation, known := operations[r.operation]
	switch {
	case !known:
		return notImplemented(fmt.Sprintf("operation %q", r.operation))
	case !m.conn.may(m.address, operation.right):
		return unauthorized(fmt.Sprintf("Unauthorized access. '%s' claim(s) are required to perform this operation.", operation.right))
	}
	args, _ := r.body.(wire.Map)
	body, err := operation.run(m, r, args)
	switch {
	case err != nil:
		return failed(err)
	case body == nil:
		return reply{status: http.StatusNoContent, description: "No Content"}
	}
	return reply{status: http.StatusOK, description: "OK", body: body, volatile: volatile[r.operation]}
}

// operation is what $management can be asked, and the right that it needs.
type operation struct {
	right Rights
	// run returns the body of the reply, nil where it found nothing to tell of.
	run func(m management, r request, args wire.Map) (any, error)
}

var operations = map[string]operation{
	"com.microsoft:renew-lock":                 {RightListen, management.renewLock},
	"com.microsoft:update-disposition":         {RightListen, management.updateDisposition},
	"com.microsoft:peek-message":               {RightListen, management.peek},
	"com.microsoft:receive-by-sequence-number": {RightListen, management.receiveBySequenceNumber},
	"com.microsoft:schedule-message":           {RightSend, management.schedule},
	"com.microsoft:cancel-scheduled-message":   {RightSend, management.cancelScheduled},
	"com.microsoft:batch-delete-messages":      {RightListen, management.deleteBatch},
	"com.microsoft:renew-session-lock":         {RightListen, management.renewSessionLock},
	"com.microsoft:get-session-state":          {RightListen, management.sessionState},
	"com.microsoft:set-session-state":          {RightListen, management.setSessionState},
	"com.microsoft:get-message-sessions":       {RightListen, management.messageSessions},
	"com.microsoft:add-rule":                   {RightListen, management.addRule},
	"com.microsoft:remove-rule":                {RightListen, management.removeRule},
	"com.microsoft:enumerate-rules":            {RightListen, management.enumerateRules},
}

// volatile are the operations that tell of nothing that is kept on disk.
var volatile = map[string]bool{"com.microsoft:renew-lock": true, "com.microsoft:renew-session-lock": true}

// done is the body of a reply that says no more than that it worked.
var done = wire.Map{}

// failed turns an error into a reply.
func failed(err error) reply {
	var told *wire.Error
	var argument argumentError
	switch {
	case errors.Is(err, queue.ErrLockLost):
		return reply{status: http.StatusGone, description: textLockLost, condition: condLockLost}
	case errors.Is(err, queue.ErrSessionLost):
		return reply{status: http.StatusGone, description: textSessionLost, condition: condSessionLockLost}
	case errors.Is(err, queue.ErrNotFound):
		return reply{status: http.StatusNotFound, description: textMessageNotFound, condition: condMessageNotFound}
	case errors.Is(err, queue.ErrRoom):
		return reply{status: http.StatusBadRequest, description: textTooMuch, condition: wire.CondMessageSizeExceeded}
	case errors.Is(err, queue.ErrProperties):
		return reply{status: http.StatusBadRequest, description: textProperties, condition: wire.CondNotAllowed}
	case errors.Is(err, queue.ErrSessionNeeded):
		return reply{status: http.StatusBadRequest, description: textSessionNeeded, condition: wire.CondNotAllowed}
	case errors.Is(err, queue.ErrDeadLetterQueue):
		return reply{status: http.StatusBadRequest, description: err.Error(), condition: wire.CondNotAllowed}
	case errors.Is(err, queue.ErrEnded):
		return reply{status: http.StatusNotFound, description: err.Error(), condition: wire.CondNotFound}
	case errors.Is(err, ErrQuotaExceeded):
		return reply{status: http.StatusForbidden, description: err.Error(), condition: wire.CondResourceLimitExceeded}
	case errors.Is(err, ErrEntityExists):
		return reply{status: http.StatusConflict, description: err.Error(), condition: condEntityExists}
	case errors.Is(err, ErrUnknownEntity):
		return reply{status: http.StatusNotFound, description: err.Error(), condition: wire.CondNotFound}
	case errors.As(err, &argument):
		return reply{status: http.StatusBadRequest, description: argument.problem, condition: condArgumentError}
	case errors.As(err, &told) && told.Condition == wire.CondResourceLimitExceeded:
		// Where it is the disk that has no room, nobody may wait for it.
		return reply{status: http.StatusForbidden, description: told.Description, condition: told.Condition, volatile: true}
	case errors.As(err, &told):
		return reply{status: http.StatusBadRequest, description: told.Description, condition: told.Condition}
	}
	return reply{status: http.StatusInternalServerError, description: "internal error", condition: wire.CondInternalError}
}

func unauthorized(description string) reply {
	return reply{
		status:      http.StatusUnauthorized,
		description: description,
		condition:   wire.CondUnauthorizedAccess,
	}
}

func notImplemented(what string) reply {
	return reply{
		status:      http.StatusNotImplemented,
		description: what + " is not supported by this broker",
		condition:   wire.CondNotImplemented,
	}
}

// renewLock renews locks one by one; the first that is lost fails the request.
func (m management) renewLock(_ request, args wire.Map) (any, error) {
	tokens, err := lockTokens(args)
	if err != nil {
		return nil, err
	}
	expirations := make([]wire.Timestamp, len(tokens))
	for i, t := range tokens {
		until, err := m.queue.Renew(m.now(), t)
		if err != nil {
			return nil, err
		}
		expirations[i] = timestamp(until)
	}
	return wire.Map{{Key: "expirations", Value: wire.ArrayOf(expirations...)}}, nil
}

// updateDisposition settles by lock token, for receivers whose link is gone.
func (m management) updateDisposition(_ request, args wire.Map) (any, error) {
	tokens, err := lockTokens(args)
	if err != nil {
		return nil, err
	}
	asked, _ := args.Get("disposition-status")
	status := fmt.Sprint(asked)
	settle, err := m.settlement(status, args)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		err := settle(t)
		if errors.Is(err, queue.ErrLockLost) && m.conn.server.crossed.repeated(t, status) {
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (m management) settlement(status string, args wire.Map) (func(queue.Token) error, error) {
	now := m.now()
	modified, _ := args.Get("properties-to-modify")
	changes, _ := modified.(wire.Map)
	properties := overlay(changes)
	switch status {
	case statusCompleted:
		return func(t queue.Token) error { return m.queue.Complete(now, t) }, nil
	case statusAbandoned:
		return func(t queue.Token) error { return m.queue.Abandon(now, t, properties) }, nil
	case statusSuspended:
		if reason, given := text(args, "deadletter-reason"); given {
			properties[queue.PropertyReason] = reason
		}
		if description, given := text(args, "deadletter-description"); given {
			properties[queue.PropertyDescription] = description
		}
		return func(t queue.Token) error { return m.queue.DeadLetter(now, t, properties) }, nil
	case statusDeferred:
		return func(t queue.Token) error { return m.queue.Defer(now, t, properties) }, nil
	}
	return nil, argumentError{fmt.Sprintf("disposition-status %q is unknown", status)}
}

// peek returns one page of messages, nil when there is none.
func (m management) peek(r request, args wire.Map) (any, error) {
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
	v, _ := args.Get("omit-message-body")
	bare, _ := v.(bool)
	room := maxPeekBytes
	if bare {
		room = maxBareBytes
	}
	var page wire.List
	size := 0
	for _, msg := range m.queue.Peek(m.now(), m.within(r, args), from, int(min(count, maxPeek)), room) {
		encoded, err := peeked(msg)
		if err == nil && bare {
			encoded, err = withoutBody(encoded)
		}
		if err != nil && len(page) > 0 {
			break // who asks for it is told
		}
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
