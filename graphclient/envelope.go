package graphclient

import (
	"encoding/json"
	"strings"
)

// problem is what an error reply says, ready to be classified. Its texts stay
// inside the package.
type problem struct {
	// envelope: the body has Graph's form, {"error":{…}}.
	envelope bool
	// codes from the outermost to the most specific.
	codes, messages            []string
	requestID, clientRequestID string
}

// errorBody is one level of Graph's error envelope. Member names match in any
// letter case, which covers both innerError and innererror.
type errorBody struct {
	Code            json.RawMessage `json:"code"`
	Message         json.RawMessage `json:"message"`
	RequestID       json.RawMessage `json:"request-id"`
	ClientRequestID json.RawMessage `json:"client-request-id"`
	InnerError      json.RawMessage `json:"innerError"`
	Details         json.RawMessage `json:"details"`
}

// maxNesting bounds how deep inner errors are followed; Graph's are two or three
// levels deep.
const maxNesting = 8

// decodeProblem reads an error reply (Microsoft Graph error responses and
// resource types). It never fails: a body that is something else yields a
// problem without envelope.
func decodeProblem(body []byte) problem {
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	var p problem
	if json.Unmarshal(body, &outer) != nil {
		return p
	}
	p.envelope = p.add(outer.Error, 0)
	return p
}

// add takes over one level and those within it. It reports whether raw is an
// object at all.
func (p *problem) add(raw json.RawMessage, depth int) bool {
	var e errorBody
	if depth >= maxNesting || len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &e) != nil {
		return false
	}
	if s := text(e.Code); s != "" {
		p.codes = append(p.codes, s)
	}
	if s := text(e.Message); s != "" {
		p.messages = append(p.messages, s)
	}
	if s := safeID(text(e.RequestID)); s != "" {
		p.requestID = s
	}
	if s := safeID(text(e.ClientRequestID)); s != "" {
		p.clientRequestID = s
	}
	var details []json.RawMessage
	if json.Unmarshal(e.Details, &details) == nil {
		for _, d := range details {
			var detail problem
			if detail.add(d, depth+1) {
				p.messages = append(p.messages, append(detail.codes, detail.messages...)...)
			}
		}
	}
	p.add(e.InnerError, depth+1)
	return true
}

// code is the most specific code that may be shown. A code that is only the
// status in digits says less than the one around it.
func (p problem) code() string {
	for i := len(p.codes) - 1; i >= 0; i-- {
		if isCode(p.codes[i]) {
			return p.codes[i]
		}
	}
	return ""
}

// isCode tells whether s looks like an error code. Whatever else stands there is
// not shown: it could be anything, a phone number for one.
func isCode(s string) bool {
	if s == "" || len(s) > 100 || !isLetter(s[0]) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r > 'z' || !isLetter(byte(r)) && !isDigit(byte(r)) && r != '_' && r != '.'
	}) && !hasDigits(s, 7)
}

// hasDigits tells whether s has n digits in a row.
func hasDigits(s string, n int) bool {
	run := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			run = 0
			continue
		}
		if run++; run == n {
			return true
		}
	}
	return false
}

// safeID returns an id of a request if it looks like one: a GUID.
func safeID(s string) string {
	if isGUID(s) {
		return s
	}
	return ""
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
