package servicebus

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// ErrQueueExists is wrapped by the error of making a queue that the namespace has,
// ErrNotAQueue where the name belongs to something else, such as a topic.
var (
	ErrQueueExists = errors.New("queue exists")
	ErrNotAQueue   = errors.New("the name is that of something else than a queue")
)

// QueueProperties are those properties of a queue that Muster looks at. A duration
// of 0 has no end.
type QueueProperties struct {
	LockDuration                     time.Duration
	MaxDeliveryCount                 int
	RequiresSession                  bool
	DeadLetteringOnMessageExpiration bool
	DefaultMessageTimeToLive         time.Duration
	AutoDeleteOnIdle                 time.Duration
	// DuplicateDetection is how long message ids are remembered, 0 for not at all.
	DuplicateDetection time.Duration
	// ForwardTo and ForwardDeadLetteredMessagesTo name other entities, or are empty.
	ForwardTo, ForwardDeadLetteredMessagesTo string
	// Status is Active, Disabled, SendDisabled or ReceiveDisabled.
	Status       string
	Partitioning bool
}

// Manager makes and changes queues. It needs the right Manage, or the role Azure
// Service Bus Data Owner.
type Manager struct {
	client    *admin.Client
	transport *managementTransport
}

// OpenManager prepares a manager of a namespace. management is the address of the
// management API, such as http://127.0.0.1:5300; where it is empty, that is the
// namespace itself over HTTPS, or for the connection string of a local endpoint
// [EmulatorManagement]. Nothing is sent yet.
func OpenManager(o Options, management string) (*Manager, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open service bus: %w", err)
	}
	if management == "" {
		management = EmulatorManagement(o.Address)
	}
	t, err := newManagementTransport(management, o.RootCAs)
	if err != nil {
		return nil, fmt.Errorf("open service bus: %w", err)
	}
	opts := &admin.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: t,
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 300 * time.Millisecond, MaxRetryDelay: 5 * time.Second},
	}}
	var client *admin.Client
	if IsConnectionString(o.Address) {
		client, err = admin.NewClientFromConnectionString(o.Address, opts)
	} else {
		client, err = admin.NewClient(o.Address, o.Credential, opts)
	}
	if err != nil {
		// The client's error may repeat the connection string, key and all.
		return nil, fmt.Errorf("open service bus: %w", scrub(err, o.Address))
	}
	return &Manager{client: client, transport: t}, nil
}

// Close gives the connections back.
func (m *Manager) Close() { m.transport.client.CloseIdleConnections() }

// Queue reads the properties of a queue. The error is ErrQueueNotFound,
// ErrNotAQueue, ErrUnauthorized, or tells what Service Bus says.
func (m *Manager) Queue(ctx context.Context, name string) (QueueProperties, error) {
	got, err := m.get(ctx, name)
	if err != nil {
		return QueueProperties{}, err
	}
	return properties(*got)
}

func (m *Manager) get(ctx context.Context, name string) (*admin.QueueProperties, error) {
	got, err := m.client.GetQueue(ctx, name, nil)
	switch {
	case err != nil:
		return nil, describeManagement("read queue", err)
	case got == nil:
		return nil, fmt.Errorf("read queue: %w", ErrQueueNotFound)
	case got.LockDuration == nil: // the client reads the description of a topic as that of a queue
		return nil, fmt.Errorf("read queue: %w", ErrNotAQueue)
	}
	return &got.QueueProperties, nil
}

// CreateQueue makes a queue. The error is ErrQueueExists, ErrUnauthorized, or tells
// what Service Bus says.
func (m *Manager) CreateQueue(ctx context.Context, name string, p QueueProperties) error {
	asked := admin.QueueProperties{RequiresSession: &p.RequiresSession, RequiresDuplicateDetection: new(p.DuplicateDetection > 0)}
	if p.DuplicateDetection > 0 { // else the service's default
		asked.DuplicateDetectionHistoryTimeWindow = duration(p.DuplicateDetection)
	}
	change(&asked, p)
	if _, err := m.client.CreateQueue(ctx, name, &admin.CreateQueueOptions{Properties: &asked}); err != nil {
		return describeManagement("make queue", err)
	}
	return nil
}

// UpdateQueue gives a queue those of the properties that can change: all but
// RequiresSession and Partitioning, and of DuplicateDetection how long it is where there
// is any (service-bus enable-duplicate-detection). Properties that Muster does not look
// at stay. Service Bus detaches the receivers and senders of a queue that changes; their
// clients come back by themselves.
func (m *Manager) UpdateQueue(ctx context.Context, name string, p QueueProperties) error {
	asked, err := m.get(ctx, name)
	if err != nil {
		return err
	}
	if p.DuplicateDetection > 0 && value(asked.RequiresDuplicateDetection) {
		asked.DuplicateDetectionHistoryTimeWindow = duration(p.DuplicateDetection)
	}
	change(asked, p)
	if _, err := m.client.UpdateQueue(ctx, name, *asked, nil); err != nil {
		return describeManagement("update queue", err)
	}
	return nil
}

// change puts into to what can change. What is left out is the service's default,
// which is no end for the durations but the lock's, and nothing that forwards.
func change(to *admin.QueueProperties, p QueueProperties) {
	to.DeadLetteringOnMessageExpiration = &p.DeadLetteringOnMessageExpiration
	to.LockDuration, to.DefaultMessageTimeToLive, to.AutoDeleteOnIdle = duration(p.LockDuration), duration(p.DefaultMessageTimeToLive), duration(p.AutoDeleteOnIdle)
	to.MaxDeliveryCount, to.Status = unlessZero(int32(p.MaxDeliveryCount)), unlessZero(admin.EntityStatus(p.Status))
	to.ForwardTo, to.ForwardDeadLetteredMessagesTo = unlessZero(p.ForwardTo), unlessZero(p.ForwardDeadLetteredMessagesTo)
}

func unlessZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// properties translates what Service Bus tells.
func properties(from admin.QueueProperties) (QueueProperties, error) {
	p := QueueProperties{
		MaxDeliveryCount: int(value(from.MaxDeliveryCount)), RequiresSession: value(from.RequiresSession),
		DeadLetteringOnMessageExpiration: value(from.DeadLetteringOnMessageExpiration), Partitioning: value(from.EnablePartitioning),
		ForwardTo: value(from.ForwardTo), ForwardDeadLetteredMessagesTo: value(from.ForwardDeadLetteredMessagesTo), Status: string(value(from.Status)),
	}
	var window time.Duration
	for _, d := range []struct {
		name string
		text *string
		to   *time.Duration
	}{
		{"LockDuration", from.LockDuration, &p.LockDuration}, {"DefaultMessageTimeToLive", from.DefaultMessageTimeToLive, &p.DefaultMessageTimeToLive},
		{"AutoDeleteOnIdle", from.AutoDeleteOnIdle, &p.AutoDeleteOnIdle}, {"DuplicateDetectionHistoryTimeWindow", from.DuplicateDetectionHistoryTimeWindow, &window},
	} {
		var err error
		if *d.to, err = parseDuration(value(d.text)); err != nil {
			return p, fmt.Errorf("read queue: %s: %w", d.name, err)
		}
	}
	if value(from.RequiresDuplicateDetection) {
		p.DuplicateDetection = window
	}
	return p, nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// describeManagement wraps err with what was being done, and with the sentinel that
// a caller can act on. Of the answer it keeps what Service Bus says in words.
func describeManagement(doing string, err error) error {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	said := refusal(refused)
	switch refused.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: %w: %s", doing, ErrUnauthorized, said)
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w: %s", doing, ErrQueueNotFound, said)
	case http.StatusConflict:
		return fmt.Errorf("%s: %w: %s", doing, ErrQueueExists, said)
	}
	return fmt.Errorf("%s: %s", doing, said)
}

// refusal is the text of an answer: the detail of its body, or its status.
func refusal(err *azcore.ResponseError) string {
	text := fmt.Sprintf("%d %s", err.StatusCode, http.StatusText(err.StatusCode))
	if err.RawResponse == nil {
		return text
	}
	var body struct {
		Detail string
	}
	payload, failed := runtime.Payload(err.RawResponse)
	if failed != nil || xml.Unmarshal(payload, &body) != nil || body.Detail == "" {
		return text
	}
	return text + ", " + strings.Join(strings.Fields(body.Detail), " ")
}
