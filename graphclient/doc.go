// Package graphclient is Microsoft Graph over HTTP, as far as Muster needs it:
// users and their memberships, phone methods, per-user MFA state, sign-in preferences, Microsoft
// Authenticator registrations and $batch. It knows no queue and no command.
//
// A [Client] holds what all calls share (endpoint, credential, connections,
// limiter); a [Directory] is its view on one tenant and carries the calls. Each
// noun of Graph has a file: phones.go, smssignin.go, requirements.go,
// preferences.go, authenticator.go, users.go, memberships.go, batch.go. A call only says what it
// is: operation, method, place, body, and whether it may be repeated. All of
// them then take the same road:
//
//	do (do.go)         ask the limiter, fetch a token, send, decide, again
//	send (send.go)     one attempt: one request, one span, one reply
//	decide (retry.go)  a pure function from what was seen to what comes next
//	classify (kind.go) a pure function from status and error envelope to a Kind
//
// # What is retried
//
// Throttling (429, and 503 with Retry-After) is never a failure: the whole
// tenant is halted through the [Limiter] and the request is sent again until the
// context ends. Other passing trouble is retried Options.MaxTries times, with
// exponential backoff and jitter, where the request may be repeated: GET, PATCH,
// DELETE and the SMS sign-in actions. The POST that adds a phone may not: when
// its reply is lost, [Directory.AddPhone] reads what Graph holds before it sends
// the number again. Reads after a write can be stale, so it reads several times.
//
// # What is never told
//
// Phone numbers, user principal names, tokens and bodies appear in no error, log
// record, span or metric. A user who is named by principal name shows as
// REDACTED. The text of Graph's error messages is not passed on, because it can
// repeat what was sent; it is searched for three known phrases and dropped.
package graphclient
