package messages

// Command is what a publisher wants true for one user of one tenant. It is
// declarative: a part that is absent is left as it is in the directory.
//
// Each kind of authentication method has a member of its own (Phones,
// Authenticator). A further kind joins as a further member that may be absent,
// so a publisher that does not know it goes on publishing what it does today.
type Command struct {
	// Tenant is the tenant's id (a GUID) or one of its verified domain names.
	Tenant string
	// User is the user's object id (a GUID) or user principal name.
	User string
	// Phones holds the wanted number per phone type. A type that is not in the
	// map is left alone; Remove asks for its removal.
	Phones Phones
	// PhoneMode says what a number in Phones asks for. Empty means
	// [PhoneModeEnsure].
	PhoneMode PhoneMode
	// SMSSignIn turns sign-in by text message on or off. Nil leaves it alone.
	SMSSignIn *bool
	// PerUserMFAState is the wanted per-user MFA state. Empty leaves it alone.
	PerUserMFAState MFAState
	// DefaultMethod is the wanted default method for secondary authentication.
	// Empty leaves it alone.
	DefaultMethod DefaultMethod
	// DefaultMethodMode says when the default method may be changed. Empty means
	// [DefaultModeMostSecure] where DefaultMethod names one. Where it names none,
	// the default is then only changed if a removal needs another in its place.
	DefaultMethodMode DefaultMethodMode
	// Authenticator says which Microsoft Authenticator registrations must go.
	Authenticator Authenticator
	// ProtectLastMethod refuses the command where it would leave the user without
	// any method that multi-factor authentication can use. Nil means true where
	// Authenticator removes registrations, and false otherwise.
	ProtectLastMethod *bool
	// Expect makes the command depend on what the directory holds: where any part
	// of it is something else, the command is refused. Nil expects nothing.
	Expect *Expectation
	// Run is the id of the bulk load that the command belongs to, empty for an
	// event. Row is its row in that load's file as a spreadsheet counts it,
	// zero for none.
	Run string
	Row int
}

// Phones maps a phone type to the wanted number, in any form that the phone
// package reads, or to [Remove].
type Phones map[PhoneType]string

// Remove, as the value of a phone type, asks for the removal of that phone. On
// the wire it is null; an empty string there is refused.
const Remove = ""

// PhoneType is one of the three kinds of phone method that Microsoft Graph
// knows; a user has at most one phone of each.
type PhoneType string

// The phone types, spelled as Microsoft Graph spells them
// (resource type phoneAuthenticationMethod, property phoneType).
const (
	Mobile          PhoneType = "mobile"
	AlternateMobile PhoneType = "alternateMobile"
	Office          PhoneType = "office"
)

// PhoneTypes lists the phone types in the order in which they must be written:
// an alternate mobile is accepted only where a mobile exists.
var PhoneTypes = [...]PhoneType{Mobile, AlternateMobile, Office}

// PhoneMode says what the numbers of a command ask for. A type whose value is
// [Remove] loses its phone, whatever its number.
type PhoneMode string

// The phone modes.
const (
	// PhoneModeEnsure: the type has this number, added or changed as need be.
	PhoneModeEnsure PhoneMode = "ensure"
	// PhoneModeAddOnly: the number is added where the type has none; another
	// number stays, with a warning. Nothing may be removed by the same command.
	PhoneModeAddOnly PhoneMode = "add-only"
	// PhoneModeRemove: the type's phone is removed if it has this number;
	// another number stays, with a warning.
	PhoneModeRemove PhoneMode = "remove"
)

// MFAState is the per-user MFA state
// (resource type strongAuthenticationRequirements, property perUserMfaState).
type MFAState string

// The per-user MFA states.
const (
	MFADisabled MFAState = "disabled"
	MFAEnabled  MFAState = "enabled"
	MFAEnforced MFAState = "enforced"
)

// DefaultMethod is the method that a user is asked for first
// (resource type signInPreferences, property
// userPreferredMethodForSecondaryAuthentication).
type DefaultMethod string

// The default methods.
const (
	DefaultPush                 DefaultMethod = "push"
	DefaultOath                 DefaultMethod = "oath"
	DefaultVoiceMobile          DefaultMethod = "voiceMobile"
	DefaultVoiceAlternateMobile DefaultMethod = "voiceAlternateMobile"
	DefaultVoiceOffice          DefaultMethod = "voiceOffice"
	DefaultSMS                  DefaultMethod = "sms"

	// DefaultNone is that of a user without a default method. It can be expected,
	// never asked for: Microsoft Graph knows no way to set it.
	DefaultNone DefaultMethod = "none"
)

// DefaultMethodMode says when a command may change the default method.
type DefaultMethodMode string

// The modes of the default method. The order of strength is push, oath, sms,
// voice; the three voice methods are equal.
const (
	// DefaultModeKeep: the default is never changed. What would need that is
	// refused. It goes with no DefaultMethod.
	DefaultModeKeep DefaultMethodMode = "keep"
	// DefaultModeOnlyIfNone: DefaultMethod is set only where no default is.
	DefaultModeOnlyIfNone DefaultMethodMode = "only-if-none"
	// DefaultModeMostSecure: DefaultMethod is set unless the present default is
	// stronger, which then stays, with a warning. Without a DefaultMethod the
	// strongest that the user has once the command is done takes its place.
	DefaultModeMostSecure DefaultMethodMode = "most-secure"
	// DefaultModeForce: DefaultMethod is set even if it is weaker.
	DefaultModeForce DefaultMethodMode = "force"
)

// Authenticator is the part of a command about Microsoft Authenticator. What any
// of its members selects is removed; what none selects stays.
type Authenticator struct {
	// Remove lists the method ids of registrations to remove.
	Remove []string
	// RemoveNamed lists display names of devices, such as "Pixel 8", whose
	// registrations go. Upper and lower case do not matter.
	RemoveNamed []string
	// RemoveOlderThanDays removes registrations made more than so many days ago;
	// zero removes none for its age. One whose date is unknown stays, with a
	// warning.
	RemoveOlderThanDays int
	// RemoveAll removes every registration.
	RemoveAll bool
}

// Removes tells whether any registration is asked to go.
func (a Authenticator) Removes() bool {
	return len(a.Remove) > 0 || len(a.RemoveNamed) > 0 || a.RemoveOlderThanDays > 0 || a.RemoveAll
}

// Expectation is what a publisher believes the directory to hold. A part that is
// absent may be anything.
type Expectation struct {
	// Phones holds the expected number per phone type, compared without
	// formatting; Remove expects that there is no phone of that type.
	Phones Phones
	// SMSSignIn expects sign-in by text message to be on or off.
	SMSSignIn *bool
	// PerUserMFAState is the expected state, exactly.
	PerUserMFAState MFAState
	// DefaultMethod is the expected default method, DefaultNone for none.
	DefaultMethod DefaultMethod
}

// expectsNothing tells whether no part is named.
func (e *Expectation) expectsNothing() bool {
	return len(e.Phones) == 0 && e.SMSSignIn == nil && e.PerUserMFAState == "" && e.DefaultMethod == ""
}
