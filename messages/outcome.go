package messages

// Outcome is what became of one command. It holds no number and no user
// principal name.
type Outcome struct {
	// CommandID is the id of the CloudEvent that carried the command.
	CommandID string
	Tenant    string
	// UserID is the user's object id, empty where it never became known.
	UserID string
	Result Result
	// Reason is the stable code of a refusal or failure, empty otherwise.
	Reason string
	// Detail is a sentence for a person, free of personal data.
	Detail string
	// Warnings are codes of things worth knowing about a command that was
	// applied all the same.
	Warnings []string
	// Writes is how many write requests were sent to Microsoft Graph for it.
	Writes int
	// TraceID is the W3C trace id of the command's trace, empty for none.
	TraceID string
	Run     string
	Row     int
}

// Result says what became of a command.
type Result string

// The results.
const (
	// Applied: Graph was changed and holds what the command asked for.
	Applied Result = "applied"
	// Unchanged: Graph held it already, so nothing was written.
	Unchanged Result = "unchanged"
	// Refused: the command can never work and was dead-lettered with a reason.
	Refused Result = "refused"
	// Failed: it might work another time, but not now.
	Failed Result = "failed"
)
