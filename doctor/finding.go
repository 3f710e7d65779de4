package doctor

import (
	"fmt"
	"slices"
)

// Severity says how bad a finding is. Its text is stable.
type Severity string

// The severities, from good to bad.
const (
	// OK: as it should be.
	OK Severity = "ok"
	// Note: worth knowing, or could not be found out.
	Note Severity = "note"
	// Warning: it works now, and soon or in part it may not.
	Warning Severity = "warning"
	// Error: a run would fail or wait.
	Error Severity = "error"
)

var severities = []Severity{OK, Note, Warning, Error}

// Finding is what one check has found.
type Finding struct {
	// Check is what was looked at, such as token or permission. Its text is
	// stable.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Tenant is the one that it concerns, empty for none.
	Tenant string `json:"tenant,omitempty"`
	// What was found, and Why it matters.
	What string `json:"what"`
	Why  string `json:"why,omitempty"`
	// Portal is how to mend it in the Entra or Azure portal, and Command on a
	// command line.
	Portal  string `json:"portal,omitempty"`
	Command string `json:"command,omitempty"`
}

// placeholder stands in commands for the id of the application, where it is not
// known.
const placeholder = "APPLICATION-ID"

// The checks.
const (
	CheckCredential      = "credential"
	CheckToken           = "token"
	CheckPermission      = "permission"
	CheckExpiry          = "expiry"
	CheckGraph           = "graph"
	CheckLicence         = "licence"
	CheckQueueListen     = "queue-listen"
	CheckQueueSend       = "queue-send"
	CheckQueueManage     = "queue-manage"
	CheckQueueProperties = "queue-properties"
	CheckClock           = "clock"
)

// Worst is the worst severity among the findings, [OK] where there is none.
func Worst(findings []Finding) Severity {
	worst := 0
	for _, f := range findings {
		worst = max(worst, slices.Index(severities, f.Severity))
	}
	return severities[worst]
}

// Count tells how many findings have the severity.
func Count(findings []Finding, s Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func good(check, format string, args ...any) Finding {
	return Finding{Check: check, Severity: OK, What: fmt.Sprintf(format, args...)}
}
