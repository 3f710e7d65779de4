package graphclient

import (
	"context"
	"net/http"
	"strings"
)

// MethodType is a kind of authentication method, as the type of its resource
// names it: "fido2" for #microsoft.graph.fido2AuthenticationMethod. Kinds that
// are not listed here are kept as Graph sent them.
type MethodType string

// The kinds of authentication method (resource type authenticationMethod, derived
// types in v1.0 and beta).
const (
	MethodEmail               MethodType = "email"
	MethodExternal            MethodType = "external"
	MethodFIDO2               MethodType = "fido2"
	MethodHardwareOath        MethodType = "hardwareOath"
	MethodAuthenticator       MethodType = "microsoftAuthenticator"
	MethodPassword            MethodType = "password"
	MethodPhone               MethodType = "phone"
	MethodPlatformCredential  MethodType = "platformCredential"
	MethodSoftwareOath        MethodType = "softwareOath"
	MethodTemporaryAccessPass MethodType = "temporaryAccessPass"
	MethodWindowsHello        MethodType = "windowsHelloForBusiness"
)

// Method is an authentication method of any kind.
type Method struct {
	ID   string
	Type MethodType
}

const methodsTemplate = "/users/{id}/authentication/methods"

// Methods lists the user's authentication methods of every kind, the password
// among them. GET /users/{id}/authentication/methods.
func (d *Directory) Methods(ctx context.Context, userID string) ([]Method, error) {
	listed, err := list[listedMethod](ctx, d, userCall("list methods", http.MethodGet, V1, methodsTemplate, userID))
	if err != nil {
		return nil, err
	}
	methods := make([]Method, len(listed))
	for i, m := range listed {
		methods[i] = Method{ID: m.ID, Type: m.kind()}
	}
	return methods, nil
}

type listedMethod struct {
	ID        string `json:"id"`
	ODataType string `json:"@odata.type"`
}

func (m listedMethod) kind() MethodType {
	kind := strings.TrimPrefix(m.ODataType, "#microsoft.graph.")
	return MethodType(strings.TrimSuffix(kind, "AuthenticationMethod"))
}
