package tenant_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/muster-mfa/muster/local/tenant"
)

// specification is Microsoft's own description of one version, nil where it
// is not at hand.
type specification struct {
	doc        *openapi3.T
	selectable []string // the properties of a user that can be selected
}

// loadSpecification reads the description that lies beside the repository.
// Where it is absent (a clone elsewhere), it says so.
func loadSpecification(t *testing.T, version string) *specification {
	t.Helper()
	file := filepath.Join("..", "..", "..", "shared", "openapi", "graph-"+version+".json")
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("no description of %s beside the repository (%s): replies are checked for status and JSON only", version, file)
		return nil
	}
	if err != nil {
		t.Fatalf("read description: %v", err)
	}
	// The generator's additionalProperties:object refuses valid bodies: every
	// part of an allOf would have to be an object of objects.
	raw = []byte(strings.ReplaceAll(string(raw), `"additionalProperties":{"type":"object"}`, `"additionalProperties":true`))
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatalf("load description: %v", err)
	}
	s := &specification{doc: doc}
	list, _ := doc.Extensions["x-select"].([]any)
	for _, name := range list {
		s.selectable = append(s.selectable, name.(string))
	}
	return s
}

// hasOperation tells whether the description knows the operation.
func (s *specification) hasOperation(method, template string) bool {
	item := s.doc.Paths.Value(template)
	return item != nil && item.GetOperation(method) != nil
}

// check validates one object against a schema, and sees that it has no property
// that neither the schema nor those that it builds on know.
func (s *specification) check(t *testing.T, schema string, object map[string]any) {
	t.Helper()
	if schema == "microsoft.graph.user" {
		s.checkUser(t, object)
		return
	}
	ref := s.doc.Components.Schemas[schema]
	if ref == nil {
		t.Errorf("the description has no schema %s", schema)
		return
	}
	if err := ref.Value.VisitJSON(object, openapi3.VisitAsResponse()); err != nil {
		t.Errorf("reply does not fit %s: %v", schema, err)
	}
	known := properties(ref.Value)
	for name := range object {
		if !strings.HasPrefix(name, "@odata.") && !slices.Contains(known, name) {
			t.Errorf("%s has no property %s", schema, name)
		}
	}
}

// checkUser: the schema of users is not part of the description, the list of
// what can be selected is.
func (s *specification) checkUser(t *testing.T, object map[string]any) {
	t.Helper()
	for name := range object {
		if !strings.HasPrefix(name, "@odata.") && len(s.selectable) > 0 && !slices.Contains(s.selectable, name) {
			t.Errorf("a user has no property %s", name)
		}
	}
}

func properties(schema *openapi3.Schema) []string {
	var names []string
	for name := range schema.Properties {
		names = append(names, name)
	}
	for _, part := range schema.AllOf {
		names = append(names, properties(part.Value)...)
	}
	return names
}

// exchange is one request and what its reply is in the description.
type exchange struct {
	method, path, template, body string
	status                       int
	schema                       string // empty: no body; "error": the envelope
	list                         bool
}

const (
	describedUser = "/users/{user-id}/authentication"
	phoneSchema   = "microsoft.graph.phoneAuthenticationMethod"
	appSchema     = "microsoft.graph.microsoftAuthenticatorAuthenticationMethod"
	passSchema    = "microsoft.graph.passwordAuthenticationMethod"

	registrationDetails = "/reports/authenticationMethods/userRegistrationDetails"
	registrationSchema  = "microsoft.graph.userRegistrationDetails"
)

// exchanges walks through every operation; the order matters, for they are sent
// to one tenant.
func exchanges(version string) []exchange {
	const auth = "/users/" + ada + "/authentication"
	const phone, app, pass = "/{phoneAuthenticationMethod-id}", "/{microsoftAuthenticatorAuthenticationMethod-id}", "/{passwordAuthenticationMethod-id}"
	all := []exchange{
		{"GET", "/users", "/users", "", 200, "microsoft.graph.user", true},
		{"GET", "/users?$select=id,userPrincipalName,displayName,accountEnabled,userType,assignedLicenses,mobilePhone,businessPhones,onPremisesSyncEnabled,usageLocation", "/users", "", 200, "microsoft.graph.user", true},
		{"GET", "/users?$select=id,department,lastPasswordChangeDateTime,assignedLicenses", "/users", "", 200, "microsoft.graph.user", true},
		{"GET", registrationDetails, registrationDetails, "", 200, registrationSchema, true},
		{"GET", registrationDetails + "/" + tenant.UserID(ada), registrationDetails + "/{userRegistrationDetails-id}", "", 200, registrationSchema, false},
		{"GET", "/users/" + ada, "/users/{user-id}", "", 200, "microsoft.graph.user", false},
		{"GET", "/users/" + bob, "/users/{user-id}", "", 404, "error", false},
		{"GET", auth + "/phoneMethods", describedUser + "/phoneMethods", "", 200, phoneSchema, true},
		{"POST", auth + "/phoneMethods", describedUser + "/phoneMethods", phoneJSON("mobile", n1), 201, phoneSchema, false},
		{"POST", auth + "/phoneMethods", describedUser + "/phoneMethods", phoneJSON("mobile", n1), 400, "error", false},
		{"POST", auth + "/phoneMethods", describedUser + "/phoneMethods", phoneJSON("alternateMobile", n2), 201, phoneSchema, false},
		{"POST", auth + "/phoneMethods", describedUser + "/phoneMethods", phoneJSON("office", n2+"x12"), 201, phoneSchema, false},
		{"GET", auth + "/phoneMethods", describedUser + "/phoneMethods", "", 200, phoneSchema, true},
		{"GET", auth + "/phoneMethods/" + mobileID, describedUser + "/phoneMethods" + phone, "", 200, phoneSchema, false},
		{"PATCH", auth + "/phoneMethods/" + mobileID, describedUser + "/phoneMethods" + phone, phoneJSON("mobile", n3), 204, "", false},
		{"DELETE", auth + "/phoneMethods/" + officeID, describedUser + "/phoneMethods" + phone, "", 204, "", false},
		{"GET", auth + "/methods", describedUser + "/methods", "", 200, "mixed", true},
		{"GET", auth + "/methods/" + mobileID, describedUser + "/methods/{authenticationMethod-id}", "", 200, phoneSchema, false},
		{"GET", auth + "/passwordMethods", describedUser + "/passwordMethods", "", 200, passSchema, true},
		{"GET", auth + "/passwordMethods/" + passwordID, describedUser + "/passwordMethods" + pass, "", 200, passSchema, false},
		{"GET", auth + "/microsoftAuthenticatorMethods", describedUser + "/microsoftAuthenticatorMethods", "", 200, appSchema, true},
		{"GET", auth + "/microsoftAuthenticatorMethods/" + appID, describedUser + "/microsoftAuthenticatorMethods" + app, "", 200, appSchema, false},
		{"DELETE", auth + "/microsoftAuthenticatorMethods/" + appID, describedUser + "/microsoftAuthenticatorMethods" + app, "", 204, "", false},
	}
	if version == "v1.0" {
		const action = describedUser + "/phoneMethods" + phone + "/microsoft.graph."
		return append(all,
			exchange{"POST", auth + "/phoneMethods/" + mobileID + "/enableSmsSignIn", action + "enableSmsSignIn", "", 204, "", false},
			exchange{"POST", auth + "/phoneMethods/" + mobileID + "/disableSmsSignIn", action + "disableSmsSignIn", "", 204, "", false})
	}
	const action = describedUser + "/methods/{authenticationMethod-id}/microsoft.graph."
	return append(all,
		exchange{"POST", auth + "/methods/" + mobileID + "/microsoft.graph.enableSmsSignIn", action + "enableSmsSignIn", "", 204, "", false},
		exchange{"POST", auth + "/methods/" + mobileID + "/microsoft.graph.disableSmsSignIn", action + "disableSmsSignIn", "", 204, "", false},
		exchange{"GET", auth + "/requirements", describedUser + "/requirements", "", 200, "microsoft.graph.strongAuthenticationRequirements", false},
		exchange{"PATCH", auth + "/requirements", describedUser + "/requirements", `{"perUserMfaState":"enabled"}`, 204, "", false},
		exchange{"GET", auth + "/signInPreferences", describedUser + "/signInPreferences", "", 200, "microsoft.graph.signInPreferences", false},
		exchange{"PATCH", auth + "/signInPreferences", describedUser + "/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"sms"}`, 204, "", false},
		exchange{"GET", auth + "/signInPreferences", describedUser + "/signInPreferences", "", 200, "microsoft.graph.signInPreferences", false},
		exchange{"PATCH", auth + "/requirements", describedUser + "/requirements", `{"perUserMfaState":"on"}`, 400, "error", false})
}

// Every reply fits Microsoft's own description of the call.
func TestRepliesFitTheDescription(t *testing.T) {
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			described := loadSpecification(t, version)
			tn := newTenant(t, calm(tenant.User{UserPrincipalName: ada, Authenticator: oneAuthenticator, SMSSignInAllowed: true,
				OtherMethods: []string{"email", "fido2", "softwareOath", "temporaryAccessPass", "windowsHelloForBusiness"}}))
			for _, x := range exchanges(version) {
				t.Run(x.method+" "+x.template, func(t *testing.T) {
					if described != nil && !described.hasOperation(x.method, x.template) {
						t.Error("the description has no such operation")
					}
					got := call(t, tn, x.method, "/"+version+x.path, x.body)
					if got.status != x.status {
						t.Fatalf("status %d, want %d: %s", got.status, x.status, got.raw)
					}
					x.checkBody(t, described, got)
				})
			}
		})
	}
}

func (x exchange) checkBody(t *testing.T, described *specification, got answer) {
	t.Helper()
	switch {
	case x.schema == "":
		if got.raw != "" {
			t.Errorf("a %d with a body: %s", got.status, got.raw)
		}
	case x.schema == "error":
		checkEnvelope(t, got)
	case x.list:
		for _, object := range got.values() {
			x.checkObject(t, described, object)
		}
	default:
		x.checkObject(t, described, got.body)
	}
}

func (x exchange) checkObject(t *testing.T, described *specification, object map[string]any) {
	t.Helper()
	schema := x.schema
	if schema == "mixed" {
		name, _ := object["@odata.type"].(string)
		schema = strings.TrimPrefix(name, "#")
	}
	if described != nil {
		described.check(t, schema, object)
	}
}

// checkEnvelope sees that an error has the documented shape, member by member.
func checkEnvelope(t testing.TB, got answer) {
	t.Helper()
	var envelope struct {
		Error *struct {
			Code       *string `json:"code"`
			Message    *string `json:"message"`
			InnerError *struct {
				Date            string `json:"date"`
				RequestID       string `json:"request-id"`
				ClientRequestID string `json:"client-request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	decoder := json.NewDecoder(strings.NewReader(got.raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&envelope); err != nil {
		t.Fatalf("error reply is no envelope: %v\n%s", err, got.raw)
	}
	e := envelope.Error
	if e == nil || e.Code == nil || e.Message == nil || *e.Message == "" || e.InnerError == nil {
		t.Fatalf("error reply lacks a member: %s", got.raw)
	}
	if e.InnerError.RequestID != got.header.Get("request-id") || e.InnerError.ClientRequestID == "" || e.InnerError.Date == "" {
		t.Errorf("inner error %+v does not go with the headers", *e.InnerError)
	}
}
