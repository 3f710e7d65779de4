package graphclient

import (
	"context"
	"net/http"
)

// MFAState is the per-user MFA state. Values that are not listed here are kept
// as Graph sent them.
type MFAState string

// The states (resource type strongAuthenticationRequirements). Graph itself
// turns enabled into enforced once the user has registered a method.
const (
	MFADisabled MFAState = "disabled"
	MFAEnabled  MFAState = "enabled"
	MFAEnforced MFAState = "enforced"
)

const requirementsTemplate = "/users/{id}/authentication/requirements"

type requirements struct {
	PerUserMFAState MFAState `json:"perUserMfaState"`
}

// PerUserMFAState reads the per-user MFA state. Beta.
// GET /users/{id}/authentication/requirements.
func (d *Directory) PerUserMFAState(ctx context.Context, userID string) (MFAState, error) {
	var out requirements
	err := d.read(ctx, userCall("read per-user MFA state", http.MethodGet, Beta, requirementsTemplate, userID), &out)
	return out.PerUserMFAState, err
}

// SetPerUserMFAState sets the per-user MFA state. Beta.
// PATCH /users/{id}/authentication/requirements.
func (d *Directory) SetPerUserMFAState(ctx context.Context, userID string, s MFAState) error {
	k := userCall("set per-user MFA state", http.MethodPatch, Beta, requirementsTemplate, userID)
	k.body = requirements{PerUserMFAState: s}
	return d.write(ctx, k)
}
