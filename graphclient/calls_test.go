package graphclient_test

import (
	"context"

	"github.com/muster-mfa/muster/graphclient"
)

// everyCall is every request that the package can make, with what must reach
// the wire: version and path with the user in place of {u}, and the body.
var everyCall = []struct {
	name, method, path, body string
	do                       func(context.Context, *graphclient.Directory, string) error
}{
	{"User", "GET", "/v1.0/users/{u}", "", func(ctx context.Context, d *graphclient.Directory, u string) error {
		_, err := d.User(ctx, u)
		return err
	}},
	{"Users", "GET", "/v1.0/users", "", func(ctx context.Context, d *graphclient.Directory, u string) error {
		q := graphclient.UsersQuery{Filter: "userPrincipalName ne '" + u + "'", Advanced: true}
		for _, err := range d.Users(ctx, q) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"Phones", "GET", "/v1.0/users/{u}/authentication/phoneMethods", "", func(ctx context.Context, d *graphclient.Directory, u string) error {
		_, err := d.Phones(ctx, u)
		return err
	}},
	{"AddPhone", "POST", "/v1.0/users/{u}/authentication/phoneMethods", `{"phoneNumber":"+1 2065550100","phoneType":"mobile"}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.AddPhone(ctx, u, graphclient.Mobile, number)
			return err
		}},
	{"AddPhone alternate", "POST", "/v1.0/users/{u}/authentication/phoneMethods", `{"phoneNumber":"+1 2065550199","phoneType":"alternateMobile"}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.AddPhone(ctx, u, graphclient.AlternateMobile, otherNumber)
			return err
		}},
	{"ChangePhone", "PATCH", "/v1.0/users/{u}/authentication/phoneMethods/" + mobileID, `{"phoneNumber":"+1 2065550199","phoneType":"mobile"}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.ChangePhone(ctx, u, graphclient.Mobile, otherNumber)
		}},
	{"DeletePhone", "DELETE", "/v1.0/users/{u}/authentication/phoneMethods/b6332ec1-7057-4abe-9331-3d72feddfe41", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.DeletePhone(ctx, u, graphclient.AlternateMobile)
		}},
	{"DeletePhone office", "DELETE", "/v1.0/users/{u}/authentication/phoneMethods/e37fc753-ff3b-4958-9484-eaa9425c82bc", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.DeletePhone(ctx, u, graphclient.Office)
		}},
	{"EnableSMSSignIn", "POST", "/v1.0/users/{u}/authentication/phoneMethods/" + mobileID + "/enableSmsSignIn", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error { return d.EnableSMSSignIn(ctx, u) }},
	{"DisableSMSSignIn", "POST", "/v1.0/users/{u}/authentication/phoneMethods/" + mobileID + "/disableSmsSignIn", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error { return d.DisableSMSSignIn(ctx, u) }},
	{"PerUserMFAState", "GET", "/beta/users/{u}/authentication/requirements", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.PerUserMFAState(ctx, u)
			return err
		}},
	{"SetPerUserMFAState", "PATCH", "/beta/users/{u}/authentication/requirements", `{"perUserMfaState":"enforced"}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.SetPerUserMFAState(ctx, u, graphclient.MFAEnforced)
		}},
	{"SignInPreferences", "GET", "/beta/users/{u}/authentication/signInPreferences", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.SignInPreferences(ctx, u)
			return err
		}},
	{"SetDefaultMethod", "PATCH", "/beta/users/{u}/authentication/signInPreferences", `{"userPreferredMethodForSecondaryAuthentication":"sms"}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.SetDefaultMethod(ctx, u, graphclient.DefaultSMS)
		}},
	{"AuthenticatorMethods", "GET", "/v1.0/users/{u}/authentication/microsoftAuthenticatorMethods", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.AuthenticatorMethods(ctx, u)
			return err
		}},
	{"Methods", "GET", "/v1.0/users/{u}/authentication/methods", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.Methods(ctx, u)
			return err
		}},
	{"DeleteAuthenticatorMethod", "DELETE", "/v1.0/users/{u}/authentication/microsoftAuthenticatorMethods/" + userGUID, "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			return d.DeleteAuthenticatorMethod(ctx, u, userGUID)
		}},
	{"MemberGroups", "POST", "/v1.0/users/{u}/checkMemberGroups", `{"groupIds":["` + userGUID + `"]}`,
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.MemberGroups(ctx, u, []string{userGUID})
			return err
		}},
	{"DirectoryRoles", "GET", "/v1.0/users/{u}/transitiveMemberOf/microsoft.graph.directoryRole", "",
		func(ctx context.Context, d *graphclient.Directory, u string) error {
			_, err := d.DirectoryRoles(ctx, u)
			return err
		}},
	{"ReportUsers", "GET", "/v1.0/users", "", func(ctx context.Context, d *graphclient.Directory, _ string) error {
		for _, err := range d.ReportUsers(ctx, graphclient.ReportUsersQuery{PerUserMFAState: true}) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"Registrations", "GET", "/v1.0/reports/authenticationMethods/userRegistrationDetails", "", func(ctx context.Context, d *graphclient.Directory, _ string) error {
		for _, err := range d.Registrations(ctx, graphclient.RegistrationsQuery{}) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"UserDetails", "POST", "/beta/$batch", "", func(ctx context.Context, d *graphclient.Directory, u string) error {
		all, err := d.UserDetails(ctx, []string{u}, graphclient.Details{PerUserMFAState: true, Preferences: true, Methods: true, Phones: true})
		if err != nil {
			return err
		}
		return all[0].PerUserMFAStateErr
	}},
	{"Batch", "POST", "/beta/$batch", "", func(ctx context.Context, d *graphclient.Directory, u string) error {
		path, err := graphclient.UserPath(u, "/authentication/phoneMethods")
		if err != nil {
			return err
		}
		replies, err := d.Batch(ctx, graphclient.Beta, []graphclient.Part{{Method: "GET", Path: path}})
		if err != nil {
			return err
		}
		return replies[0].Err
	}},
}

// calm answers every request as Graph does on a good day.
func calm(r request) answer {
	switch {
	case r.Method == "PATCH", r.Method == "DELETE", r.Body == "" && r.Method == "POST":
		return answer{status: 204}
	case r.URL == loopback+"/beta/$batch":
		return ok(`{"responses":[{"id":"1","status":200,"body":{"value":[]}}]}`)
	case r.Method == "POST":
		return answer{status: 201, body: "{}"}
	}
	return ok(`{"value":[]}`)
}
