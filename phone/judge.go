package phone

import "github.com/nyaruka/phonenumbers"

// judge decides whether a number that exists may serve the use.
func (p Policy) judge(r reading, extension bool, use Use) *Refusal {
	switch {
	case use != Mobile && use != AlternateMobile && use != Office:
		return refuse(ReasonInvalid, hintUse)
	case belongsNowhere(r.parsed):
		return refuse(ReasonNoCountry, hintNoCountry)
	case isService(r.kind), r.kind == phonenumbers.TOLL_FREE && use != Office:
		return refuse(ReasonPremiumRate, hintPremiumRate)
	case use == Mobile && isFixed(r.kind):
		return refuse(ReasonNotMobile, hintNotMobile)
	case extension && use != Office:
		return refuse(ReasonExtension, hintExtension)
	}
	return nil
}

// isService reports whether a kind of number is nobody's own line. Personal
// numbers are among them: they forward calls at the caller's cost, and fraud
// lives on that.
func isService(kind phonenumbers.PhoneNumberType) bool {
	switch kind {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.UAN,
		phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER, phonenumbers.VOICEMAIL:
		return true
	}
	return false
}

// isFixed reports whether a kind of line cannot be relied on to take text
// messages. FIXED_LINE_OR_MOBILE is not among them: in North America, for one,
// a number does not tell.
func isFixed(kind phonenumbers.PhoneNumberType) bool {
	switch kind {
	case phonenumbers.FIXED_LINE, phonenumbers.VOIP, phonenumbers.TOLL_FREE:
		return true
	}
	return false
}
