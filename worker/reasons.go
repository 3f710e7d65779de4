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
	// WarningSuperseded: a part of the command was left out because a newer
	// command had set it before this one came again.
	WarningSuperseded = "Superseded"
)
