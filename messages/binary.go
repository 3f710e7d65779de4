package messages

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// The prefixes of CloudEvents attributes among AMQP application properties
// (AMQP protocol binding, section 3.1.3.1). The underscore form exists for JMS
// clients, which cannot write a colon.
const (
	colonPrefix      = "cloudEvents:"
	underscorePrefix = "cloudEvents_"
)

// attributeKeys are the names under which each attribute may be found, ready
// made because every message of a load passes by here.
var attributeKeys = func() (keys [attributeCount][2]string) {
	for i := range attributeRules {
		keys[i] = [2]string{colonPrefix + attributeRules[i].name, underscorePrefix + attributeRules[i].name}
	}
	return keys
}()

// propertyAttributes reads the attributes of an event in binary mode.
func propertyAttributes(m *Encoded) (a attributes) {
	for i := range attributeKeys {
		for _, key := range attributeKeys[i] {
			if value := m.Properties[key]; value != nil {
				a.property(i, value)
			}
		}
	}
	if m.ContentType != "" {
		a.contentType(m.ContentType)
	}
	count := 0
	for key := range m.Properties {
		name, ok := attributeName(key)
		if !ok {
			continue
		}
		if count++; count > maxAttributes {
			a.note(&DecodeError{Reason: ReasonMalformed, Path: "$",
				Problem: "must not have more than " + strconv.Itoa(maxAttributes) + " attributes"})
		}
		if !legalExtension(name) {
			a.note(&DecodeError{Reason: ReasonMalformed, Path: "$",
				Problem: "has an attribute whose name is not made of lower-case letters and digits"})
		}
	}
	return a
}

func (a *attributes) property(i int, value any) {
	rule := &attributeRules[i]
	if a.given[i] {
		a.note(rule.fault(ReasonMalformed, "is given twice"))
	}
	a.given[i] = true
	text, ok := propertyText(value)
	if !ok {
		a.note(rule.fault(ReasonMalformed, "must be a string"))
	}
	a.text[i] = text
}

// contentType takes the AMQP content type, which is datacontenttype in binary
// mode. A publisher who also sends that as a property must mean JSON in both,
// so the one that is not JSON is the one to judge.
func (a *attributes) contentType(value string) {
	const i = attrDataContentType
	if a.given[i] && !isJSON(a.text[i]) {
		return
	}
	a.text[i], a.given[i] = value, true
}

// attributeName returns the attribute's name in an application property's.
func attributeName(key string) (string, bool) {
	if name, ok := strings.CutPrefix(key, colonPrefix); ok {
		return name, true
	}
	return strings.CutPrefix(key, underscorePrefix)
}

// propertyText returns the canonical string form of an application property
// (AMQP protocol binding, section 3.1.3.2). A UUID (an array that can print
// itself) or a symbol is no type of CloudEvents but as good as a string.
func propertyText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	case bool:
		return strconv.FormatBool(v), true
	}
	switch v := reflect.ValueOf(value); {
	case v.Kind() == reflect.Array:
		id, ok := value.(fmt.Stringer)
		return fmt.Sprint(id), ok
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), true
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), true
	case v.Kind() == reflect.String:
		return v.String(), true
	}
	return "", false
}

// properties are the application properties of a command in binary mode. All
// are strings, time included: an AMQP timestamp would cut it to milliseconds.
func (h *header) properties() map[string]any {
	properties := make(map[string]any, attributeCount)
	put := func(i int, text string) {
		if text != "" {
			properties[attributeKeys[i][0]] = text
		}
	}
	put(attrSpecVersion, specVersion)
	put(attrType, CommandType)
	put(attrID, h.id)
	put(attrSource, h.source)
	put(attrDataSchema, CommandSchemaURI)
	put(attrTraceParent, h.traceParent)
	put(attrTraceState, h.traceState)
	if !h.time.IsZero() {
		put(attrTime, h.time.UTC().Format(time.RFC3339Nano))
	}
	return properties
}

// binary reads the attributes of an event in binary mode and leaves the reader
// before its data.
func (r *reader) binary(m *Encoded) (h header) {
	a := propertyAttributes(m)
	if h, r.fault = a.header(CommandType, r.reason); r.fault != nil {
		return h
	}
	r.enter(step{name: "data"})
	if len(m.Body) == 0 {
		r.fail("is required")
	}
	return h
}
