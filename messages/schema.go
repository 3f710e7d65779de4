package messages

import _ "embed" // the schemas

// The URIs of the JSON Schemas, which are their $id. Encoded events carry the
// one of their data as dataschema; on reading, dataschema is not looked at.
const (
	CommandSchemaURI = "https://muster-mfa.github.io/schemas/command.v1.json"
	EventSchemaURI   = "https://muster-mfa.github.io/schemas/event.v1.json"
	OutcomeSchemaURI = "https://muster-mfa.github.io/schemas/outcome.v1.json"
)

var (
	//go:embed schema/command.v1.json
	commandSchema string
	//go:embed schema/event.v1.json
	eventSchema string
	//go:embed schema/outcome.v1.json
	outcomeSchema string
)

// CommandSchema returns the JSON Schema (draft 2020-12) of a command's data.
func CommandSchema() string { return commandSchema }

// EventSchema returns the JSON Schema (draft 2020-12) of a command event in
// structured mode. It refers to the command's schema by its URI.
func EventSchema() string { return eventSchema }

// OutcomeSchema returns the JSON Schema (draft 2020-12) of an outcome's data.
func OutcomeSchema() string { return outcomeSchema }
