package tenant

import (
	"slices"
	"strings"
)

// authenticatorIndex returns the place of the registration, or -1.
func (u User) authenticatorIndex(methodID string) int {
	return slices.IndexFunc(u.Authenticator, func(a Authenticator) bool {
		return strings.EqualFold(a.ID, methodID)
	})
}

// deleteAuthenticator is DELETE microsoftAuthenticatorMethods/{id}. The last
// registration can't go while it is the default and other methods remain.
func (r *record) deleteAuthenticator(methodID string) *refusal {
	i := r.authenticatorIndex(methodID)
	if i < 0 {
		return alreadyGone(methodID)
	}
	isDefault := defaultIsAuthenticator(r.DefaultMethod) && len(r.Authenticator) == 1 &&
		!(r.DefaultMethod == "oath" && r.generatesCodes())
	if isDefault && r.methodCount() > 1 {
		return isDefaultMethod(methodID)
	}
	r.Authenticator = slices.Delete(slices.Clone(r.Authenticator), i, i+1)
	if isDefault {
		r.DefaultMethod = ""
	}
	return nil
}
