package tenant

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Denial refuses an operation for every user, as a missing permission does.
type Denial struct {
	// Status is 401 or 403. Zero means 403.
	Status int `json:"status,omitempty"`
	// Code is the error code. Empty means the one that the service uses:
	// InvalidAuthenticationToken for 401; for 403 accessDenied on
	// authentication methods, Authentication_MSGraphPermissionMissing on reports
	// and sign-ins, and Authorization_RequestDenied on users and requirements.
	Code string `json:"code,omitempty"`
	// Operation is what is refused: an operation such as phoneMethods.add, a
	// group of them such as phoneMethods, or empty for everything.
	// [Operations] lists them.
	Operation string `json:"operation,omitempty"`
}

func (d Denial) validate() error {
	if d.Status != 0 && d.Status != http.StatusUnauthorized && d.Status != http.StatusForbidden {
		return fmt.Errorf("denial status %d is neither 401 nor 403", d.Status)
	}
	if d.Operation == "" {
		return nil
	}
	for _, name := range Operations() {
		if d.covers(name) {
			return nil
		}
	}
	return fmt.Errorf("denial operation %q is unknown", d.Operation)
}

func (d Denial) covers(operation string) bool {
	return d.Operation == "" || operation == d.Operation || strings.HasPrefix(operation, d.Operation+".")
}

func (d Denial) refusal(operation string) *refusal {
	code, message := "accessDenied", "Request Authorization failed"
	switch {
	case strings.HasPrefix(operation, "directoryAudits.") && d.Status != http.StatusUnauthorized:
		code, message = "Authentication_MSGraphPermissionMissing", "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call this API."
	case d.Status == http.StatusUnauthorized:
		return refuse(d.Status, orDefault(d.Code, "InvalidAuthenticationToken"), "Access token validation failure. Invalid audience.")
	case strings.HasPrefix(operation, "users."), strings.HasPrefix(operation, "requirements."), strings.HasPrefix(operation, "applications."):
		code, message = "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
	case strings.HasPrefix(operation, "registrationDetails.") || strings.HasPrefix(operation, "signIns."):
		code, message = "Authentication_MSGraphPermissionMissing", "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call this API."
	}
	return refuse(http.StatusForbidden, orDefault(d.Code, code), message)
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// denials are the refusals in force.
type denials struct {
	mu   sync.RWMutex
	list []Denial
}

func (d *denials) add(more ...Denial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, more...)
}

func (d *denials) lift() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = nil
}

// of returns the refusal of an operation, nil where it is allowed.
func (d *denials) of(operation string) *refusal {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, denial := range d.list {
		if denial.covers(operation) {
			return denial.refusal(operation)
		}
	}
	return nil
}
