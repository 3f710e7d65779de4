// Package servicebus is the only place that talks to Azure Service Bus. It gives
// the worker a source of deliveries, publishers a sender of commands, and people
// a look at the dead letters, and keeps azservicebus to itself.
//
// A namespace is Azure's, or the endpoint of local/broker: the code path is the
// same.
package servicebus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/messages"
)

// Options say how to reach a namespace.
type Options struct {
	// Address is a connection string, or the fully qualified name of a namespace
	// such as contoso.servicebus.windows.net.
	Address string
	// Credential authenticates to a namespace given by name. A connection string
	// has its own key and needs none.
	Credential azcore.TokenCredential
	// RootCAs are trusted in place of the system's. Nil means the system's.
	RootCAs *x509.CertPool
	// ApplicationID appears in the service's diagnostics, at most 24 characters.
	// Default: muster.
	ApplicationID string
}

// namespaceName is that of a host, with a port where it is not Azure's.
var namespaceName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?$`)

// validate tells why nobody can be reached. Its error does not repeat the address,
// which may be a connection string with a fault, key and all.
func (o Options) validate() error {
	switch {
	case o.Address == "":
		return errors.New("no connection string and no namespace")
	case IsConnectionString(o.Address):
		return nil
	case !namespaceName.MatchString(o.Address):
		return errors.New("the address is neither a connection string, for it has no Endpoint, nor a host name such as contoso.servicebus.windows.net")
	case o.Credential == nil:
		return errors.New("a namespace given by name needs a credential")
	}
	return nil
}

// Namespace is one connection to a Service Bus namespace.
type Namespace struct {
	client *azservicebus.Client
}

// IsConnectionString tells a connection string from a namespace's name.
func IsConnectionString(address string) bool {
	for part := range strings.SplitSeq(address, ";") {
		if name, _, ok := strings.Cut(part, "="); ok && strings.EqualFold(strings.TrimSpace(name), "Endpoint") {
			return true
		}
	}
	return false
}

// IsEmulator tells whether a connection string is for a local endpoint, whose
// key protects nothing.
func IsEmulator(address string) bool {
	for part := range strings.SplitSeq(address, ";") {
		name, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(name), "UseDevelopmentEmulator") && strings.EqualFold(strings.TrimSpace(value), "true") {
			return true
		}
	}
	return false
}

// Open prepares a connection. Nothing is sent until a source or a sender is used.
func Open(o Options) (*Namespace, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open service bus: %w", err)
	}
	opts := &azservicebus.ClientOptions{
		ApplicationID: o.ApplicationID,
		// The client's own default begins at four seconds, which a person at a
		// prompt takes for a hang.
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 4, RetryDelay: 300 * time.Millisecond, MaxRetryDelay: 20 * time.Second},
	}
	if o.RootCAs != nil {
		opts.TLSConfig = &tls.Config{RootCAs: o.RootCAs}
	}
	if opts.ApplicationID == "" {
		opts.ApplicationID = "muster"
	}
	var client *azservicebus.Client
	var err error
	if IsConnectionString(o.Address) {
		client, err = azservicebus.NewClientFromConnectionString(o.Address, opts)
	} else {
		client, err = azservicebus.NewClient(o.Address, o.Credential, opts)
	}
	if err != nil {
		// The client's error may repeat the connection string, key and all.
		return nil, fmt.Errorf("open service bus: %w", scrub(err, o.Address))
	}
	return &Namespace{client: client}, nil
}

func scrub(err error, secret string) error {
	if strings.Contains(err.Error(), secret) || strings.Contains(strings.ToLower(err.Error()), "sharedaccesskey=") {
		return errors.New("the connection string is malformed")
	}
	return err
}

// Close ends the connection and everything opened from it.
func (n *Namespace) Close(ctx context.Context) error {
	if err := n.client.Close(ctx); err != nil {
		return fmt.Errorf("close service bus: %w", err)
	}
	return nil
}

// ErrQueueNotFound is wrapped by the error of an operation on a queue that the
// namespace does not have.
var ErrQueueNotFound = errors.New("queue not found")

// ErrUnauthorized is wrapped by the error of an operation that the key or
// identity may not do: Send, Listen or Manage is missing on the queue.
var ErrUnauthorized = errors.New("not authorized for the queue")

// ErrSessionRequired is wrapped by the error of receiving without a session from a
// queue that requires sessions.
var ErrSessionRequired = errors.New("the queue requires sessions")

// ErrDisabled is wrapped by the error of using a queue that is disabled, for this use
// or for all.
var ErrDisabled = errors.New("the queue is disabled")

// ErrNotAllowed is wrapped by the error of what Service Bus does with no entity of that
// kind: to receive from a topic, or from a queue that forwards.
var ErrNotAllowed = errors.New("not allowed for the entity")

// condDisabled is the condition of the error of Service Bus for what is disabled.
const condDisabled amqp.ErrCond = "com.microsoft:entity-disabled"

// describe wraps err with what was being done, and with the sentinel that a
// caller can act on.
func describe(doing string, err error) error {
	if refused, ok := errors.AsType[*amqp.Error](err); ok {
		switch {
		case refused.Condition == amqp.ErrCondNotAllowed && strings.Contains(refused.Description, "requires sessions"):
			return fmt.Errorf("%s: %w: %w", doing, ErrSessionRequired, err)
		case refused.Condition == amqp.ErrCondNotAllowed:
			return fmt.Errorf("%s: %w: %s", doing, ErrNotAllowed, refused.Description)
		case refused.Condition == condDisabled:
			return fmt.Errorf("%s: %w: %s", doing, ErrDisabled, refused.Description)
		}
	}
	var sb *azservicebus.Error
	if !errors.As(err, &sb) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var kind error
	switch sb.Code {
	case azservicebus.CodeLockLost:
		kind = messages.ErrLockLost
	case azservicebus.CodeNotFound:
		kind = ErrQueueNotFound
	case azservicebus.CodeUnauthorizedAccess:
		kind = ErrUnauthorized
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}

// CanListen tells, by its error, whether the queue can be received from. It looks
// into the queue and takes nothing.
func (n *Namespace) CanListen(ctx context.Context, queue string) (err error) {
	receiver, err := n.client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return describe("open receiver", err)
	}
	defer func() { err = errors.Join(err, receiver.Close(context.WithoutCancel(ctx))) }()
	if _, err := receiver.PeekMessages(ctx, 1, nil); err != nil {
		return describe("look into the queue", err)
	}
	return nil
}

// CanSend tells, by its error, whether the queue can be sent to. It opens a link
// and sends nothing.
func (n *Namespace) CanSend(ctx context.Context, queue string) (err error) {
	sender, err := n.client.NewSender(queue, nil)
	if err != nil {
		return describe("open sender", err)
	}
	defer func() { err = errors.Join(err, sender.Close(context.WithoutCancel(ctx))) }()
	if _, err := sender.NewMessageBatch(ctx, nil); err != nil {
		return describe("open the queue for sending", err)
	}
	return nil
}
