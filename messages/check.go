package messages

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The longest values of a command and an outcome, in characters. None is a
// limit of Entra ID's: each is generous for what is real and keeps a mistake
// (a whole file in one cell) out of the queue.
const (
	maxTenant    = 253 // a domain name (RFC 1035, section 2.3.4)
	maxUser      = 256
	maxPhone     = 100
	maxMethodID  = 128
	maxMethodIDs = 50
	maxName      = 128
	maxNames     = 20
	maxAge       = 36_500 // days
	maxRun       = 128
	maxCode      = 64
	maxDetail    = 4096
	maxWarnings  = 50
)

// checker checks values that have the right type. The first fault sticks. It
// serves decoding and encoding, so that nothing can be published that would
// not be read.
type checker struct {
	root   string // path of the checked value
	reason string
	fault  *DecodeError
}

func (k *checker) fail(path, problem string) {
	if k.fault == nil {
		k.fault = &DecodeError{Reason: k.reason, Path: k.root + path, Problem: problem}
	}
}

// identifier checks a value that ends up in a URL's path or names a thing.
func (k *checker) identifier(path, value string, limit int) {
	k.line(path, value, limit)
	if strings.ContainsAny(value, `/\ `) {
		k.fail(path, "must not contain spaces, slashes or backslashes")
	}
}

// line checks one line of text.
func (k *checker) line(path, value string, limit int) {
	k.length(path, value, limit)
	if !printable(value) {
		k.fail(path, "must not contain control characters")
	}
}

// length checks a text's length in characters, and that it is text.
func (k *checker) length(path, value string, limit int) {
	if !utf8.ValidString(value) {
		k.fail(path, "must be valid UTF-8")
	}
	if len(value) > limit && utf8.RuneCountInString(value) > limit {
		k.fail(path, "must not be longer than "+strconv.Itoa(limit)+" characters")
	}
}

func (k *checker) required(path, value string) {
	if value == "" {
		k.fail(path, "is required")
	}
}

func (k *checker) row(n int) {
	if n < 0 || n > maxRow {
		k.fail(".row", "must be a whole number from 0 to "+strconv.Itoa(maxRow))
	}
}

// oneOf checks a value that may be absent or else must be a known word.
func oneOf[T ~string](k *checker, path string, value T, known []T) {
	if value != "" && !slices.Contains(known, value) {
		var words []string
		for _, w := range known {
			words = append(words, string(w))
		}
		k.fail(path, "must be one of "+strings.Join(words, ", "))
	}
}

// printable reports whether text is free of control characters, U+0000 to
// U+001F and U+007F to U+009F.
func printable(text string) bool {
	for _, c := range text {
		if c < ' ' || '\u007f' <= c && c <= '\u009f' {
			return false
		}
	}
	return true
}

var (
	mfaStates      = []MFAState{MFADisabled, MFAEnabled, MFAEnforced}
	defaultMethods = []DefaultMethod{
		DefaultPush, DefaultOath, DefaultVoiceMobile,
		DefaultVoiceAlternateMobile, DefaultVoiceOffice, DefaultSMS,
	}
	expectedDefaults   = append(slices.Clip(defaultMethods), DefaultNone)
	phoneModes         = []PhoneMode{PhoneModeEnsure, PhoneModeAddOnly, PhoneModeRemove}
	defaultMethodModes = []DefaultMethodMode{DefaultModeKeep, DefaultModeOnlyIfNone, DefaultModeMostSecure, DefaultModeForce}
)

// checkCommand returns the first fault of a command, nil if it has none. root
// is the path under which it is found.
func checkCommand(root string, c *Command) *DecodeError {
	k := checker{root: root, reason: ReasonMalformed}
	k.required(".tenant", c.Tenant)
	k.identifier(".tenant", c.Tenant, maxTenant)
	k.required(".user", c.User)
	k.identifier(".user", c.User, maxUser)
	k.phones(".phones", &phonePaths, c.Phones)
	k.phoneMode(c)
	oneOf(&k, ".perUserMfaState", c.PerUserMFAState, mfaStates)
	oneOf(&k, ".defaultMethod", c.DefaultMethod, defaultMethods)
	k.defaultMethodMode(c)
	k.authenticator(&c.Authenticator)
	k.expectation(c.Expect)
	k.line(".run", c.Run, maxRun)
	k.row(c.Row)
	if asksNothing(c) {
		k.fail("", "asks for nothing: at least one of phones, smsSignIn, "+
			"perUserMfaState, defaultMethod, defaultMethodMode most-secure and authenticator is required")
	}
	return k.fault
}

func asksNothing(c *Command) bool {
	return len(c.Phones) == 0 && c.SMSSignIn == nil && c.PerUserMFAState == "" &&
		c.DefaultMethod == "" && c.DefaultMethodMode != DefaultModeMostSecure && !c.Authenticator.Removes()
}

// The paths are written out because every encoding passes by here.
var (
	phonePaths         = [...]string{".phones.mobile", ".phones.alternateMobile", ".phones.office"}
	expectedPhonePaths = [...]string{".expect.phones.mobile", ".expect.phones.alternateMobile", ".expect.phones.office"}
)

// phones checks no more than lengths: whether a number is one is for the phone
// package to say, with a reason of its own.
func (k *checker) phones(path string, paths *[len(PhoneTypes)]string, phones Phones) {
	known := 0
	for i, t := range PhoneTypes {
		if number, ok := phones[t]; ok {
			known++
			k.length(paths[i], number, maxPhone)
		}
	}
	if known != len(phones) {
		k.fail(path, "has an unknown phone type; known are "+strings.Join(phoneMembers, ", "))
	}
}

func (k *checker) phoneMode(c *Command) {
	oneOf(k, ".phoneMode", c.PhoneMode, phoneModes)
	if c.PhoneMode != "" && len(c.Phones) == 0 {
		k.fail(".phoneMode", "needs phones")
	}
	if c.PhoneMode != PhoneModeAddOnly {
		return
	}
	for i, t := range PhoneTypes {
		if number, named := c.Phones[t]; named && number == Remove {
			k.fail(phonePaths[i], "must not be null under phoneMode add-only, which removes nothing")
		}
	}
}

func (k *checker) defaultMethodMode(c *Command) {
	const path = ".defaultMethodMode"
	oneOf(k, path, c.DefaultMethodMode, defaultMethodModes)
	switch {
	case c.DefaultMethodMode == DefaultModeKeep && c.DefaultMethod != "":
		k.fail(path, "must not be keep beside a defaultMethod")
	case (c.DefaultMethodMode == DefaultModeForce || c.DefaultMethodMode == DefaultModeOnlyIfNone) && c.DefaultMethod == "":
		k.fail(path, "needs a defaultMethod")
	}
}

func (k *checker) authenticator(a *Authenticator) {
	k.distinct(".authenticator.remove", "ids", a.Remove, maxMethodIDs, func(path, id string) { k.identifier(path, id, maxMethodID) })
	k.distinct(".authenticator.removeNamed", "names", a.RemoveNamed, maxNames, func(path, name string) { k.line(path, name, maxName) })
	if a.RemoveOlderThanDays < 0 || a.RemoveOlderThanDays > maxAge {
		k.fail(".authenticator.removeOlderThanDays", "must be a whole number from 1 to "+strconv.Itoa(maxAge))
	}
}

// distinct checks texts that are not empty and all different.
func (k *checker) distinct(path, what string, texts []string, limit int, check func(path, text string)) {
	if len(texts) > limit {
		k.fail(path, "must not hold more than "+strconv.Itoa(limit)+" "+what)
		return
	}
	for i, text := range texts {
		switch at := path + "[" + strconv.Itoa(i) + "]"; {
		case text == "":
			k.fail(at, "must not be empty")
		case slices.Contains(texts[:i], text):
			k.fail(at, "is given twice")
		default:
			check(at, text)
		}
	}
}

func (k *checker) expectation(e *Expectation) {
	if e == nil {
		return
	}
	if e.expectsNothing() {
		k.fail(".expect", "must hold at least one of "+strings.Join(expectMembers, ", ")+", or be absent")
	}
	k.phones(".expect.phones", &expectedPhonePaths, e.Phones)
	oneOf(k, ".expect.perUserMfaState", e.PerUserMFAState, mfaStates)
	oneOf(k, ".expect.defaultMethod", e.DefaultMethod, expectedDefaults)
}
