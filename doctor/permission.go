package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/graphclient"
)

// Grantee is whom a permission is granted to: what its token says, and whether it
// is a managed identity, which has no registration.
type Grantee struct {
	graphclient.Access
	Managed bool
}

// JudgePermissions compares the token's permissions with what the capabilities
// need.
func JudgePermissions(g Grantee, needs []Need) []Finding {
	if g.Application == "" {
		return nil
	}
	var findings []Finding
	var required, optional missing
	for _, n := range needs {
		lacks := n.Missing(g.Permissions)
		switch {
		case len(lacks) == 0:
			findings = append(findings, good(CheckPermission, "The token holds what %s needs.", n.Capability))
		case n.Optional && !slices.Contains(lacks, indispensable):
			optional.add(n.Capability, lacks)
		default:
			required.add(n.Capability, lacks)
		}
	}
	if len(g.Permissions) == 0 {
		all := missing{permissions: slices.Clone(required.permissions)}
		all.add("", optional.permissions)
		return []Finding{{
			Check: CheckPermission, Severity: Error, What: "The token holds no permission for Microsoft Graph at all.",
			Why:    "No permission was added to the application, or no administrator of this tenant has consented. Every call will be refused with 403.",
			Portal: g.portal(), Command: g.grant(all.permissions),
		}}
	}
	if len(required.permissions) > 0 {
		findings = append(findings, required.finding(g, Error))
	}
	if len(optional.permissions) > 0 {
		findings = append(findings, optional.finding(g, Warning))
	}
	return findings
}

// indispensable is the permission without which nothing can be left out, for
// there is no user to begin with.
const indispensable = "User.Read.All"

// missing are permissions that a token lacks, and the capabilities that need
// some of them.
type missing struct{ permissions, capabilities []string }

func (m *missing) add(capability string, permissions []string) {
	m.capabilities = append(m.capabilities, capability)
	for _, p := range permissions {
		if !slices.Contains(m.permissions, p) {
			m.permissions = append(m.permissions, p)
		}
	}
}

func (m *missing) finding(g Grantee, s Severity) Finding {
	return Finding{
		Check: CheckPermission, Severity: s,
		What:   fmt.Sprintf("The token lacks %s, for %s.", strings.Join(m.permissions, ", "), strings.Join(m.capabilities, ", ")),
		Why:    "Microsoft Graph refuses with 403 what a permission is for. It counts only once an administrator has consented, and in the next token.",
		Portal: g.portal(), Command: g.grant(m.permissions),
	}
}

const (
	consentPath = "Entra admin centre > App registrations > the application > API permissions > Add a permission > Microsoft Graph, then Grant admin consent"
	// graphAppID is the application id of Microsoft Graph in every tenant.
	graphAppID = "00000003-0000-0000-c000-000000000000"
)

// portal is the way to grant permissions by hand.
func (g Grantee) portal() string {
	if g.Managed && !g.Delegated {
		return "no portal does it for a managed identity: use the command; what it has is under Entra admin centre > Enterprise applications > Managed identities > the identity > Permissions"
	}
	return consentPath
}

// grant is the line that grants permissions. The ids of the roles are looked up
// by name: they are nowhere to be learnt by heart.
func (g Grantee) grant(permissions []string) string {
	application := g.Application
	if application == "" {
		application = placeholder
	}
	consent := "az ad app permission admin-consent --id " + application
	if len(permissions) == 0 {
		return consent
	}
	list, kind := "appRoles", "Role"
	if g.Delegated {
		list, kind = "oauth2PermissionScopes", "Scope"
	}
	id := fmt.Sprintf(`$(az ad sp show --id %s --query "%s[?value=='$p'].id" -o tsv)`, graphAppID, list)
	loop := "for p in " + strings.Join(permissions, " ") + "; do "
	if g.Managed && !g.Delegated {
		return loop + fmt.Sprintf(`az rest --method POST --url "https://graph.microsoft.com/v1.0/servicePrincipals(appId='%s')/appRoleAssignments" --body "{\"principalId\":\"$(az ad sp show --id %s --query id -o tsv)\",\"resourceId\":\"$(az ad sp show --id %s --query id -o tsv)\",\"appRoleId\":\"%s\"}"; done`,
			application, application, graphAppID, id)
	}
	return loop + fmt.Sprintf(`az ad app permission add --id %s --api %s --api-permissions "%s=%s"; done; %s`, application, graphAppID, id, kind, consent)
}
