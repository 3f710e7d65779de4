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
	// SMSSignIn turns sign-in by text message on or off. Nil leaves it alone.
	SMSSignIn *bool
	// PerUserMFAState is the wanted per-user MFA state. Empty leaves it alone.
	PerUserMFAState MFAState
	// DefaultMethod is the wanted default method for secondary authentication.
	// Empty leaves it alone.
	DefaultMethod DefaultMethod
	// Authenticator says which Microsoft Authenticator registrations must go.
	Authenticator Authenticator
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
)

// Authenticator is the part of a command about Microsoft Authenticator.
type Authenticator struct {
	// Remove lists the method ids of the registrations to remove.
	Remove []string
}
