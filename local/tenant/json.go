package tenant

import (
	"encoding/json"
	"strconv"
	"time"
)

// The replies are written by hand: they are few and small, and a worker that is
// measured against the tenant should not wait for reflection.

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendNullable appends s as a JSON string, or null for the empty string.
func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendBool appends null for nil.
func appendBool(b []byte, v *bool) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return strconv.AppendBool(b, *v)
}

// appendTime appends an Edm.DateTimeOffset, null for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339)
	return append(b, '"')
}

// appendContext opens an object with the @odata.context of a reply.
func appendContext(b []byte, base, fragment string) []byte {
	b = append(b, `{"@odata.context":`...)
	return appendString(b, base+"/$metadata#"+fragment)
}
