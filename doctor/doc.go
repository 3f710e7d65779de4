// Package doctor finds what would go wrong in a run before it begins: the token
// and its permissions, the credential's end, Microsoft Graph call by call, the
// queue, the clock.
//
//	gather (Check) ─> facts ─> judge (pure functions) ─> findings
//
// Nothing is written, no message is taken and none is sent. What can only be
// known by writing, such as the right to add a phone, is judged by the
// permissions in the token. Findings hold no personal data: one user is read for
// the answer's status alone.
package doctor
