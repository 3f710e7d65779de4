package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// JudgeToken judges what came of asking for a token.
func JudgeToken(a graphclient.Access, err error, now time.Time) []Finding {
	switch {
	case err != nil:
		return []Finding{refusedToken(err)}
	case a.Application == "":
		return []Finding{{
			Check: CheckToken, Severity: Note, What: "The token can't be read, so its permissions are not known.",
			Why: "Microsoft allows itself to change what tokens look like. Whether calls work is seen below.",
		}}
	}
	kind := "app-only"
	if a.Delegated {
		kind = "delegated: it acts for the person who signed in"
	}
	findings := []Finding{good(CheckToken, "A token for tenant %s, application %s, %s, is good for %v.",
		a.Tenant, a.Application, kind, a.Expires.Sub(now).Round(time.Second))}
	if a.Delegated {
		findings = append(findings, Finding{
			Check: CheckToken, Severity: Warning, What: "The token is a person's, not the application's own.",
			Why:     "A run of hours ends when the sign-in does, and the person needs the role Authentication Administrator or, for administrators' methods, Privileged Authentication Administrator.",
			Portal:  "Entra admin centre > App registrations > the application > Certificates & secrets",
			Command: "muster worker --credential certificate --certificate-file FILE …",
		})
	}
	return findings
}

// refusedToken judges why there is no token.
func refusedToken(err error) Finding {
	f := Finding{
		Check: CheckToken, Severity: Error, What: "There is no token: " + sentence(err),
		Why:    "Without a token every call fails; the worker pauses the tenant and waits.",
		Portal: "Entra admin centre > App registrations > the application > Overview and Certificates & secrets",
	}
	e, ok := errors.AsType[*graphclient.Error](err)
	switch {
	case !ok:
		return f
	case e.Kind == graphclient.KindTransient:
		f.Why = "The token service was not reached or is busy: check the network, the proxy and --authority, and try again."
		f.Portal = ""
	case e.Code == "":
		f.Why += " Without --credential Muster takes what the environment offers: the variables AZURE_…, a workload or managed identity, or the Azure CLI."
		f.Command = "az login, or muster doctor --credential client-secret --tenant-id TENANT --client-id APPLICATION-ID"
	}
	switch e.Code {
	case "AADSTS7000215", "AADSTS7000222":
		f.Command = "az ad app credential reset --id APPLICATION-ID --append --years 1"
	case "AADSTS700027":
		f.Command = "az ad app credential reset --id APPLICATION-ID --append --cert @certificate.pem"
	case "AADSTS700016", "AADSTS7000229":
		f.Command = "az ad sp create --id APPLICATION-ID"
		f.Portal = "sign in as an administrator of the tenant to /adminconsent?client_id=APPLICATION-ID at the authority, or create the enterprise application"
	case "AADSTS7000112":
		f.Portal = "Entra admin centre > Enterprise applications > the application > Properties > Enabled for users to sign-in"
		f.Command = "az ad sp update --id APPLICATION-ID --set accountEnabled=true"
	case "AADSTS700211", "AADSTS700212", "AADSTS700213":
		f.Portal = "Entra admin centre > App registrations > the application > Certificates & secrets > Federated credentials"
		f.Command = "az ad app federated-credential list --id APPLICATION-ID"
	case "AADSTS65001":
		f.Portal = "Entra admin centre > App registrations > the application > API permissions > Grant admin consent"
		f.Command = "az ad app permission admin-consent --id APPLICATION-ID"
	}
	return f
}

// sentence ends an error's text as a sentence.
func sentence(err error) string { return strings.TrimRight(err.Error(), ". ") + "." }

// Need is what the capabilities that are asked for demand of the token.
type Need struct {
	// Capability is its name.
	Capability string
	// Missing lists those of its permissions that the granted ones do not give.
	Missing func(granted []string) []string
	// Optional capabilities are missed with a warning only.
	Optional bool
}

// JudgePermissions compares the token's permissions with what the capabilities
// need. managed is for a managed identity, which has no registration.
func JudgePermissions(a graphclient.Access, needs []Need, managed bool) []Finding {
	if a.Application == "" {
		return nil
	}
	if len(a.Permissions) == 0 {
		return []Finding{{
			Check: CheckPermission, Severity: Error, What: "The token holds no permission for Microsoft Graph at all.",
			Why:     "No permission was added to the application, or no administrator of this tenant has consented. Every call will be refused with 403.",
			Portal:  consentPath,
			Command: "az ad app permission admin-consent --id " + a.Application,
		}}
	}
	var findings []Finding
	var required, optional missing
	for _, n := range needs {
		lacks := n.Missing(a.Permissions)
		switch {
		case len(lacks) == 0:
			findings = append(findings, good(CheckPermission, "The token holds what %s needs.", n.Capability))
		case n.Optional:
			optional.add(n.Capability, lacks)
		default:
			required.add(n.Capability, lacks)
		}
	}
	if len(required.permissions) > 0 {
		findings = append(findings, required.finding(a, Error, managed))
	}
	if len(optional.permissions) > 0 {
		findings = append(findings, optional.finding(a, Warning, managed))
	}
	return findings
}

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

func (m *missing) finding(a graphclient.Access, s Severity, managed bool) Finding {
	return Finding{
		Check: CheckPermission, Severity: s,
		What:    fmt.Sprintf("The token lacks %s, for %s.", strings.Join(m.permissions, ", "), strings.Join(m.capabilities, ", ")),
		Why:     "Microsoft Graph refuses with 403 what a permission is for. It counts only once an administrator has consented, and in the next token.",
		Portal:  consentPath,
		Command: grantCommand(a, m.permissions, managed),
	}
}

const (
	consentPath = "Entra admin centre > App registrations > the application > API permissions > Add a permission > Microsoft Graph, then Grant admin consent"
	// graphAppID is the application id of Microsoft Graph in every tenant.
	graphAppID = "00000003-0000-0000-c000-000000000000"
)

// grantCommand is the line that grants permissions. The ids of the roles are
// looked up by name: they are nowhere to be learnt by heart.
func grantCommand(a graphclient.Access, permissions []string, managed bool) string {
	list, kind := "appRoles", "Role"
	if a.Delegated {
		list, kind = "oauth2PermissionScopes", "Scope"
	}
	id := fmt.Sprintf(`$(az ad sp show --id %s --query "%s[?value=='$p'].id" -o tsv)`, graphAppID, list)
	loop := "for p in " + strings.Join(permissions, " ") + "; do "
	if managed && !a.Delegated {
		return loop + fmt.Sprintf(`az rest --method POST --url "https://graph.microsoft.com/v1.0/servicePrincipals(appId='%s')/appRoleAssignments" --body "{\"principalId\":\"$(az ad sp show --id %s --query id -o tsv)\",\"resourceId\":\"$(az ad sp show --id %s --query id -o tsv)\",\"appRoleId\":\"%s\"}"; done`,
			a.Application, a.Application, graphAppID, id)
	}
	return loop + fmt.Sprintf(`az ad app permission add --id %s --api %s --api-permissions "%s=%s"; done; az ad app permission admin-consent --id %s`, a.Application, graphAppID, id, kind, a.Application)
}
