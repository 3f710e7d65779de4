package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// CheckGraphCalls reads one user and, of that user, what the capabilities need.
func CheckGraphCalls(ctx context.Context, d *graphclient.Directory, g Grantee, needs []Need, now time.Time) []Finding {
	user, found := "", false
	var err error
	for u, e := range d.Users(ctx, graphclient.UsersQuery{Select: []string{"id"}, PageSize: 1}) {
		user, found, err = u.ID, e == nil, e
		break
	}
	findings := []Finding{g.judge(needs, listUsers, err)}
	if err != nil {
		return findings
	}
	if !found {
		return append(findings, Finding{
			Check: CheckGraph, Severity: Note, What: "The tenant shows no user, so nothing of a user was read.",
			Why: "Whether the other calls work is not known.",
		})
	}
	for _, p := range probes {
		used, optional := p.usedBy(needs)
		if used {
			p.Optional = optional
			findings = append(findings, g.judge(needs, p.Call, p.read(ctx, d, user, now)))
		}
	}
	return findings
}

// judge judges what came of a read, and makes a note of a refusal whose missing
// permission has a finding of its own.
func (g Grantee) judge(needs []Need, c Call, err error) Finding {
	f := JudgeCall(c, g, err)
	if graphclient.KindOf(err) != graphclient.KindForbidden || g.Application == "" || holds(g.Permissions, c.Accepted) {
		return f
	}
	for _, n := range needs {
		if holds(n.Missing(g.Permissions), c.Accepted) {
			return Finding{
				Check: c.Check, Severity: Note, What: fmt.Sprintf("GET /%s%s is refused (403).", c.Version, c.Path),
				Why: "The token lacks a permission for it, as said above.",
			}
		}
	}
	return f
}

// JudgeCall judges what came of a read.
func JudgeCall(c Call, g Grantee, err error) Finding {
	call := fmt.Sprintf("GET /%s%s", c.Version, c.Path)
	f := Finding{Check: c.Check, Severity: Error, What: fmt.Sprintf("%s failed: %s", call, sentenceOf(err)), Why: "A run would meet the same.", Command: "muster doctor --log-level debug … (and the request-id for Microsoft's support)"}
	if c.Optional {
		f.Severity = Warning
	}
	switch graphclient.KindOf(err) {
	case graphclient.KindNone:
		if err == nil {
			return good(c.Check, "%s is answered.", call)
		}
	case graphclient.KindForbidden:
		return forbidden(f, call, c, g, err)
	case graphclient.KindLicence:
		f.Check, f.Severity = CheckLicence, Warning
		f.What = fmt.Sprintf("%s is refused for want of a licence (Microsoft Entra ID P1).", call)
		f.Why = "muster report then lacks registration details and sign-ins; writing methods needs no such licence. A B2C tenant can't be managed this way."
		f.Portal = "Microsoft 365 admin centre > Billing > Purchase services > Microsoft Entra ID P1"
		f.Command = `az rest --url "https://graph.microsoft.com/v1.0/subscribedSkus?\$select=skuPartNumber" (lists the licences that the tenant has)`
	case graphclient.KindUnauthorized:
		f.What = fmt.Sprintf("%s is refused (401): %s", call, sentenceOf(err))
		f.Why = "Microsoft Graph does not take the token: it is for another API or cloud, or the clock is wrong."
		f.Portal = "Microsoft Graph documentation > National cloud deployments, for the addresses"
		f.Command = "muster doctor --cloud usgov (or dod, china, global), without --graph and --authority"
	case graphclient.KindNotFound, graphclient.KindInvalid:
		if c.Version == graphclient.Beta {
			f.What = fmt.Sprintf("%s is not there: %s", call, sentenceOf(err))
			f.Why = "The beta version of Microsoft Graph lacks it in this cloud, or has changed; what needs it can't be done. Per-user MFA state and default method are in beta only."
			f.Portal = "Microsoft Graph documentation > Beta, for the clouds that have it"
			f.Command = "muster worker --allow phones,sms-sign-in … (which need no beta)"
		}
	case graphclient.KindTransient, graphclient.KindThrottled:
		f.Why = "Microsoft Graph was not reached, or not as itself: check the network, the proxy (HTTPS_PROXY), --graph and --ca-file."
		f.Command = "curl -sSI https://graph.microsoft.com (or the address of --graph)"
	}
	return f
}

// forbidden judges a 403 by what the token holds.
func forbidden(f Finding, call string, c Call, g Grantee, err error) Finding {
	f.Why = "Commands that need it pause the tenant until it is granted."
	if c.Optional {
		f.Why = "What needs it is left out until it is granted."
	}
	f.Portal, f.Command = g.portal(), g.grant(c.Accepted[:1])
	if !holds(g.Permissions, c.Accepted) {
		f.What = fmt.Sprintf("%s is refused (403): the permission %s is missing.", call, c.Accepted[0])
		return f
	}
	f.What = fmt.Sprintf("%s is refused (403), although the token holds a permission for it: %s", call, sentenceOf(err))
	if g.Delegated {
		f.Why += " A person needs a role beside the permission: Authentication Administrator for methods, Global Reader or Reports Reader for reports."
		f.Portal = "Entra admin centre > Roles & admins > the role > Add assignments"
		f.Command = `az rest --method POST --url https://graph.microsoft.com/v1.0/roleManagement/directory/roleAssignments --body '{"principalId":"USER-ID","roleDefinitionId":"ROLE-ID","directoryScopeId":"/"}'`
		return f
	}
	f.Why += " Consent of the last minutes may not count everywhere yet; else give the request-id to Microsoft's support."
	f.Portal = "Entra admin centre > Enterprise applications > the application > Permissions, for what was really granted"
	f.Command = strings.ReplaceAll(`az rest --url "https://graph.microsoft.com/v1.0/servicePrincipals(appId='APPLICATION-ID')/appRoleAssignments"`, placeholder, g.Application)
	return f
}

func sentenceOf(err error) string {
	if err == nil {
		return ""
	}
	return sentence(err)
}
