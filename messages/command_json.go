package messages

import (
	"math"
	"strconv"
)

// maxRow is the highest row that a command or an outcome may carry.
const maxRow = math.MaxInt32

// The members of a command and of its parts. A further kind of method is a
// further name here, a further case in readCommand and a further property in
// the schema.
var (
	commandMembers = []string{
		"tenant", "user", "phones", "smsSignIn", "perUserMfaState",
		"defaultMethod", "authenticator", "run", "row",
	}
	phoneMembers         = []string{string(Mobile), string(AlternateMobile), string(Office)}
	authenticatorMembers = []string{"remove"}
)

// DecodeCommand reads a command's data alone, {"tenant":…,"user":…}, without
// an envelope: what a person types or a file holds. A queue's messages are for
// [Decode]. The error is a [*DecodeError].
func DecodeCommand(data []byte) (Command, error) {
	c, fault := decodeCommand(data)
	if fault != nil {
		return Command{}, fault
	}
	return c, nil
}

func decodeCommand(data []byte) (Command, *DecodeError) {
	if len(data) > MaxBody {
		return Command{}, tooLarge(ReasonTooLarge)
	}
	r := reader{body: data, reason: ReasonMalformed}
	c := r.command()
	r.end()
	if r.fault == nil {
		r.fault = checkCommand("$", &c)
	}
	return c, r.fault
}

func tooLarge(reason string) *DecodeError {
	return &DecodeError{Reason: reason, Path: "$", Problem: "must not be longer than " + strconv.Itoa(MaxBody) + " bytes"}
}

// command reads the shape of a command; its values are checkCommand's.
func (r *reader) command() (c Command) {
	const word = "a string"
	for member := range r.object(commandMembers) {
		switch member {
		case "tenant":
			c.Tenant = r.text(word)
		case "user":
			c.User = r.text(word)
		case "phones":
			c.Phones = r.phones()
		case "smsSignIn":
			on := r.boolean()
			c.SMSSignIn = &on
		case "perUserMfaState":
			c.PerUserMFAState = MFAState(r.text(word))
		case "defaultMethod":
			c.DefaultMethod = DefaultMethod(r.text(word))
		case "authenticator":
			c.Authenticator = r.authenticator()
		case "run":
			c.Run = r.text(word)
		case "row":
			c.Row = r.whole(maxRow)
		}
	}
	return c
}

func (r *reader) phones() Phones {
	phones := make(Phones, len(phoneMembers))
	for member := range r.object(phoneMembers) {
		if r.null() {
			phones[PhoneType(member)] = Remove
			continue
		}
		phones[PhoneType(member)] = r.text("a string, or null to remove the phone")
	}
	if len(phones) == 0 {
		r.fail("must hold at least one phone type, or be absent")
	}
	return phones
}

func (r *reader) authenticator() (a Authenticator) {
	empty := true
	for range r.object(authenticatorMembers) {
		empty = false
		a.Remove = r.methodIDs()
	}
	if empty {
		r.fail("must hold remove, or be absent")
	}
	return a
}

func (r *reader) methodIDs() (ids []string) {
	for range r.elements {
		ids = append(ids, r.text("a string"))
	}
	if len(ids) == 0 {
		r.fail("must hold at least one id")
	}
	return ids
}

// appendCommand appends the data JSON of a command that checkCommand passes.
func appendCommand(b []byte, c *Command) []byte {
	b = append(b, '{')
	b = appendText(b, "tenant", c.Tenant)
	b = appendText(b, "user", c.User)
	b = appendPhones(b, c.Phones)
	if c.SMSSignIn != nil {
		b = appendBool(b, "smsSignIn", *c.SMSSignIn)
	}
	b = appendText(b, "perUserMfaState", string(c.PerUserMFAState))
	b = appendText(b, "defaultMethod", string(c.DefaultMethod))
	if len(c.Authenticator.Remove) > 0 {
		b = append(appendName(b, "authenticator"), '{')
		b = appendTexts(b, "remove", c.Authenticator.Remove)
		b = append(b, '}')
	}
	b = appendText(b, "run", c.Run)
	b = appendNumber(b, "row", c.Row)
	return append(b, '}')
}

func appendPhones(b []byte, phones Phones) []byte {
	if len(phones) == 0 {
		return b
	}
	b = append(appendName(b, "phones"), '{')
	for _, t := range PhoneTypes {
		number, ok := phones[t]
		switch {
		case !ok:
		case number == Remove:
			b = append(appendName(b, string(t)), "null"...)
		default:
			b = appendText(b, string(t), number)
		}
	}
	return append(b, '}')
}
