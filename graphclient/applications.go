package graphclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// ApplicationCredential is a secret or a certificate of an application, as far as
// Graph shows it: never the secret itself.
type ApplicationCredential struct {
	KeyID       string `json:"keyId"`
	DisplayName string `json:"displayName"`
	// End is nil where there is none.
	End *time.Time `json:"endDateTime"`
}

// ApplicationCredentials are the ways in which an application can prove that it
// is itself.
type ApplicationCredentials struct {
	Secrets      []ApplicationCredential `json:"passwordCredentials"`
	Certificates []ApplicationCredential `json:"keyCredentials"`
}

const applicationTemplate = "/applications(appId='{id}')"

// ApplicationCredentials lists the secrets and certificates of an application by
// its application (client) id. It works in the application's home tenant only;
// elsewhere the application is not found.
// GET /applications(appId='{id}')?$select=passwordCredentials,keyCredentials.
func (d *Directory) ApplicationCredentials(ctx context.Context, appID string) (ApplicationCredentials, error) {
	k := call{op: "read application", method: http.MethodGet, version: V1, wants: true}
	k.reads, k.writes = cost(k.method)
	k.place = place{template: applicationTemplate, path: "/applications(appId='" + appID + "')", told: "/applications(appId='" + appID + "')"}
	if !isGUID(appID) {
		k.fault = &Error{Op: k.op, Kind: KindInvalid, Code: CodeUnusableID}
	}
	k.query = encodeQuery(url.Values{"$select": {"passwordCredentials,keyCredentials"}})
	var out ApplicationCredentials
	err := d.read(ctx, k, &out)
	return out, err
}
