package tenant

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// object decodes the body of a write: a JSON object whose properties are among
// the known ones. Annotations (@odata.type and the like) are passed over, as
// OData demands; names are taken to the letter.
func (c *call) object(known ...string) (map[string]json.RawMessage, *refusal) {
	media, _, err := mime.ParseMediaType(c.header("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "Request_BadRequest",
			"A Content-Type of application/json is required for a request with a body.")
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &properties); err != nil || properties == nil {
		return nil, badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	for name := range properties {
		if strings.Contains(name, "@") {
			delete(properties, name)
		} else if !slices.Contains(known, name) {
			return nil, badRequest("The property '" + name + "' does not exist on the type or can't be set.")
		}
	}
	return properties, nil
}

// text takes a string property; nil where it is absent.
func text(properties map[string]json.RawMessage, name string) (*string, *refusal) {
	return property[string](properties, name)
}

// property takes a property of a scalar type; nil where it is absent. Null is
// refused: none of the properties that can be written may be null.
func property[T string | bool](properties map[string]json.RawMessage, name string) (*T, *refusal) {
	raw, present := properties[name]
	if !present {
		return nil, nil
	}
	var value T
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &value) != nil {
		return nil, badRequest("Invalid value specified for property '" + name + "'.")
	}
	return &value, nil
}
