package tenant

import "net/http"

// defaultPhone returns the phone type that a default method rings or texts,
// empty for a default that is no phone.
func defaultPhone(method string) phoneType {
	switch method {
	case "sms", "voiceMobile":
		return mobile
	case "voiceAlternateMobile":
		return alternateMobile
	case "voiceOffice":
		return office
	}
	return ""
}

// defaultIsAuthenticator tells whether a default method lives in Microsoft
// Authenticator: a notification, or the code that the app shows.
func defaultIsAuthenticator(method string) bool {
	return method == "push" || method == "oath"
}

// canPrefer tells whether the user has the method that a default stands for.
func (u User) canPrefer(method string) bool {
	if defaultIsAuthenticator(method) {
		return len(u.Authenticator) > 0 || method == "oath" && u.generatesCodes()
	}
	t := defaultPhone(method)
	return t != "" && u.Phones.number(t) != ""
}

// preferencesChange is the body of PATCH signInPreferences; nil leaves alone.
type preferencesChange struct {
	systemPreferred *bool
	method          *string
}

// setPreferences is PATCH authentication/signInPreferences. A default that the
// user has no method for is refused.
func (r *record) setPreferences(c preferencesChange) *refusal {
	if c.method != nil {
		if defaultPhone(*c.method) == "" && !defaultIsAuthenticator(*c.method) {
			return badLiteral(*c.method, "userDefaultAuthenticationMethodType")
		}
		if !r.canPrefer(*c.method) {
			return refuse(http.StatusBadRequest, "badRequest", "The user has no authentication method registered for the preferred method "+*c.method+".")
		}
		r.DefaultMethod = *c.method
	}
	if c.systemPreferred != nil {
		r.SystemPreferred = *c.systemPreferred
	}
	return nil
}
