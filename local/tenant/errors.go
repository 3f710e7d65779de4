package tenant

import (
	"net/http"
	"time"
)

// refusal is an error reply of the service. Its message may hold numbers and
// user principal names, as the service's may; it goes into replies only.
type refusal struct {
	status  int
	code    string
	message string
	// redundant tells that the write asked for what is true already.
	redundant bool
	// allow lists the methods of a path that was asked with another one.
	allow string
}

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

// methodNotFound answers for an authentication method that the user lacks.
func methodNotFound(methodID string) *refusal {
	return refuse(http.StatusNotFound, "resourceNotFound", "The authentication method id of ["+methodID+"] was not found for the user.")
}

// alreadyGone answers the deletion of a method that the user lacks.
func alreadyGone(methodID string) *refusal {
	no := methodNotFound(methodID)
	no.redundant = true
	return no
}

// isDefaultMethod is the one refusal of the authentication methods whose text
// clients know: the wording is the service's.
func isDefaultMethod(methodID string) *refusal {
	return refuse(http.StatusBadRequest, "badRequest", "The requested authentication method id of ["+methodID+
		"] matches the user's current default authentication method, and cannot be deleted until the default authentication method is changed")
}

func userNotFound(idOrUPN string) *refusal {
	return refuse(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '"+idOrUPN+"' does not exist or one of its queried reference-property objects are not present.")
}

func badLiteral(literal, enum string) *refusal {
	return refuse(http.StatusBadRequest, "Request_BadRequest",
		"Cannot convert the literal '"+literal+"' to the expected type 'microsoft.graph."+enum+"'.")
}

func badRequest(message string) *refusal {
	return refuse(http.StatusBadRequest, "Request_BadRequest", message)
}

func unsupportedQuery(message string) *refusal {
	return refuse(http.StatusBadRequest, "Request_UnsupportedQuery", message)
}

// envelope renders the error body that every Graph error has (Microsoft Graph,
// "Microsoft Graph error responses and resource types").
func (no *refusal) envelope(now time.Time, ids requestIDs) []byte {
	b := append(make([]byte, 0, 384), `{"error":{"code":`...)
	b = appendString(b, no.code)
	b = append(b, `,"message":`...)
	b = appendString(b, no.message)
	b = append(b, `,"innerError":{"date":"`...)
	b = now.UTC().AppendFormat(b, "2006-01-02T15:04:05")
	b = append(b, `","request-id":`...)
	b = appendString(b, ids.request)
	b = append(b, `,"client-request-id":`...)
	b = appendString(b, ids.client)
	return append(b, `}}}`...)
}
