package graphclient

import (
	"context"
	"net/http"
)

// DefaultMethod is the method that a user is asked for first. Values that are
// not listed here are kept as Graph sent them.
type DefaultMethod string

// The default methods (resource type signInPreferences,
// userPreferredMethodForSecondaryAuthentication).
const (
	DefaultPush                 DefaultMethod = "push"
	DefaultOath                 DefaultMethod = "oath"
	DefaultVoiceMobile          DefaultMethod = "voiceMobile"
	DefaultVoiceAlternateMobile DefaultMethod = "voiceAlternateMobile"
	DefaultVoiceOffice          DefaultMethod = "voiceOffice"
	DefaultSMS                  DefaultMethod = "sms"
)

// SignInPreferences say what a user is asked for after the password.
type SignInPreferences struct {
	// SystemPreferred: the system picks the strongest method that the user has,
	// and DefaultMethod is ignored nearly everywhere.
	SystemPreferred bool `json:"isSystemPreferredAuthenticationMethodEnabled"`
	// DefaultMethod is the user's own choice, empty where there is none.
	DefaultMethod DefaultMethod `json:"userPreferredMethodForSecondaryAuthentication"`
}

const preferencesTemplate = "/users/{id}/authentication/signInPreferences"

// SignInPreferences reads the user's preferences. Beta.
// GET /users/{id}/authentication/signInPreferences.
func (d *Directory) SignInPreferences(ctx context.Context, userID string) (SignInPreferences, error) {
	var out SignInPreferences
	err := d.read(ctx, userCall("read sign-in preferences", http.MethodGet, Beta, preferencesTemplate, userID), &out)
	return out, err
}

// SetDefaultMethod sets the user's default method and leaves the other
// preferences alone. Beta. PATCH /users/{id}/authentication/signInPreferences.
func (d *Directory) SetDefaultMethod(ctx context.Context, userID string, m DefaultMethod) error {
	k := userCall("set default method", http.MethodPatch, Beta, preferencesTemplate, userID)
	k.body = struct {
		DefaultMethod DefaultMethod `json:"userPreferredMethodForSecondaryAuthentication"`
	}{m}
	return d.write(ctx, k)
}
