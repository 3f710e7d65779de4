// Package tenant is a simulated Microsoft Entra tenant over HTTP: it stands in
// for Microsoft Graph (v1.0 and beta) where a client is tried out on loopback.
//
//	request ─> routes ─> deny ─> quota ─> faults ─> directory rules ─> reply
//	                                        │             │
//	                                        └─ lost reply └─ consistency
//
// The directory rules are pure functions on one user's record (phones.go,
// smssignin.go, preferences.go, requirements.go, authenticator.go). A record is
// never changed in place: a write makes a new one, so a stale read is simply an
// earlier record, and a record may be rendered without holding a lock.
//
// Around the rules stands what makes the real service awkward, each part
// switchable and in a file of its own: the published quotas (quota.go), faults
// (faults.go), and eventual consistency (consistency.go). The tenant misbehaves
// by default; a client that passes here has met bad days already.
//
// # Replaying a seed
//
// Nothing is drawn from a shared random source. Whether the n-th request of
// one operation on one user fails, how, and whether a read is stale, is a
// function of the seed, that operation, that user as the request addressed it,
// and n. Requests for other users, and the order in which concurrent ones
// arrive, have no influence. Two things are left to the clock, as they are in
// the service: quotas, and whether the last write is recent enough for a read
// to be stale at all. A request that a quota refuses does not count as one of
// the n.
//
// # What it leaves out
//
// Any bearer token is good unless there are Applications. There are groups and
// roles only as memberships of a user, of reports only the registration report,
// the sign-in log and the audit log, and other kinds of method are only listed.
// The exact codes and messages for an
// invalid number, a second phone of a type and an alternate mobile without a
// mobile are not published: status 400 with code badRequest is an assumption.
package tenant
