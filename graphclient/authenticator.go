package graphclient

import (
	"context"
	"net/http"
	"time"
)

// AuthenticatorMethod is a registration of the Microsoft Authenticator app on
// one device (resource type microsoftAuthenticatorAuthenticationMethod).
type AuthenticatorMethod struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	// Created is nil where Graph does not know it.
	Created         *time.Time `json:"createdDateTime"`
	DeviceTag       string     `json:"deviceTag"`
	PhoneAppVersion string     `json:"phoneAppVersion"`
}

const (
	authenticatorsTemplate = "/users/{id}/authentication/microsoftAuthenticatorMethods"
	authenticatorTemplate  = authenticatorsTemplate + "/{methodId}"
)

// AuthenticatorMethods lists the user's Authenticator registrations.
// GET /users/{id}/authentication/microsoftAuthenticatorMethods.
func (d *Directory) AuthenticatorMethods(ctx context.Context, userID string) ([]AuthenticatorMethod, error) {
	k := userCall("list Authenticator methods", http.MethodGet, V1, authenticatorsTemplate, userID)
	return list[AuthenticatorMethod](ctx, d, k)
}

// DeleteAuthenticatorMethod removes one registration; where it is gone already,
// that is success. Graph refuses to remove the default method while others
// remain (KindDefaultMethod).
// DELETE /users/{id}/authentication/microsoftAuthenticatorMethods/{id}.
func (d *Directory) DeleteAuthenticatorMethod(ctx context.Context, userID, methodID string) error {
	k := userCall("delete Authenticator method", http.MethodDelete, V1, authenticatorTemplate, userID, methodID)
	k.goneIsDone = true
	return d.write(ctx, k)
}
