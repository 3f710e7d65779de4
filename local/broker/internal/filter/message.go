package filter

import "strings"

// Message is what the rules of a subscription see of a message.
type Message struct {
	// System returns the value of a system property, and false when the message
	// has none. It is asked by the names that SystemProperties lists, in that
	// spelling. Values are of the Go types that stand for AMQP values (package wire),
	// time.Time or time.Duration. It is called by every rule, so it should hand out
	// values that are boxed already. A nil System has no properties.
	System func(name string) (any, bool)
	// Application holds the application properties; nil is none.
	Application *Properties
}

// systemProperty describes one property that an expression reaches by sys.
type systemProperty struct {
	name string
	// settable is how an action may set it; the zero value is not at all.
	settable target
}

// target is the type of value that a system property takes.
type target uint8

const (
	readOnly target = iota
	textTarget
	spanTarget
	timeTarget
)

// systemProperties are the predefined properties of "Messages, payloads, and
// serialization". Those that only the service writes are read-only.
var systemProperties = []systemProperty{
	{"ContentType", textTarget},
	{"CorrelationId", textTarget},
	{"DeadLetterSource", readOnly},
	{"DeliveryCount", readOnly},
	{"EnqueuedSequenceNumber", readOnly},
	{"EnqueuedTimeUtc", readOnly},
	{"ExpiresAtUtc", readOnly},
	{"ForcePersistence", readOnly},
	{"Label", textTarget},
	{"LockToken", readOnly},
	{"LockedUntilUtc", readOnly},
	{"MessageId", textTarget},
	{"PartitionKey", textTarget},
	{"ReplyTo", textTarget},
	{"ReplyToSessionId", textTarget},
	{"ScheduledEnqueueTimeUtc", timeTarget},
	{"SequenceNumber", readOnly},
	{"SessionId", textTarget},
	{"Size", readOnly},
	{"State", readOnly},
	{"TimeToLive", spanTarget},
	{"To", textTarget},
	{"ViaPartitionKey", textTarget},
}

// systemAliases are the names that the newer clients have for the same properties.
var systemAliases = map[string]string{
	"Subject":                 "Label",
	"EnqueuedTime":            "EnqueuedTimeUtc",
	"ExpiresAt":               "ExpiresAtUtc",
	"LockedUntil":             "LockedUntilUtc",
	"ScheduledEnqueueTime":    "ScheduledEnqueueTimeUtc",
	"TransactionPartitionKey": "ViaPartitionKey",
}

// systemByName finds a system property by any of its names in lower case.
var systemByName = func() map[string]systemProperty {
	byName := make(map[string]systemProperty)
	for _, p := range systemProperties {
		byName[strings.ToLower(p.name)] = p
	}
	for alias, name := range systemAliases {
		byName[strings.ToLower(alias)] = byName[strings.ToLower(name)]
	}
	return byName
}()

// SystemProperties returns the names by which Message.System is asked and
// which Changes.System has as keys.
func SystemProperties() []string {
	names := make([]string, len(systemProperties))
	for i, p := range systemProperties {
		names[i] = p.name
	}
	return names
}

// system returns the value of a system property, null when the message has none. A
// property that holds text is given as text even if it came as another type, as AMQP
// allows for identifiers.
func (m *Message) system(p *systemProperty) (value, bool) {
	if m.System == nil {
		return value{kind: kindNull}, false
	}
	raw, found := m.System(p.name)
	if !found || raw == nil {
		return value{kind: kindNull}, false
	}
	v := load(raw)
	if p.settable == textTarget && v.kind != kindString {
		if text, ok := v.string(); ok {
			return textValue(text), true
		}
	}
	return v, true
}
