package broker

import (
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// request is a message to $cbs or $management.
type request struct {
	operation  string
	properties wire.Map // application properties
	body       any
	id         any // what the reply's correlation-id must be
	replyTo    string
}

// reply is the answer to a request. The status codes are those of HTTP.
type reply struct {
	status      int32
	description string
	condition   wire.Symbol // of an error
	body        any
	volatile    bool // it tells of nothing that is kept on disk
}

// rpc returns what answers requests by handle. A message that is no request is
// refused; a request without a link for the reply is carried out all the same.
func (l *link) rpc(handle func(request) reply) func(payload []byte, format uint32) *wire.Error {
	return func(payload []byte, _ uint32) *wire.Error {
		r, err := parseRequest(payload)
		if err != nil {
			return sendFault(err)
		}
		answered := handle(r)
		ticket := l.entity.ticket()
		if answered.volatile {
			ticket = 0
		}
		l.session.conn.note(ticket)
		message, err := answered.encode(r.id)
		if err != nil {
			return refuse(wire.CondInternalError, "the reply could not be encoded")
		}
		out := l.replyLink(r.replyTo)
		switch {
		case out == nil:
			return refuse(wire.CondPreconditionFailed, "no link for the reply is attached")
		case len(out.replies) >= maxReplies || out.replyBytes >= maxReplyBytes || l.session.conn.replyBytes >= maxRepliesBytes:
			out.link.refuse(refuse(wire.CondResourceLimitExceeded, "%d replies are waiting", len(out.replies)))
		default:
			out.replies = append(out.replies, answer{message, ticket})
			out.replyBytes += len(message)
			l.session.conn.replyBytes += len(message)
			l.session.conn.makeReady(out)
		}
		return nil
	}
}

// replyLink finds the link for a reply: the one whose target is the reply-to,
// or else one to the same node in the same session. The latter serves clients
// that attach it without a target address.
func (l *link) replyLink(replyTo string) *outgoing {
	var sameNode *outgoing
	for _, other := range l.session.links {
		switch {
		case !other.repliesFor(l.address):
		case other.out.replyTo == replyTo:
			return other.out
		case sameNode == nil || other.handle < sameNode.link.handle:
			sameNode = other.out
		}
	}
	if sameNode != nil || replyTo == "" {
		return sameNode
	}
	for _, s := range l.session.conn.sessions {
		for _, other := range s.links {
			if other.repliesFor(l.address) && other.out.replyTo == replyTo {
				return other.out
			}
		}
	}
	return nil
}

// repliesFor tells whether the link takes the replies of a node.
func (l *link) repliesFor(a address) bool {
	return l.out != nil && l.out.queue == nil && l.address == a
}

func parseRequest(payload []byte) (request, error) {
	m, err := wire.Split(payload)
	if err != nil {
		return request{}, err
	}
	properties, err := m.ParseProperties()
	if err != nil {
		return request{}, err
	}
	r := request{id: properties.MessageID, replyTo: properties.ReplyTo.Or("")}
	if r.id == nil {
		r.id = properties.CorrelationID
	}
	if r.properties, err = m.ParseApplicationProperties(); err != nil {
		return request{}, err
	}
	r.operation = r.text("operation")
	r.body, err = m.Value()
	return r, err
}

// text returns an application property that is a string or symbol, else "".
func (r request) text(name string) string {
	switch v, _ := r.properties.Get(name); v := v.(type) {
	case string:
		return v
	case wire.Symbol:
		return string(v)
	}
	return ""
}

// encode makes the reply's message. Service Bus spells the names of status and
// error with dashes on $cbs and in camel case on $management, and clients know
// one or both; so both are written.
func (r reply) encode(correlation any) ([]byte, error) {
	properties := wire.Properties{CorrelationID: correlation}
	b, err := properties.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	application := wire.Map{
		{Key: "status-code", Value: r.status},
		{Key: "statusCode", Value: r.status},
		{Key: "status-description", Value: r.description},
		{Key: "statusDescription", Value: r.description},
	}
	if r.condition != "" {
		application = append(application,
			wire.Pair{Key: "error-condition", Value: r.condition},
			wire.Pair{Key: "errorCondition", Value: r.condition})
	}
	if b, err = wire.AppendApplicationProperties(b, application); err != nil {
		return nil, err
	}
	return wire.AppendAMQPValue(b, r.body)
}
