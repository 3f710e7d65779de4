package tenant

import (
	"net/http"
	"slices"
	"strings"
)

// A permission names what a token may carry as a role or a scope to be let
// through.
var (
	readUserRoles    = []string{"User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readMethodRoles  = []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}
	writeMethodRoles = []string{"UserAuthenticationMethod.ReadWrite.All"}
)

// methodRoles are the roles for one type of authentication method: its own
// least ones, and those for all types.
func methodRoles(kind string, write bool) []string {
	if write {
		return append([]string{"UserAuthMethod-" + kind + ".ReadWrite.All"}, writeMethodRoles...)
	}
	return append([]string{"UserAuthMethod-" + kind + ".Read.All", "UserAuthMethod-" + kind + ".ReadWrite.All"}, readMethodRoles...)
}

// roles lists the permissions of which a token needs one (Microsoft Graph
// permissions reference, by API). It returns nil for an operation that is in no
// table: any token will do.
func (o *operation) roles() []string {
	switch o.name {
	case "users.checkMemberGroups":
		return []string{"GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	case "users.listRoles":
		return []string{"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"}
	}
	group, _, _ := strings.Cut(o.name, ".")
	write := o.writes()
	switch group {
	case "users":
		return readUserRoles
	case "methods":
		return readMethodRoles
	case "passwordMethods":
		return methodRoles("Password", write)
	case "phoneMethods":
		return methodRoles("Phone", write)
	case "microsoftAuthenticatorMethods":
		return methodRoles("MicrosoftAuthApp", write)
	case "requirements":
		if write {
			return []string{"Policy.ReadWrite.AuthenticationMethod"}
		}
		return []string{"Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod"}
	case "signInPreferences":
		// In no permission table; the API's page names these.
		if write {
			return writeMethodRoles
		}
		return readMethodRoles
	case "applications":
		return []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	case "registrationDetails", "signIns", "directoryAudits":
		return []string{"AuditLog.Read.All"}
	}
	return nil
}

// permitted refuses a call whose token lacks the permission, with the error that
// the endpoint has for it.
func (c *call) permitted() *refusal {
	needed := c.operation.roles()
	if c.caller == nil || needed == nil || slices.ContainsFunc(needed, c.caller.has) {
		return nil
	}
	return Denial{Status: http.StatusForbidden}.refusal(c.operation.name)
}

// caller is who a token was issued to.
type caller struct {
	application string
	permissions []string
}

func (c *caller) has(permission string) bool { return slices.Contains(c.permissions, permission) }
