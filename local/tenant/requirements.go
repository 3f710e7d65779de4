package tenant

// The per-user MFA states (strongAuthenticationRequirements).
const (
	mfaDisabled = "disabled"
	mfaEnabled  = "enabled"
	mfaEnforced = "enforced"
)

func isMFAState(s string) bool {
	return s == mfaDisabled || s == mfaEnabled || s == mfaEnforced
}

// setMFAState is PATCH authentication/requirements.
func (r *record) setMFAState(state string) *refusal {
	if !isMFAState(state) {
		return badLiteral(state, "perUserMfaState")
	}
	r.PerUserMFAState = state
	r.driftToEnforced()
	return nil
}

// driftToEnforced moves a user who is enabled and has a method on to enforced,
// as the service does by itself (strongAuthenticationRequirements, property
// perUserMfaState).
func (r *record) driftToEnforced() {
	if r.PerUserMFAState == mfaEnabled && r.methodCount() > 0 {
		r.PerUserMFAState = mfaEnforced
	}
}
