package bulk

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// maxUser is the longest user, in characters; the message contract takes no
// longer one.
const maxUser = 256

// Command is the command that a row asks for, without tenant and run. An empty
// cell leaves a thing alone; "-" in a phone's cell removes that phone. The modes
// are those of rows that give none. Exactly one of command and rejection is of
// use: the rejection is nil for a row that can be sent.
func (h Header) Command(row Row, policy phone.Policy, modes Modes) (messages.Command, *Rejection) {
	if row.Fault != nil {
		return messages.Command{}, row.Fault
	}
	c := interpreter{header: h, cells: row.Cells, policy: policy}
	if mode := word(&c, PhoneMode, phoneModes, ReasonInvalidPhoneMode, hintPhoneMode); mode != "" {
		modes.Phone = mode
	}
	command := messages.Command{
		User:            c.user(),
		Phones:          c.phones(modes.Phone),
		PerUserMFAState: word(&c, PerUserMFAState, mfaStates, ReasonInvalidMFAState, hintMFAState),
		SMSSignIn:       c.smsSignIn(),
		DefaultMethod:   word(&c, DefaultMethod, defaultMethods, ReasonInvalidDefaultMethod, hintDefaultMethod),
		Row:             row.Number,
	}
	c.applyModes(&command, modes)
	command.Authenticator = c.removal()
	if c.fault == nil && asksNothing(&command) {
		c.fail("", ReasonNothingToDo, hintNothingToDo)
	}
	return command, c.fault
}

// interpreter reads the cells of one row and gathers their faults.
type interpreter struct {
	header Header
	cells  []string
	policy phone.Policy
	fault  *Rejection
}

func (c *interpreter) fail(f Field, reason, hint string) {
	if f != "" {
		hint = string(f) + ": " + hint
	}
	if c.fault == nil {
		c.fault = reject(reason, hint)
		return
	}
	c.fault.Hint += "; " + hint
}

// cell returns what a field's cell holds, without what can't be seen around it.
func (c *interpreter) cell(f Field) string {
	i := c.header.Index(f)
	if i < 0 {
		return ""
	}
	return strings.TrimFunc(c.cells[i], func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}

func (c *interpreter) user() string {
	user := c.cell(User)
	switch {
	case user == "":
		c.fail(User, ReasonMissingUser, hintMissingUser)
	case isObjectID(user):
		return strings.ToLower(user)
	case !isPrincipalName(user):
		c.fail(User, ReasonInvalidUser, hintInvalidUser)
	}
	return user
}

func isObjectID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// isPrincipalName accepts more than Entra ID does, which is for the directory
// to say, but nothing that can't be one: a display name, a list of addresses,
// a number.
func isPrincipalName(s string) bool {
	name, domain, found := strings.Cut(s, "@")
	if !found || name == "" || utf8.RuneCountInString(s) > maxUser || !strings.Contains(domain, ".") {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || strings.IndexFunc(label, func(r rune) bool {
			return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) >= 0 {
			return false
		}
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\"<>(),:;[]|`, r)
	}) < 0
}

var phoneColumns = []struct {
	field Field
	kind  messages.PhoneType
}{
	{Mobile, messages.Mobile},
	{AlternateMobile, messages.AlternateMobile},
	{OfficePhone, messages.Office},
}

// phones reads the numbers. Those that are to be removed are compared and not
// written, so the policy does not matter to them.
func (c *interpreter) phones(mode messages.PhoneMode) messages.Phones {
	var phones messages.Phones
	for _, column := range phoneColumns {
		text := c.cell(column.field)
		if text == "" {
			continue
		}
		if phones == nil {
			phones = make(messages.Phones)
		}
		if isRemoval(text) {
			phones[column.kind] = messages.Remove
			continue
		}
		number, err := c.policy.Parse(text, phone.Use(column.kind))
		if mode == messages.PhoneModeRemove {
			number, err = c.policy.ParseRegistered(text)
		}
		var refusal *phone.Refusal
		if errors.As(err, &refusal) {
			c.fail(column.field, refusal.Reason, refusal.Hint)
		}
		phones[column.kind] = number.String()
	}
	return phones
}

// isRemoval reports whether a cell is a single dash, or what spreadsheets make
// of one.
func isRemoval(text string) bool {
	return text == "-" || text == "\u2013" || text == "\u2014" || text == "\u2212"
}

var (
	mfaStates      = []messages.MFAState{messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced}
	defaultMethods = []messages.DefaultMethod{
		messages.DefaultPush, messages.DefaultOath, messages.DefaultVoiceMobile,
		messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice, messages.DefaultSMS,
	}
)

// word reads a cell that holds one of a few words in any case.
func word[T ~string](c *interpreter, f Field, words []T, reason, hint string) T {
	text := c.cell(f)
	if text == "" {
		return ""
	}
	for _, w := range words {
		if strings.EqualFold(text, string(w)) {
			return w
		}
	}
	c.fail(f, reason, hint)
	return ""
}

func (c *interpreter) smsSignIn() *bool {
	switch strings.ToLower(c.cell(SMSSignIn)) {
	case "":
		return nil
	case "true", "yes", "on", "1", "enabled":
		return new(true)
	case "false", "no", "off", "0", "disabled":
		return new(false)
	}
	c.fail(SMSSignIn, ReasonInvalidSMSSignIn, hintSMSSignIn)
	return nil
}

func (c *interpreter) removal() messages.Authenticator {
	text := c.cell(RemoveAuthenticator)
	if text == "" {
		return messages.Authenticator{}
	}
	a, err := ParseRemoval(text)
	if err != nil {
		c.fail(RemoveAuthenticator, ReasonInvalidRemoval, hintRemoval)
	}
	return a
}
