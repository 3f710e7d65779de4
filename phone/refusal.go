package phone

// The reason codes. They are stable: rejects files, dead letters and metrics
// carry them.
const (
	// ReasonInvalid: not a number that exists. Too short, too long, of no
	// numbering plan, with letters in it, or empty.
	ReasonInvalid = "InvalidPhoneNumber"
	// ReasonMissingCountry: a number without country code, where the policy has
	// no region or the number is none of that region's.
	ReasonMissingCountry = "PhoneNumberMissingCountry"
	// ReasonScientific: a spreadsheet has turned the number into scientific
	// notation, and digits are lost for good.
	ReasonScientific = "PhoneNumberScientific"
	// ReasonAmbiguous: the digits begin with the default region's own country
	// code and are a number both with and without a plus.
	ReasonAmbiguous = "PhoneNumberAmbiguous"
	// ReasonNotMobile: a fixed line or an internet telephony number, asked for
	// as mobile.
	ReasonNotMobile = "PhoneNumberNotMobile"
	// ReasonPremiumRate: a service number rather than a person's line:
	// premium-rate, shared-cost, universal access, personal (follow-me), pager
	// or voicemail, and toll-free unless asked for as office.
	ReasonPremiumRate = "PhoneNumberPremiumRate"
	// ReasonNoCountry: a number of no country, such as satellite (+870, +881),
	// international networks (+882, +883) and international services (+800,
	// +808, +979).
	ReasonNoCountry = "PhoneNumberNoCountry"
	// ReasonExtension: an extension on a number that is not an office phone, or
	// one that is too long.
	ReasonExtension = "PhoneNumberExtension"
	// ReasonSeveral: more than one number in the text.
	ReasonSeveral = "PhoneNumberSeveral"
	// ReasonMasked: digits are hidden behind x, * or the like.
	ReasonMasked = "PhoneNumberMasked"
)

// Reason describes one reason code.
type Reason struct {
	// Code is the stable code.
	Code string
	// Meaning is one line about what is wrong with such a number.
	Meaning string
	// Hint is what a person can do about it. A [Refusal] with the code may hold
	// a more precise one.
	Hint string
}

// Reasons lists every reason code that a [Refusal] can have, the general one
// first.
func Reasons() []Reason {
	return []Reason{
		{ReasonInvalid, "no such number: too short, too long, of no numbering plan, with letters, or empty", hintInvalid},
		{ReasonMissingCountry, "the country code is missing, and the number is none of the default region's", hintMissingCountry},
		{ReasonScientific, "a spreadsheet turned the number into scientific notation and digits are lost", hintScientific},
		{ReasonAmbiguous, "the number may have lost its plus: with and without it is a different, existing number", hintAmbiguous},
		{ReasonNotMobile, "a fixed line or internet telephony number, which cannot be relied on for text messages", hintNotMobile},
		{ReasonPremiumRate, "a premium-rate, shared-cost, toll-free, pager, voicemail or other service number, nobody's own line", hintPremiumRate},
		{ReasonNoCountry, "a satellite or international service number, which belongs to no country", hintNoCountry},
		{ReasonExtension, "an extension on a phone other than the office phone, or one that is too long", hintExtension},
		{ReasonSeveral, "more than one number in one cell", hintSeveral},
		{ReasonMasked, "digits are hidden behind x or *", hintMasked},
	}
}

// Hints are fixed texts, so that none can repeat a number. They spell examples
// in words or in short groups for the same reason.
const (
	hintInvalid        = "check the digits and write the number with + and its country code"
	hintMissingCountry = "write the number with + and its country code, or name the right default region"
	hintScientific     = "format the column as text in the spreadsheet and type or paste the number again from its source; the lost digits cannot be recovered from this file"
	hintAmbiguous      = "write a + in front if the number begins with the country code, or a 0 if it begins with an area code"
	hintNotMobile      = "give a mobile number, or put this one in the alternate mobile or office column"
	hintPremiumRate    = "give the person's own mobile or direct number"
	hintNoCountry      = "give a number of a country's mobile or fixed network"
	hintExtension      = "leave the extension out, or put the number in the office column"
	hintSeveral        = "keep one number per cell; a second one belongs in the alternate mobile column"
	hintMasked         = "the source hides part of the number; export it with an account that may see whole numbers"

	hintEmpty         = "the cell holds no digits; give a number"
	hintLetters       = "write digits in place of letters"
	hintCharacters    = "remove the characters that do not belong in a number"
	hintEncoding      = "the text is not valid UTF-8; save the file as CSV UTF-8"
	hintTooLong       = "there are too many digits; check for a digit typed twice or a second number"
	hintTooShort      = "there are too few digits; check for digits or an area code left out"
	hintLongExtension = "an extension has at most seven digits"
	hintPlus          = "a + belongs only at the very beginning"
	hintUnstable      = "remove zeros between the country code and the number"
	hintUse           = "a phone is mobile, alternateMobile or office"
)

// Refusal says why a text is not accepted as a number. It holds no part of the
// text.
type Refusal struct {
	// Reason is one of the codes that [Reasons] lists.
	Reason string
	// Hint says what a person can do about it, in a phrase without a full stop.
	Hint string
}

// Error returns reason and hint.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Hint }

func refuse(reason, hint string) *Refusal { return &Refusal{Reason: reason, Hint: hint} }
