package messages

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The CloudEvents attributes that the contract knows (CloudEvents 1.0,
// "Context Attributes", and its distributed tracing extension). Every other
// attribute is an extension: tolerated and dropped.
const (
	attrSpecVersion = iota
	attrType
	attrID
	attrSource
	attrTime
	attrSubject
	attrDataContentType
	attrDataSchema
	attrTraceParent
	attrTraceState
	attributeCount
)

// specVersion is the one version of CloudEvents that is read and written.
const specVersion = "1.0"

// maxAttributes is how many attributes one event may carry, extensions
// included, and maxAttributeName the length of an extension's name.
const (
	maxAttributes    = 64
	maxAttributeName = 64
)

// attributeRules holds the rule of each attribute by its constant.
var attributeRules = [attributeCount]attributeRule{
	attrSpecVersion:     {name: "specversion", limit: 16, required: true},
	attrType:            {name: "type", limit: 256, required: true},
	attrID:              {name: "id", limit: 128, required: true},
	attrSource:          {name: "source", limit: 256, required: true, noSpace: true},
	attrTime:            {name: "time", limit: 64},
	attrSubject:         {name: "subject", limit: 1024},
	attrDataContentType: {name: "datacontenttype", limit: 256},
	attrDataSchema:      {name: "dataschema", limit: 1024, noSpace: true},
	attrTraceParent:     {name: "traceparent", limit: 128},
	attrTraceState:      {name: "tracestate", limit: 1024},
}

type attributeRule struct {
	name     string
	limit    int // characters
	required bool
	noSpace  bool // URIs and URI references
}

// problem says what is wrong with the text of an attribute that is given.
func (a *attributeRule) problem(text string) string {
	switch {
	case text == "":
		return "must not be empty"
	case !utf8.ValidString(text):
		return "must be valid UTF-8"
	case len(text) > a.limit && utf8.RuneCountInString(text) > a.limit:
		return "must not be longer than " + strconv.Itoa(a.limit) + " characters"
	case !printable(text):
		return "must not contain control characters"
	case a.noSpace && strings.Contains(text, " "):
		return "must not contain spaces"
	}
	return ""
}

func (a *attributeRule) fault(reason, problem string) *DecodeError {
	return &DecodeError{Reason: reason, Path: "$." + a.name, Problem: problem}
}

// attributes are the attributes of one event as its content mode gave them.
// What is wrong with one of them is kept in fault until the event is known to
// be one of ours: otherwise that is the better thing to say.
type attributes struct {
	text  [attributeCount]string
	given [attributeCount]bool
	fault *DecodeError
}

// note keeps the first fault that need not end the reading.
func (a *attributes) note(fault *DecodeError) {
	if a.fault == nil {
		a.fault = fault
	}
}

// header is what is kept of an envelope.
type header struct {
	id, source, traceParent, traceState string
	time                                time.Time
}

// header judges the attributes. wantType is the one type that is read here and
// malformed the reason for a broken rule.
func (a *attributes) header(wantType, malformed string) (header, *DecodeError) {
	if fault := a.identity(wantType); fault != nil {
		return header{}, fault
	}
	for i := range attributeRules {
		a.judge(i, malformed)
	}
	at := a.timestamp(malformed)
	if a.given[attrDataContentType] && !isJSON(a.text[attrDataContentType]) {
		a.note(attributeRules[attrDataContentType].fault(malformed, "must be a JSON content type, such as application/json"))
	}
	if a.fault != nil {
		return header{}, a.fault
	}
	return header{
		id: a.text[attrID], source: a.text[attrSource], time: at,
		traceParent: a.text[attrTraceParent], traceState: a.text[attrTraceState],
	}, nil
}

// identity says whether this is an event of ours at all, before anything else
// about it is judged.
func (a *attributes) identity(wantType string) *DecodeError {
	if !a.given[attrSpecVersion] && !a.given[attrType] {
		return &DecodeError{
			Reason: ReasonNotCloudEvent, Path: "$",
			Problem: "is no CloudEvent: specversion, type, id and source are missing " +
				"(structured mode is a JSON envelope with content type application/cloudevents+json, " +
				"binary mode is the data with cloudEvents: application properties)",
		}
	}
	if !a.given[attrSpecVersion] {
		return attributeRules[attrSpecVersion].fault(ReasonNotCloudEvent, "is required of a CloudEvent")
	}
	if text := a.text[attrSpecVersion]; text != "" && text != specVersion {
		return attributeRules[attrSpecVersion].fault(ReasonUnsupportedType, "must be "+specVersion)
	}
	if text := a.text[attrType]; text != "" && text != wantType {
		return attributeRules[attrType].fault(ReasonUnsupportedType, "must be "+wantType)
	}
	return nil
}

func (a *attributes) judge(i int, malformed string) {
	rule := &attributeRules[i]
	if !a.given[i] {
		if rule.required {
			a.note(rule.fault(malformed, "is required"))
		}
		return
	}
	if problem := rule.problem(a.text[i]); problem != "" {
		a.note(rule.fault(malformed, problem))
	}
}

// timestamp judges time.
func (a *attributes) timestamp(malformed string) time.Time {
	if !a.given[attrTime] {
		return time.Time{}
	}
	t, ok := parseTime(a.text[attrTime])
	if !ok {
		a.note(attributeRules[attrTime].fault(malformed, "must be an RFC 3339 time, such as 2026-01-31T08:00:00Z"))
	}
	return t
}

// parseTime reads an RFC 3339 time into UTC. It refuses what time.Parse lets
// pass beyond that format: an hour of one digit, a comma before the fraction,
// an offset that is none.
func parseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || text[len("2006-01-02T15")] != ':' || text[len("2006-01-02T15:04:05")] == ',' {
		return time.Time{}, false
	}
	if zone := text[len(text)-len("00:00"):]; text[len(text)-1] != 'Z' && (zone[:2] > "23" || zone[3:] > "59") {
		return time.Time{}, false
	}
	t = t.UTC()
	return t, writable(t)
}

// writable reports whether RFC 3339 has a form for the time: four digits of
// year in UTC.
func writable(t time.Time) bool {
	year := t.UTC().Year()
	return 0 <= year && year <= 9999
}

// attributeIndex returns the constant of the named attribute, -1 for others.
func attributeIndex(name []byte) int {
	return slices.IndexFunc(attributeRules[:], func(rule attributeRule) bool { return rule.name == string(name) })
}

// legalExtension reports whether an extension attribute may have this name
// (CloudEvents 1.0, "Naming Conventions": lower-case letters and digits, not
// data).
func legalExtension(name string) bool {
	if name == "" || len(name) > maxAttributeName || name == "data" {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) {
			return false
		}
	}
	return true
}

// isJSON reports whether a content type is that of JSON, a subtype json or one
// that ends in +json (CloudEvents JSON format, section 3.1.1). Parameters do
// not matter: JSON between systems is UTF-8 (RFC 8259, section 8.1).
func isJSON(contentType string) bool {
	_, subtype, ok := strings.Cut(mediaType(contentType), "/")
	return ok && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// mediaType returns a content type without its parameters, in lower case.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.Trim(media, " \t"))
}
