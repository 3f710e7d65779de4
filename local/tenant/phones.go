package tenant

import (
	"net/http"
	"strings"
)

// phoneType is a kind of phone method; a user has at most one of each.
type phoneType string

// The phone types (resource type phoneAuthenticationMethod, property phoneType).
const (
	mobile          phoneType = "mobile"
	alternateMobile phoneType = "alternateMobile"
	office          phoneType = "office"
)

// phoneTypes lists the types in the order in which a listing shows them.
var phoneTypes = [...]phoneType{mobile, alternateMobile, office}

// methodID is the id of the phone method of that type. It is the same for
// every user of every tenant (phoneAuthenticationMethod, property id).
func (t phoneType) methodID() string {
	switch t {
	case mobile:
		return "3179e48a-750b-4051-897c-87b9720928f7"
	case alternateMobile:
		return "b6332ec1-7057-4abe-9331-3d72feddfe41"
	case office:
		return "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	}
	return ""
}

// phoneTypeOf returns the type whose fixed method id that is.
func phoneTypeOf(methodID string) (phoneType, bool) {
	for _, t := range phoneTypes {
		if strings.EqualFold(methodID, t.methodID()) {
			return t, true
		}
	}
	return "", false
}

// number returns the number of that type, empty for none.
func (p Phones) number(t phoneType) string {
	switch t {
	case mobile:
		return p.Mobile
	case alternateMobile:
		return p.AlternateMobile
	case office:
		return p.Office
	}
	return ""
}

// with returns the phones with that number for the type; empty removes it.
func (p Phones) with(t phoneType, number string) Phones {
	switch t {
	case mobile:
		p.Mobile = number
	case alternateMobile:
		p.AlternateMobile = number
	case office:
		p.Office = number
	}
	return p
}

// addPhone is POST phoneMethods: one number per type, an alternate mobile only
// where there is a mobile (phoneAuthenticationMethod, "Create").
func (r *record) addPhone(t phoneType, number string, owners numberOwners) *refusal {
	if have := r.Phones.number(t); have != "" {
		no := refuse(http.StatusBadRequest, "badRequest", "A phone method of type "+string(t)+" already exists for the user. Update it instead of adding "+number+".")
		no.redundant = have == number
		return no
	}
	if t == alternateMobile && r.Phones.Mobile == "" {
		return refuse(http.StatusBadRequest, "badRequest", "An alternateMobile phone method can't be added before the user has a mobile phone method.")
	}
	if no := r.mayWrite(t); no != nil {
		return no
	}
	return r.setPhone(t, number, owners)
}

// mayWrite refuses the office phone of a user whose on-premises directory masters
// it. The status is an assumption; that it is refused is not.
func (r *record) mayWrite(t phoneType) *refusal {
	if t == office && r.OfficeMastered {
		return refuse(http.StatusBadRequest, "badRequest", "The office phone of the user is mastered on-premises and can't be changed.")
	}
	return nil
}

// changePhone is PATCH phoneMethods/{id}.
func (r *record) changePhone(t phoneType, number string, owners numberOwners) *refusal {
	if r.Phones.number(t) == "" {
		return methodNotFound(t.methodID())
	}
	if no := r.mayWrite(t); no != nil {
		return no
	}
	return r.setPhone(t, number, owners)
}

// setPhone stores the number. A method that comes into being enforces a state
// that was only enabled, and a mobile is registered for SMS sign-in where the
// policy allows it; a collision there is refused after the number was stored.
func (r *record) setPhone(t phoneType, number string, owners numberOwners) *refusal {
	r.Phones = r.Phones.with(t, number)
	r.driftToEnforced()
	if t != mobile {
		return nil
	}
	r.SMSSignIn = false
	if !r.SMSSignInAllowed {
		return nil
	}
	return r.registerSMS(owners)
}

// deletePhone is DELETE phoneMethods/{id}.
func (r *record) deletePhone(t phoneType) *refusal {
	if r.Phones.number(t) == "" {
		return alreadyGone(t.methodID())
	}
	if no := r.mayWrite(t); no != nil {
		return no
	}
	if t == mobile && r.Phones.AlternateMobile != "" {
		return refuse(http.StatusBadRequest, "badRequest", "The mobile phone method can't be deleted while the user has an alternateMobile phone method.")
	}
	if defaultPhone(r.DefaultMethod) == t && r.methodCount() > 1 {
		return isDefaultMethod(t.methodID())
	}
	r.Phones = r.Phones.with(t, "")
	if t == mobile {
		r.SMSSignIn, r.smsTaken = false, false
	}
	if defaultPhone(r.DefaultMethod) == t {
		r.DefaultMethod = ""
	}
	return nil
}
