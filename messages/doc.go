// Package messages is the contract between whoever publishes commands and the
// workers that carry them out: the types, how they are written as CloudEvents
// 1.0, how they are read, and the JSON Schemas for those who use no Go.
//
//	Event ──Structured, Binary──> Encoded ──(queue)──> Encoded ──Decode──> Event
//	OutcomeEvent ──EncodeOutcome──> one line ──DecodeOutcome──> OutcomeEvent
//
// A [Command] says what shall be true for one user of one tenant; what it does
// not mention is left alone. An [Outcome] says what became of a command.
//
// # Reading
//
// A command changes how somebody signs in, so [Decode] takes no guesses. It
// refuses unknown members, members that are given twice or whose name is wrong
// in its case, values of another type, a command that asks for nothing, text
// that is not UTF-8, and anything behind the document. Each refusal is a
// [*DecodeError] with a stable reason and the path of the value, and never
// repeats what the publisher wrote, which may be a number or a user's name.
//
// Whether a phone number is one, and whether the tenant and the user exist, is
// not a question of form; the worker answers it, with reasons of its own.
//
// Encoding checks the same rules, so nothing can be published from here that a
// worker of the same version would refuse.
//
// # Growing
//
// Each kind of authentication method is one optional member of the data
// (phones, authenticator). A further kind (Temporary Access Pass, hardware
// OATH tokens, e-mail, passkeys) joins as a further optional member, inside
// the same type: its name in commandMembers, its case in the reader, its rule
// in checkCommand, its property in the schema, and documents that prove the
// two equal. A publisher that does not know the member goes on as before,
// since absent means leave alone.
//
// As commands are read strictly, a worker that does not know a member refuses
// the command rather than carry out half of it. Hence the order of a roll-out:
// workers are upgraded before the first publisher uses a new member.
//
// Outcomes travel the other way, from workers to readers that may be older, so
// [DecodeOutcome] passes over members that it does not know.
//
// What would change the meaning of a command that is valid today (a member
// renamed or removed, a rule made narrower, absence given a meaning) is a new
// type, com.github.muster-mfa.command.v2, read beside v1 for as long as
// messages of v1 may be queued.
package messages
