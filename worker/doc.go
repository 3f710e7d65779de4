// Package worker takes commands from a queue and applies them to Microsoft Graph.
//
// Its files are the stages, in the order in which a command passes them:
//
//	receive.go   asks for as many messages as there are free slots
//	order.go     gives each command its place behind those of the same user
//	decode.go    reads the numbers by the policy
//	resolve.go   finds the object id behind a user principal name
//	scope.go     decides whether the user may be changed
//	read.go      reads what Graph holds now
//	plan.go      decides the writes, purely, from what is and what is wanted
//	apply.go     carries them out
//	verify.go    reads them back, where that is wanted
//	verdict.go   decides what an error means for the message
//	settle.go    tells the queue, and reports the outcome
//
// process.go leads one command through them. Around them, lock.go keeps the
// message locked meanwhile, memory.go bridges Graph's eventual consistency, and
// pause.go holds back the commands of a tenant that refuses the application.
//
// # Three contexts
//
// Receiving ends as soon as the worker is told to stop, and with it everything
// that only waits: for a paused tenant, for an earlier command of the same user,
// for the next try. Work on Graph goes on for a grace period. Settling has a
// context of its own, which neither of the two ends.
//
// # Order
//
// Commands of one user take effect in the order in which this worker received
// them, one after the other. Without sessions that is all a queue can promise:
// several workers on one queue each keep their own order.
package worker
