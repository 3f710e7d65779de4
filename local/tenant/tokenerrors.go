package tenant

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// tokenRefusal is an error reply of the token service (Microsoft identity
// platform, "Microsoft Entra authentication and authorization error codes").
type tokenRefusal struct {
	status int
	// code is OAuth's, number the service's own behind AADSTS.
	code    string
	number  int
	message string
	// suberror tells a client what would help, such as consent_required.
	suberror string
	// retryAfter is sent as the header, where it is not empty.
	retryAfter string
}

func tokenRefused(status int, code string, number int, message string) *tokenRefusal {
	return &tokenRefusal{status: status, code: code, number: number, message: message}
}

func badTokenRequest(number int, message string) *tokenRefusal {
	return tokenRefused(http.StatusBadRequest, "invalid_request", number, message)
}

func badClient(number int, message string) *tokenRefusal {
	return tokenRefused(http.StatusUnauthorized, "invalid_client", number, message)
}

func badGrant(number int, message string) *tokenRefusal {
	return tokenRefused(http.StatusBadRequest, "invalid_grant", number, message)
}

func (no *tokenRefusal) write(w http.ResponseWriter, now time.Time, trace string) {
	stamp := now.UTC().Format("2006-01-02 15:04:05Z")
	description := fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", no.number, no.message, trace, trace, stamp)
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		TraceID     string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		Suberror    string `json:"suberror,omitempty"`
		URI         string `json:"error_uri"`
	}{no.code, description, []int{no.number}, stamp, trace, trace, no.suberror, fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", no.number)})
	if err != nil {
		http.Error(w, "encode error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	if no.retryAfter != "" {
		h.Set("Retry-After", no.retryAfter)
	}
	w.WriteHeader(no.status)
	_, _ = w.Write(body) // a client that has gone is no matter
}
