// Package broker is an AMQP 1.0 endpoint with the manners of Azure Service
// Bus, to be embedded in a program or a test. The official clients use it
// unchanged: azservicebus needs nothing but the connection string that
// Server.ConnectionString returns.
//
//	listener ──> Server ──> conn ─── session ─┬─ incoming link ──> queue, $cbs or $management
//	                         │                └─ outgoing link <── queue, or replies
//	        read goroutine ──┤ serve goroutine owns all of it
//	       write goroutine ──┘
//
// One goroutine owns the protocol state of a connection: sessions, links,
// credit, unsettled deliveries. It is fed frames by a reader, and gives what
// it has to say to a writer through a buffer, so that it never waits for its
// peer. When a peer reads too slowly, its receivers stop taking messages, then
// its requests are no longer read; other connections notice nothing. What all peers
// together make the server hold is bounded (Options.MaxBuffered): who holds the most
// is closed. A connection whose peer sends without a pause gives way to others.
//
// Queues are shared by all connections and know no AMQP (internal/queue). A
// link that finds its queue empty leaves a waiter there; whoever enqueues wakes
// it, and its connection takes the message. Nothing polls.
//
// Frames and values are encoded by internal/wire.
//
// # What is there
//
// Queues with peek-lock and receive-and-delete, batches, all settlements, lock
// renewal, delivery counts, time to live, dead-letter queues
// (<queue>/$DeadLetterQueue; <queue>/$Transfer/$DeadLetterQueue is always empty),
// peeking, settlement by lock token through <queue>/$management, shared access
// signatures through $cbs, and SASL ANONYMOUS, MSSBCBS and PLAIN (name and value of a
// key). Messages keep their sections and types to the byte.
//
// Sessions, with named and next, state, renewal and listing; scheduled messages,
// sent as such or by $management, and their cancellation; deferred messages;
// duplicate detection; forwarding; a largest size; deletion of what nobody uses.
//
// Topics and subscriptions, with SQL and correlation filters, and actions
// (internal/filter). Their rules come and go by the Go API, the management API, or
// add-rule, remove-rule and enumerate-rules of
// <topic>/Subscriptions/<subscription>/$management.
//
// The management API (Server.ManagementHandler): Atom entries over HTTP, by which
// azservicebus/admin and the administration clients of other languages create, get,
// list, change and delete queues, topics, subscriptions and rules. What is shown of
// an entity may be put back and changes nothing. Shared access keys are the server's
// or, as authorization rules, those of a queue or topic.
//
// There are no transactions, and no links that leave messages where they are
// (distribution-mode copy). Who asks for them is told so by an AMQP error; nothing is
// silently done otherwise. What is made with partitions has the manners of Service
// Bus's, on one machine. Messages live in memory and end with the Server, unless
// Options.Data names a folder to keep them in (internal/store): then what was
// answered is on disk. Server.Inject has faults happen on demand.
//
// # Where it follows Service Bus rather than AMQP
//
//   - An abandoned delivery (modified) counts as failed even with
//     delivery-failed=false; a released one does not.
//   - Rejected means dead-letter. A settlement is answered with the outcome that
//     was asked for, or with rejected and an error when the lock is lost.
//   - When a link or its connection goes, its deliveries stay locked until the
//     lock expires, and can be settled by token meanwhile. Those of a session are
//     given back with it at once, and have not failed. A settlement that crosses
//     the detach is carried out, and may be repeated by token.
//   - A message that comes without an id gets one.
//   - A message that is too large is rejected, and its link is detached.
//   - A sender that sends nothing for ten minutes is detached, and a connection
//     without links is closed after five, or one if it never had any.
//   - A link ends with the token that allows it, unless another has been put.
//   - Delivery tags are lock tokens in the byte order of a .NET Guid.
//   - Delivery annotations of a sender reach the receiver. The lock token is one of
//     them.
package broker
