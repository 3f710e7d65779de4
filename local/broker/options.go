package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Defaults and bounds of a queue (reference: Service Bus, QueueDescription).
const (
	defaultLockDuration     = time.Minute
	maxLockDuration         = 5 * time.Minute
	defaultMaxDeliveryCount = 10
	defaultMaxMessageSize   = 1 << 20
	largestMessageSize      = 100 << 20
	maxPartitionedMessage   = 256  // KiB, as in the Standard tier
	defaultMaxConnections   = 5000 // Service Bus quotas: concurrent connections on a namespace
	defaultMaxBuffered      = 1 << 30
	maxQueueName            = 260

	defaultDuplicateWindow = 10 * time.Minute
	minDuplicateWindow     = 5 * time.Second // that of Microsoft's emulator; Service Bus asks for 20 s
	maxDuplicateWindow     = 7 * 24 * time.Hour

	minIdle         = 5 * time.Minute
	defaultMaxSize  = 1024
	largestMaxSize  = 80 * 1024
	maxUserMetadata = 1024
)

// The key of Microsoft's own emulator, which its documentation publishes. It
// guards nothing: it makes a connection string that was written for that
// emulator work here.
const (
	defaultKeyName = "RootManageSharedAccessKey"
	defaultKey     = "SAS_KEY_VALUE"
)

// Options is what a Server is made of. The zero value is a broker without
// queues, which refuses every link.
type Options struct {
	// Queues and Topics are the entities that exist from the beginning. One that is in
	// Data already is updated as by UpdateQueue or UpdateTopic, which fails where what
	// can't change is described otherwise; its subscriptions keep their rules.
	Queues []Queue
	Topics []Topic
	// Data is the folder in which everything is kept on disk: a send or a
	// settlement is answered once it is there, and the next server on the folder
	// goes on where this one ended, however it did. Empty keeps everything in
	// memory, and nothing after the end.
	Data string
	// Logger takes what happens to connections and links. Message bodies, keys
	// and tokens are never logged. Nil discards.
	Logger *slog.Logger
	// Keys are the shared access keys. Nil means RootManageSharedAccessKey with
	// the value SAS_KEY_VALUE and every right, as in Microsoft's emulator.
	Keys []Key
	// AcceptJWT takes every token of Microsoft Entra ID for one that allows
	// everything, unseen. It is for loopback.
	AcceptJWT bool
	// Open lets everybody do everything without a token, and makes a queue for
	// every name that a link asks for. It is for loopback.
	Open bool
	// Now tells the time that messages, locks and tokens are judged by; nil
	// means time.Now. Timers follow the real clock, so a receiver that waits
	// learns of an expired lock only when that much real time has passed. To
	// test with a clock that can be moved, run the server in a testing/synctest
	// bubble instead.
	Now func() time.Time
	// MaxMessageSize is the largest message, and the largest batch, in bytes, of
	// entities that do not say it; 0 means 1 MiB, the most is 100 MiB.
	MaxMessageSize int
	// MaxConnections is how many connections there may be at once; one more is told
	// amqp:resource-limit-exceeded. 0 means 5,000, as in Service Bus.
	MaxConnections int
	// MaxBuffered is how many bytes may be held for all connections together, besides
	// the messages in queues: of messages that have come or gone in part, of replies,
	// of what is yet to be written, and of descriptions that are put to the management
	// API. When there are more, the connection that holds the most is closed with
	// amqp:resource-limit-exceeded, or the request answered with 503. 0 means 1 GiB, or
	// 16 of the largest messages where that is more.
	MaxBuffered int64
}

// Queue describes one queue. Its dead-letter queue exists by itself.
type Queue struct {
	// Name is matched without regard to case. It may contain slashes.
	Name string
	// LockDuration is how long a received message is held for its receiver;
	// 0 means one minute, the most is five minutes.
	LockDuration time.Duration
	// MaxDeliveryCount is how many deliveries a message gets before it goes to
	// the dead-letter queue with the reason MaxDeliveryCountExceeded; 0 means 10.
	MaxDeliveryCount int
	// DeadLetteringOnMessageExpiration moves messages that outlived their time
	// to live to the dead-letter queue instead of dropping them.
	DeadLetteringOnMessageExpiration bool
	// DefaultMessageTimeToLive bounds the time to live of every message; 0 means
	// that it does not.
	DefaultMessageTimeToLive time.Duration
	// RequiresSession makes receivers take messages by session. Every message
	// must have a session id.
	RequiresSession bool
	// RequiresDuplicateDetection drops a message whose id was sent before within
	// DuplicateDetectionHistoryTimeWindow, which is 5 seconds to 7 days; 0 means
	// 10 minutes.
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow time.Duration
	// ForwardTo names the queue or topic that messages go on to as they arrive, and
	// ForwardDeadLetteredMessagesTo the one that takes the dead letters, by its path
	// or its address. It must be there, and nobody else receives what is forwarded.
	// A message goes over four hops at most, and from a topic to its subscriptions
	// always. One that is not taken, because the other entity is gone, full or
	// disabled, is a dead letter here.
	ForwardTo, ForwardDeadLetteredMessagesTo string
	// Status says what the queue is open for; empty means StatusActive.
	Status Status
	// AutoDeleteOnIdle ends the queue when nobody has used it for so long, five
	// minutes at least; 0 means never. It is in use while a link is attached to it
	// or a message is scheduled, and when it is updated or a message is forwarded to it;
	// with ForwardTo it always is.
	AutoDeleteOnIdle time.Duration
	// MaxSizeInMegabytes is how many MiB are taken: of messages, dead letters and
	// scheduled ones included, of states of sessions, and of the ids by which
	// duplicates are told; 0 means 1024, the most is 81920.
	MaxSizeInMegabytes int
	// MaxMessageSizeInKilobytes is the largest message in KiB, 102400 at the most; 0
	// means that of the Options. Batches have at most 1 MiB, or what the Options say
	// if that is more.
	MaxMessageSizeInKilobytes int
	// EnablePartitioning makes messages have at most 256 KiB, and duplicates be told by
	// message id and partition key (or session) together. Messages tell that they are in
	// partition 0, and those without a partition key that it is their session or, with
	// RequiresDuplicateDetection, their id. There are no other partitions. It can't change.
	EnablePartitioning bool
	// AuthorizationRules are shared access keys for this queue, beside those of the
	// Options.
	AuthorizationRules []AuthorizationRule
	// NoBatchedOperations and NoOrdering are EnableBatchedOperations and
	// SupportOrdering of the management API the other way round. They and
	// EnableExpress change nothing here and are kept for whoever asks.
	NoBatchedOperations, NoOrdering, EnableExpress bool
	// UserMetadata is kept for whoever asks; it has at most 1024 characters.
	UserMetadata string
}

// Status is what a queue is open for.
type Status string

// The states of a queue. One that is disabled takes no links at all.
const (
	StatusActive          Status = "Active"
	StatusDisabled        Status = "Disabled"
	StatusSendDisabled    Status = "SendDisabled"
	StatusReceiveDisabled Status = "ReceiveDisabled"
)

// duplicateWindow is how long message ids are remembered, 0 for not at all.
func (q Queue) duplicateWindow() time.Duration {
	if !q.RequiresDuplicateDetection {
		return 0
	}
	return q.DuplicateDetectionHistoryTimeWindow
}

// withDefaults returns o with every zero value that means something replaced
// by what it means.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Keys == nil {
		o.Keys = []Key{{Name: defaultKeyName, Value: defaultKey}}
	}
	o.Keys = slices.Clone(o.Keys)
	for i := range o.Keys {
		if o.Keys[i].Rights == 0 {
			o.Keys[i].Rights = RightManage
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = defaultMaxMessageSize
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	if o.MaxBuffered == 0 {
		o.MaxBuffered = max(defaultMaxBuffered, 16*int64(o.MaxMessageSize))
	}
	queues := make([]Queue, len(o.Queues))
	for i, q := range o.Queues {
		queues[i] = q.withDefaults()
	}
	o.Queues = queues
	return o
}

func (q Queue) withDefaults() Queue {
	if q.LockDuration == 0 {
		q.LockDuration = defaultLockDuration
	}
	if q.MaxDeliveryCount == 0 {
		q.MaxDeliveryCount = defaultMaxDeliveryCount
	}
	if q.DuplicateDetectionHistoryTimeWindow == 0 {
		q.DuplicateDetectionHistoryTimeWindow = defaultDuplicateWindow
	}
	if q.Status == "" {
		q.Status = StatusActive
	}
	if q.MaxSizeInMegabytes == 0 {
		q.MaxSizeInMegabytes = defaultMaxSize
	}
	if q.ForwardTo != "" { // what forwards is always in use
		q.AutoDeleteOnIdle = 0
	}
	return q
}

// validate reports every fault at once. It expects the defaults to be in place.
func (o Options) validate() error {
	var faults []error
	if o.MaxMessageSize < 0 || o.MaxMessageSize > largestMessageSize {
		faults = append(faults, fmt.Errorf("MaxMessageSize %d: must be 1 to %d", o.MaxMessageSize, largestMessageSize))
	}
	if o.MaxConnections < 0 {
		faults = append(faults, fmt.Errorf("MaxConnections %d: must be at least 1", o.MaxConnections))
	}
	if o.MaxBuffered < int64(o.MaxMessageSize) {
		faults = append(faults, fmt.Errorf("MaxBuffered %d: must be at least MaxMessageSize", o.MaxBuffered))
	}
	named := make(map[[2]string]bool)
	scoped := func(k Key) [2]string { return [2]string{strings.ToLower(k.Entity), k.Name} }
	for _, key := range o.Keys {
		switch {
		case key.Name == "" || key.Value == "":
			faults = append(faults, fmt.Errorf("key %q: name and value must not be empty", key.Name))
		case named[scoped(key)]:
			faults = append(faults, fmt.Errorf("key %q: the name is used twice", key.Name))
		}
		named[scoped(key)] = true
	}
	seen := make(map[string]bool)
	once := func(k kind, name string) {
		folded := strings.ToLower(name)
		if seen[folded] {
			faults = append(faults, fmt.Errorf("%s %q: the name is used twice", k, name))
		}
		seen[folded] = true
	}
	for _, q := range o.Queues {
		faults = append(faults, q.validate(kindQueue)...)
		once(kindQueue, q.Name)
	}
	for _, t := range o.Topics {
		faults = append(faults, t.validate()...)
		once(kindTopic, t.Name)
	}
	return errors.Join(faults...)
}

func (q Queue) validate(k kind) []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s %q: %w", k, q.Name, fmt.Errorf(format, args...)))
	}
	if !validQueueName(q.Name) || !showable(q.Name) {
		fault("the name must have 1 to %d characters, none of them a control character, and no segment that is empty or starts with $", maxQueueName)
	}
	if q.LockDuration < 0 || q.LockDuration > maxLockDuration {
		fault("LockDuration %v: must be at most %v", q.LockDuration, maxLockDuration)
	}
	if q.MaxDeliveryCount < 0 {
		fault("MaxDeliveryCount %d: must be at least 1", q.MaxDeliveryCount)
	}
	switch q.Status {
	case StatusActive, StatusDisabled, StatusSendDisabled, StatusReceiveDisabled:
	default:
		fault("Status %q is unknown", q.Status)
	}
	switch {
	case q.ForwardTo == "":
	case q.RequiresSession:
		fault("ForwardTo %q: what requires sessions can't forward", q.ForwardTo)
	case strings.EqualFold(entityOf(q.ForwardTo), q.Name):
		fault("ForwardTo %q: it is the %s itself", q.ForwardTo, k)
	}
	if q.DefaultMessageTimeToLive < 0 {
		fault("DefaultMessageTimeToLive %v: must not be negative", q.DefaultMessageTimeToLive)
	}
	if q.AutoDeleteOnIdle != 0 && q.AutoDeleteOnIdle < minIdle {
		fault("AutoDeleteOnIdle %v: must be at least %v", q.AutoDeleteOnIdle, minIdle)
	}
	if q.MaxSizeInMegabytes < 0 || q.MaxSizeInMegabytes > largestMaxSize {
		fault("MaxSizeInMegabytes %d: must be 1 to %d", q.MaxSizeInMegabytes, largestMaxSize)
	}
	if q.MaxMessageSizeInKilobytes < 0 || q.MaxMessageSizeInKilobytes > largestMessageSize>>10 {
		fault("MaxMessageSizeInKilobytes %d: must be 1 to %d", q.MaxMessageSizeInKilobytes, largestMessageSize>>10)
	}
	if q.EnablePartitioning && q.MaxMessageSizeInKilobytes > maxPartitionedMessage {
		fault("MaxMessageSizeInKilobytes %d: must be at most %d with EnablePartitioning", q.MaxMessageSizeInKilobytes, maxPartitionedMessage)
	}
	if n := utf8.RuneCountInString(q.UserMetadata); n > maxUserMetadata {
		fault("UserMetadata has %d characters: the most is %d", n, maxUserMetadata)
	}
	for _, err := range validateRules(q.AuthorizationRules) {
		fault("%w", err)
	}
	if w := q.DuplicateDetectionHistoryTimeWindow; w < minDuplicateWindow || w > maxDuplicateWindow {
		fault("DuplicateDetectionHistoryTimeWindow %v: must be %v to %v", w, minDuplicateWindow, maxDuplicateWindow)
	}
	return faults
}

// validQueueName keeps names apart from the addresses that are made from them:
// $cbs, <name>/$management and <name>/$DeadLetterQueue.
func validQueueName(name string) bool {
	if name == "" || len(name) > maxQueueName || !utf8.ValidString(name) {
		return false
	}
	for _, segment := range strings.Split(name, "/") {
		if segment == "" || strings.HasPrefix(segment, "$") {
			return false
		}
	}
	return true
}

// showable tells whether the management API can show a name: XML has no way to write
// most control characters.
func showable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || r == 0xFFFE || r == 0xFFFF
	})
}
