package broker

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds the values of rules, that is of parameters and of the properties
// of a correlation filter, as the management API writes them: each with the name
// of its type in XML Schema.

const nsSchema = "http://www.w3.org/2001/XMLSchema"

// maxAtomValues bounds the parameters or properties of one filter.
const maxAtomValues = 1000

// instanceType is the attribute i:type. It is read whatever its prefix.
type instanceType string

// MarshalXMLAttr writes the attribute with the prefix that clients look for.
func (t instanceType) MarshalXMLAttr(xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: xml.Name{Local: "i:type"}, Value: string(t)}, nil
}

// atomValues are values by name.
type atomValues struct {
	Pairs []atomPair `xml:"KeyValueOfstringanyType"`
}

type atomPair struct {
	Key   string    `xml:"Key"`
	Value atomValue `xml:"Value"`
}

type atomValue struct {
	Type   instanceType `xml:"type,attr"`
	Schema string       `xml:"xmlns:d6p1,attr,omitempty"`
	Text   string       `xml:",chardata"`
}

// atomValueTypes are the types of values, each with the Go type that stands for it.
var atomValueTypes = map[string]func(text string) (any, error){
	"string":        func(text string) (any, error) { return text, nil },
	"boolean":       parseBoolean,
	"byte":          func(text string) (any, error) { n, err := strconv.ParseInt(text, 10, 8); return int8(n), err },
	"short":         func(text string) (any, error) { n, err := strconv.ParseInt(text, 10, 16); return int16(n), err },
	"int":           func(text string) (any, error) { n, err := strconv.ParseInt(text, 10, 32); return int32(n), err },
	"long":          func(text string) (any, error) { return strconv.ParseInt(text, 10, 64) },
	"unsignedByte":  func(text string) (any, error) { n, err := strconv.ParseUint(text, 10, 8); return uint8(n), err },
	"unsignedShort": func(text string) (any, error) { n, err := strconv.ParseUint(text, 10, 16); return uint16(n), err },
	"unsignedInt":   func(text string) (any, error) { n, err := strconv.ParseUint(text, 10, 32); return uint32(n), err },
	"unsignedLong":  func(text string) (any, error) { return strconv.ParseUint(text, 10, 64) },
	"float":         func(text string) (any, error) { f, err := parseReal(text, 32); return float32(f), err },
	"double":        func(text string) (any, error) { return parseReal(text, 64) },
	"dateTime":      parseDateTime,
	"duration":      parseSpan,
	"guid":          parseGUID,
}

func parseBoolean(text string) (any, error) {
	switch text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return nil, strconv.ErrSyntax
}

// parseReal reads a number as XML Schema writes it, which is not all that Go reads.
func parseReal(text string, bits int) (float64, error) {
	switch text {
	case "INF":
		return math.Inf(1), nil
	case "-INF":
		return math.Inf(-1), nil
	case "NaN":
		return math.NaN(), nil
	}
	if strings.Trim(text, "+-0123456789.eE") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, bits)
}

// zoneless marks the times that were given without a zone. They are taken for UTC, and
// shown as they were given.
var zoneless = time.FixedZone("none", 0)

const formatZoneless = "2006-01-02T15:04:05.999999999"

func parseDateTime(text string) (any, error) {
	if at, err := time.ParseInLocation(formatZoneless, text, zoneless); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at.UTC(), err
}

// formatDateTime is the reverse, for the years that .NET has.
func formatDateTime(at time.Time) (kind, text string, ok bool) {
	format := time.RFC3339Nano
	if at.Location() == zoneless {
		format = formatZoneless
	} else {
		at = at.UTC()
	}
	return "dateTime", at.Format(format), at.Year() >= 1 && at.Year() <= 9999
}

// parseSpan reads a duration that has an end.
func parseSpan(text string) (any, error) {
	d, err := parseDuration(text)
	if d == 0 && strings.ContainsAny(text, "123456789") {
		err = strconv.ErrRange
	}
	return d, err
}

func parseGUID(text string) (any, error) {
	var id wire.UUID
	parts := strings.Split(text, "-")
	if len(text) != 36 || len(parts) != 5 || len(parts[0]) != 8 || len(parts[4]) != 12 {
		return nil, strconv.ErrSyntax
	}
	n, err := hex.Decode(id[:], []byte(strings.Join(parts, "")))
	if err == nil && n != len(id) {
		err = strconv.ErrSyntax
	}
	return id, err
}

// take reads values; nil has none. An error names the value, and never shows it.
func (v *atomValues) take(what string) (map[string]any, error) {
	if v == nil || len(v.Pairs) == 0 {
		return nil, nil
	}
	if len(v.Pairs) > maxAtomValues {
		return nil, fmt.Errorf("%s: more than %d values", what, maxAtomValues)
	}
	values := make(map[string]any, len(v.Pairs))
	for _, p := range v.Pairs {
		if _, twice := values[p.Key]; twice || p.Key == "" {
			return nil, fmt.Errorf("%s: %q must be a name that is used once", what, p.Key)
		}
		name := string(p.Value.Type)
		name = name[strings.LastIndexByte(name, ':')+1:]
		parse, known := atomValueTypes[name]
		if !known {
			return nil, fmt.Errorf("%s: the type %q of %q is not supported", what, name, p.Key)
		}
		text := p.Value.Text
		if name != "string" {
			text = strings.TrimSpace(text)
		}
		value, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: the value of %q is no %s", what, p.Key, name)
		}
		values[p.Key] = value
	}
	return values, nil
}

// showValues is the reverse, sorted by name; nil for no values.
func showValues(values map[string]any) *atomValues {
	if len(values) == 0 {
		return nil
	}
	shown := &atomValues{}
	for name, v := range values {
		kind, text, _ := atomValueOf(v)
		shown.Pairs = append(shown.Pairs, atomPair{name, atomValue{Type: instanceType("d6p1:" + kind), Schema: nsSchema, Text: text}})
	}
	slices.SortFunc(shown.Pairs, func(a, b atomPair) int { return strings.Compare(a.Key, b.Key) })
	return shown
}

// atomValueOf returns the type and the text of a value. It is false for a value
// that has neither, which no rule may hold.
func atomValueOf(v any) (kind, text string, ok bool) {
	switch v := v.(type) {
	case string:
		return "string", v, utf8.ValidString(v)
	case wire.Symbol:
		return "string", string(v), true
	case bool:
		return "boolean", strconv.FormatBool(v), true
	case int8:
		return "byte", strconv.FormatInt(int64(v), 10), true
	case int16:
		return "short", strconv.FormatInt(int64(v), 10), true
	case int32:
		return "int", strconv.FormatInt(int64(v), 10), true
	case int64:
		return "long", strconv.FormatInt(v, 10), true
	case int:
		if v == int(int32(v)) { // the one that every client reads
			return "int", strconv.Itoa(v), true
		}
		return "long", strconv.Itoa(v), true
	case uint8:
		return "unsignedByte", strconv.FormatUint(uint64(v), 10), true
	case uint16:
		return "unsignedShort", strconv.FormatUint(uint64(v), 10), true
	case uint32:
		return "unsignedInt", strconv.FormatUint(uint64(v), 10), true
	case uint64:
		return "unsignedLong", strconv.FormatUint(v, 10), true
	case float32:
		return "float", formatReal(float64(v), 32), true
	case float64:
		return "double", formatReal(v, 64), true
	case time.Time:
		return formatDateTime(v)
	case wire.Timestamp:
		return formatDateTime(time.UnixMilli(int64(v)))
	case time.Duration:
		if v == 0 {
			return "duration", "PT0S", true
		}
		return "duration", formatDuration(v), v > 0 && v < math.MaxInt64/2
	case wire.UUID:
		return "guid", fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]), true
	}
	return "", "", false
}

func formatReal(f float64, bits int) string {
	switch {
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
