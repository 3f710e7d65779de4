package worker

// The reasons for which the worker itself dead-letters a command. Those of the
// messages and phone packages join them; docs/reasons.md has the whole list.
const (
	ReasonUnknownUser              = "UnknownUser"
	ReasonAlternateNeedsMobile     = "AlternateNeedsMobile"
	ReasonMobileNeededByAlternate  = "MobileNeededByAlternate"
	ReasonDefaultMethodUnavailable = "DefaultMethodUnavailable"
	ReasonDefaultMethodProtected   = "DefaultMethodProtected"
	ReasonSMSSignInNeedsMobile     = "SmsSignInNeedsMobile"
	ReasonSMSSignInNotAllowed      = "SmsSignInNotAllowed"
	ReasonSMSSignInNotUnique       = "SmsSignInNotUnique"
	ReasonSMSSignInNotSupported    = "SmsSignInNotSupported"
	ReasonChangedSince             = "ChangedSince"
	ReasonNumbersHidden            = "NumbersHidden"
	ReasonLastMethod               = "LastMethod"
	ReasonOfficePhoneSynced        = "OfficePhoneSynced"
	ReasonRefusedByPolicy          = "RefusedByPolicy"
	ReasonRefusedByGraph           = "RefusedByGraph"
	ReasonAccessDenied             = "AccessDenied"
	ReasonGraphFailed              = "GraphFailed"
	ReasonPanic                    = "InternalError"
	ReasonNotAllowedHere           = "NotAllowedHere"
	ReasonOutOfScope               = "OutOfScope"
	ReasonVerificationMismatch     = "VerificationMismatch"
)

// Warnings on a command that was applied all the same.
const (
	// WarningNumberNotUnique: the number is registered for MFA, but another user
	// of the tenant signs in with it.
	WarningNumberNotUnique = "NumberNotUniqueForSmsSignIn"
	// WarningSMSSignInTurnedOn: the policy lets the user sign in by text message,
	// and Graph registers a new mobile number for it by itself.
	WarningSMSSignInTurnedOn = "SmsSignInTurnedOn"
	// WarningSuperseded: a part of the command was left out because a newer
	// command had set it before this one came again.
	WarningSuperseded = "Superseded"
	// WarningNumberNotVerified: Graph shows only a part of the number that was
	// written, so that it could not be read back.
	WarningNumberNotVerified = "NumberNotVerified"
	// WarningNumberKept: another number is registered, or one that is hidden, and
	// the mode of the phones leaves it alone.
	WarningNumberKept = "NumberKept"
	// WarningDefaultMethodKept: the default method that the user has stays, because
	// it is stronger or because the mode says so.
	WarningDefaultMethodKept = "DefaultMethodKept"
	// WarningSystemPreferredMethod: the system picks the strongest method for the
	// user, so that the default method is ignored nearly everywhere.
	WarningSystemPreferredMethod = "SystemPreferredMethod"
	// WarningRegistrationDateUnknown: an Authenticator registration stays because
	// Graph does not tell its age.
	WarningRegistrationDateUnknown = "RegistrationDateUnknown"
)

// Hints for what is found out both from what Graph holds and from its refusals.
const (
	hintSMSSignInNotAllowed = "The tenant's SMS sign-in policy does not cover this user: add the user to it, or leave SMS sign-in out."
	hintSMSSignInNotUnique  = "Another user of the tenant signs in with the same number, and a number can be used by one user only."
)
