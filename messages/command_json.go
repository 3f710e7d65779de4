package messages

import (
	"math"
	"strconv"
	"strings"
)

// maxRow is the highest row that a command or an outcome may carry.
const maxRow = math.MaxInt32

// The members of a command and of its parts. A further kind of method is a
// further name here, a further case in readCommand and a further property in
// the schema.
var (
	commandMembers = []string{
		"tenant", "user", "phones", "phoneMode", "smsSignIn", "perUserMfaState",
		"defaultMethod", "defaultMethodMode", "authenticator", "protectLastMethod",
		"expect", "run", "row",
	}
	phoneMembers         = []string{string(Mobile), string(AlternateMobile), string(Office)}
	authenticatorMembers = []string{"remove", "removeNamed", "removeOlderThanDays", "removeAll"}
	expectMembers        = []string{"phones", "smsSignIn", "perUserMfaState", "defaultMethod"}
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
			c.Phones = r.phones("a string, or null to remove the phone")
		case "phoneMode":
			c.PhoneMode = PhoneMode(r.text(word))
		case "smsSignIn":
			c.SMSSignIn = r.choice()
		case "perUserMfaState":
			c.PerUserMFAState = MFAState(r.text(word))
		case "defaultMethod":
			c.DefaultMethod = DefaultMethod(r.text(word))
		case "defaultMethodMode":
			c.DefaultMethodMode = DefaultMethodMode(r.text(word))
		case "authenticator":
			c.Authenticator = r.authenticator()
		case "protectLastMethod":
			c.ProtectLastMethod = r.choice()
		case "expect":
			c.Expect = r.expectation()
		case "run":
			c.Run = r.text(word)
		case "row":
			c.Row = r.whole(maxRow)
		}
	}
	return c
}

// choice takes true or false where absence says a third thing.
func (r *reader) choice() *bool {
	on := r.boolean()
	return &on
}

// phones takes numbers per type. want says what each may be.
func (r *reader) phones(want string) Phones {
	phones := make(Phones, len(phoneMembers))
	for member := range r.object(phoneMembers) {
		if r.null() {
			phones[PhoneType(member)] = Remove
			continue
		}
		phones[PhoneType(member)] = r.text(want)
	}
	if len(phones) == 0 {
		r.fail("must hold at least one phone type, or be absent")
	}
	return phones
}

func (r *reader) authenticator() (a Authenticator) {
	empty := true
	for member := range r.object(authenticatorMembers) {
		empty = false
		switch member {
		case "remove":
			a.Remove = r.texts("id")
		case "removeNamed":
			a.RemoveNamed = r.texts("name")
		case "removeOlderThanDays":
			if a.RemoveOlderThanDays = r.whole(maxAge); a.RemoveOlderThanDays == 0 {
				r.fail("must be at least 1")
			}
		case "removeAll":
			if a.RemoveAll = r.boolean(); !a.RemoveAll {
				r.fail("must be true, or be absent")
			}
		}
	}
	if empty {
		r.fail("must hold at least one of " + strings.Join(authenticatorMembers, ", ") + ", or be absent")
	}
	return a
}

// texts takes an array of strings that is not empty. what names one of them.
func (r *reader) texts(what string) (texts []string) {
	for range r.elements {
		texts = append(texts, r.text("a string"))
	}
	if len(texts) == 0 {
		r.fail("must hold at least one " + what)
	}
	return texts
}

func (r *reader) expectation() *Expectation {
	const word = "a string"
	e := new(Expectation)
	for member := range r.object(expectMembers) {
		switch member {
		case "phones":
			e.Phones = r.phones("a string, or null to expect no phone")
		case "smsSignIn":
			e.SMSSignIn = r.choice()
		case "perUserMfaState":
			e.PerUserMFAState = MFAState(r.text(word))
		case "defaultMethod":
			e.DefaultMethod = DefaultMethod(r.text(word))
		}
	}
	return e
}

// appendCommand appends the data JSON of a command that checkCommand passes.
func appendCommand(b []byte, c *Command) []byte {
	b = append(b, '{')
	b = appendText(b, "tenant", c.Tenant)
	b = appendText(b, "user", c.User)
	b = appendPhones(b, c.Phones)
	b = appendText(b, "phoneMode", string(c.PhoneMode))
	b = appendChoice(b, "smsSignIn", c.SMSSignIn)
	b = appendText(b, "perUserMfaState", string(c.PerUserMFAState))
	b = appendText(b, "defaultMethod", string(c.DefaultMethod))
	b = appendText(b, "defaultMethodMode", string(c.DefaultMethodMode))
	b = appendAuthenticator(b, &c.Authenticator)
	b = appendChoice(b, "protectLastMethod", c.ProtectLastMethod)
	b = appendExpectation(b, c.Expect)
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

func appendAuthenticator(b []byte, a *Authenticator) []byte {
	if !a.Removes() {
		return b
	}
	b = append(appendName(b, "authenticator"), '{')
	if len(a.Remove) > 0 {
		b = appendTexts(b, "remove", a.Remove)
	}
	if len(a.RemoveNamed) > 0 {
		b = appendTexts(b, "removeNamed", a.RemoveNamed)
	}
	b = appendNumber(b, "removeOlderThanDays", a.RemoveOlderThanDays)
	if a.RemoveAll {
		b = appendBool(b, "removeAll", true)
	}
	return append(b, '}')
}

func appendExpectation(b []byte, e *Expectation) []byte {
	if e == nil {
		return b
	}
	b = append(appendName(b, "expect"), '{')
	b = appendPhones(b, e.Phones)
	b = appendChoice(b, "smsSignIn", e.SMSSignIn)
	b = appendText(b, "perUserMfaState", string(e.PerUserMFAState))
	b = appendText(b, "defaultMethod", string(e.DefaultMethod))
	return append(b, '}')
}
