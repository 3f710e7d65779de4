package tenant

import "net/http"

// numberOwners tells who signs in with a number: the user's object id, empty
// for nobody.
type numberOwners func(number string) (userID string)

// registerSMS tries to register the mobile for signing in by text message. The
// number may be registered for one user of the tenant only.
func (r *record) registerSMS(owners numberOwners) *refusal {
	if owner := owners(r.Phones.Mobile); owner != "" && owner != r.ID {
		r.SMSSignIn, r.smsTaken = false, true
		return refuse(http.StatusConflict, "phoneNumberNotUnique",
			"phoneNumberNotUnique: the number "+r.Phones.Mobile+" is used for SMS sign-in by another user.")
	}
	r.SMSSignIn, r.smsTaken = true, false
	return nil
}

// enableSMSSignIn is the action enableSmsSignIn: a mobile, a policy that allows
// it and a number that is unique (phoneAuthenticationMethod: enableSmsSignIn).
func (r *record) enableSMSSignIn(t phoneType, owners numberOwners) *refusal {
	if no := r.mayToggleSMS(t); no != nil {
		return no
	}
	if !r.SMSSignInAllowed {
		return refuse(http.StatusForbidden, "disabledByPolicy",
			"Can not enable Sms sign in on phone auth method as the credential policy is not enabled on user")
	}
	return r.registerSMS(owners)
}

// disableSMSSignIn is the action disableSmsSignIn.
func (r *record) disableSMSSignIn(t phoneType) *refusal {
	if no := r.mayToggleSMS(t); no != nil {
		return no
	}
	r.SMSSignIn, r.smsTaken = false, false
	return nil
}

func (r *record) mayToggleSMS(t phoneType) *refusal {
	if r.Phones.number(t) == "" {
		return methodNotFound(t.methodID())
	}
	if t != mobile {
		return refuse(http.StatusBadRequest, "badRequest", "SMS sign-in is supported for phone methods of type mobile only.")
	}
	return nil
}

// smsSignInState is what a reading of the phone method shows
// (phoneAuthenticationMethod, property smsSignInState).
func (r *record) smsSignInState(t phoneType) string {
	switch {
	case t != mobile:
		return "notSupported"
	case !r.SMSSignInAllowed:
		return "notAllowedByPolicy"
	case r.SMSSignIn:
		return "ready"
	case r.smsTaken:
		return "phoneNumberNotUnique"
	}
	return "notConfigured"
}
