package bulk

import "github.com/muster-mfa/muster/phone"

// The reason codes of rows, beside those of the phone package. They are stable:
// rejects files and summaries carry them.
const (
	// ReasonMissingUser: the user's cell is empty.
	ReasonMissingUser = "MissingUser"
	// ReasonInvalidUser: the user is neither a user principal name nor an
	// object id.
	ReasonInvalidUser = "InvalidUser"
	// ReasonInvalidMFAState: not one of disabled, enabled, enforced.
	ReasonInvalidMFAState = "InvalidMfaState"
	// ReasonInvalidSMSSignIn: neither a yes nor a no.
	ReasonInvalidSMSSignIn = "InvalidSmsSignIn"
	// ReasonInvalidDefaultMethod: not one of Graph's methods.
	ReasonInvalidDefaultMethod = "InvalidDefaultMethod"
	// ReasonInvalidPhoneMode: not one of ensure, add-only, remove.
	ReasonInvalidPhoneMode = "InvalidPhoneMode"
	// ReasonInvalidDefaultMethodMode: not one of keep, only-if-none, most-secure,
	// force.
	ReasonInvalidDefaultMethodMode = "InvalidDefaultMethodMode"
	// ReasonInvalidRemoval: no selection of Authenticator registrations.
	ReasonInvalidRemoval = "InvalidRemoveAuthenticator"
	// ReasonRemovalUnderAddOnly: a phone is to go, and the mode only adds.
	ReasonRemovalUnderAddOnly = "RemovalUnderAddOnly"
	// ReasonDefaultMethodKept: a default method is named, and the mode keeps the
	// present one.
	ReasonDefaultMethodKept = "DefaultMethodUnderKeep"
	// ReasonNothingToDo: every cell beside the user is empty.
	ReasonNothingToDo = "NothingToDo"
	// ReasonWrongFieldCount: more or fewer cells than the header.
	ReasonWrongFieldCount = "WrongFieldCount"
	// ReasonUnclosedQuote: a quote is opened and not closed.
	ReasonUnclosedQuote = "UnclosedQuote"
	// ReasonRowTooLong: longer than [MaxRowBytes].
	ReasonRowTooLong = "RowTooLong"
)

const (
	hintMissingUser         = "give the user principal name or the object id"
	hintInvalidUser         = "give a user principal name such as anna@contoso.example, or an object id"
	hintMFAState            = "write disabled, enabled or enforced, or leave the cell empty; a state cannot be removed, only disabled"
	hintSMSSignIn           = "write true or false, or leave the cell empty; it cannot be removed, only set to false"
	hintDefaultMethod       = "write push, oath, voiceMobile, voiceAlternateMobile, voiceOffice or sms, or leave the cell empty; a default cannot be removed, only changed"
	hintPhoneMode           = "write ensure, add-only or remove, or leave the cell empty"
	hintRemoval             = "write all, older than 365 days, named and the device's name, or a method id; several of them with semicolons between"
	hintNothingToDo         = "fill in at least one cell beside the user, or delete the row"
	hintWrongFieldCount     = "give the row as many cells as the header has"
	hintMissingCells        = "the rejects file adds the missing ones as empty cells: check what belongs there"
	hintExtraCells          = "look for a delimiter inside a cell that is not in quotes"
	hintUnclosedQuote       = "close or remove the double quote that begins a cell of this row"
	hintDefaultMethodMode   = "write keep, only-if-none, most-secure or force, or leave the cell empty"
	hintRemovalUnderAddOnly = "leave the cell empty, or give the row another phone mode: add-only removes nothing"
	hintDefaultMethodKept   = "leave the default method empty, or give the row another mode: keep changes no default"
	hintRowTooLong          = "look for this row in the file that was loaded: it has more than 64 KiB and is not repeated here"
)

// Reasons lists every reason code that a [Rejection] can have: those of this
// package, then the phone package's.
func Reasons() []phone.Reason {
	return append([]phone.Reason{
		{Code: ReasonMissingUser, Meaning: "the user's cell is empty", Hint: hintMissingUser},
		{Code: ReasonInvalidUser, Meaning: "the user is neither a user principal name nor an object id", Hint: hintInvalidUser},
		{Code: ReasonInvalidMFAState, Meaning: "the per-user MFA state is not one of the three", Hint: hintMFAState},
		{Code: ReasonInvalidSMSSignIn, Meaning: "SMS sign-in is neither a yes nor a no", Hint: hintSMSSignIn},
		{Code: ReasonInvalidDefaultMethod, Meaning: "the default method is not one of Microsoft Graph's", Hint: hintDefaultMethod},
		{Code: ReasonInvalidPhoneMode, Meaning: "the phone mode is not one of the three", Hint: hintPhoneMode},
		{Code: ReasonInvalidDefaultMethodMode, Meaning: "the mode of the default method is not one of the four", Hint: hintDefaultMethodMode},
		{Code: ReasonInvalidRemoval, Meaning: "the cell does not say which Authenticator registrations are to go", Hint: hintRemoval},
		{Code: ReasonRemovalUnderAddOnly, Meaning: "a phone is to be removed, and the phone mode is add-only", Hint: hintRemovalUnderAddOnly},
		{Code: ReasonDefaultMethodKept, Meaning: "a default method is named, and its mode is keep", Hint: hintDefaultMethodKept},
		{Code: ReasonNothingToDo, Meaning: "every cell beside the user is empty", Hint: hintNothingToDo},
		{Code: ReasonWrongFieldCount, Meaning: "the row has more or fewer cells than the header", Hint: hintWrongFieldCount},
		{Code: ReasonUnclosedQuote, Meaning: "a double quote is opened and not closed", Hint: hintUnclosedQuote},
		{Code: ReasonRowTooLong, Meaning: "the row is longer than 64 KiB", Hint: hintRowTooLong},
	}, phone.Reasons()...)
}

// Rejection says why a row can't be sent. It holds nothing of the row.
type Rejection struct {
	// Reason is the code of the row's first fault, one of those that [Reasons]
	// lists.
	Reason string
	// Hint says what a person can do about every fault of the row, each led by
	// its column's name, separated by semicolons.
	Hint string
}

// Error returns reason and hint.
func (r *Rejection) Error() string { return r.Reason + ": " + r.Hint }

func reject(reason, hint string) *Rejection { return &Rejection{Reason: reason, Hint: hint} }
