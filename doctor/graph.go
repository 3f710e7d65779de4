package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/muster-mfa/muster/graphclient"
)

// probe is one read that shows whether an endpoint answers the application.
type probe struct {
	// path is the endpoint as it is told of.
	path    string
	version graphclient.Version
	// capabilities use it; nil stands for all.
	capabilities []string
	// permission is the least one that gives it.
	permission string
	check      string
	read       func(ctx context.Context, d *graphclient.Directory, user string) error
}

// CapabilityReport is the capability of muster report, which no worker has.
const CapabilityReport = "report"

// probes lists the endpoints that the capabilities read. They are read of one
// user, of whom nothing is kept.
var probes = []probe{
	{
		path: "/users/{id}/authentication/phoneMethods", version: graphclient.V1, check: CheckGraph, permission: "UserAuthMethod-Phone.Read.All",
		capabilities: []string{"phones", "sms-sign-in", "default-method", "authenticator", CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, user string) error {
			_, err := d.Phones(ctx, user)
			return err
		},
	},
	{
		path: "/users/{id}/authentication/requirements", version: graphclient.Beta, check: CheckGraph, permission: "Policy.Read.All",
		capabilities: []string{"mfa-state", CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, user string) error {
			_, err := d.PerUserMFAState(ctx, user)
			return err
		},
	},
	{
		path: "/users/{id}/authentication/signInPreferences", version: graphclient.Beta, check: CheckGraph, permission: "UserAuthenticationMethod.Read.All",
		capabilities: []string{"default-method", "authenticator", CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, user string) error {
			_, err := d.SignInPreferences(ctx, user)
			return err
		},
	},
	{
		path: "/users/{id}/authentication/microsoftAuthenticatorMethods", version: graphclient.V1, check: CheckGraph, permission: "UserAuthMethod-MicrosoftAuthApp.Read.All",
		capabilities: []string{"default-method", "authenticator", CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, user string) error {
			_, err := d.AuthenticatorMethods(ctx, user)
			return err
		},
	},
	{
		path: registrationReport, version: graphclient.V1, check: CheckLicence, permission: "AuditLog.Read.All",
		capabilities: []string{CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, _ string) error {
			replies, err := d.Batch(ctx, graphclient.V1, []graphclient.Part{{Method: http.MethodGet, Path: registrationReport + "?$top=1"}})
			if err != nil {
				return err
			}
			return replies[0].Err
		},
	},
}

const (
	listUsers          = "/users?$top=1"
	registrationReport = "/reports/authenticationMethods/userRegistrationDetails"
)

// CheckGraphCalls reads one user and, of that user, what the capabilities need.
func CheckGraphCalls(ctx context.Context, d *graphclient.Directory, needs []Need) []Finding {
	user, found := "", false
	var err error
	for u, e := range d.Users(ctx, graphclient.UsersQuery{Select: []string{"id"}, PageSize: 1}) {
		user, found, err = u.ID, e == nil, e
		break
	}
	findings := []Finding{JudgeCall(listUsers, graphclient.V1, "User.Read.All", CheckGraph, false, err)}
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
			findings = append(findings, JudgeCall(p.path, p.version, p.permission, p.check, optional, p.read(ctx, d, user)))
		}
	}
	return findings
}

// usedBy tells whether one of the capabilities reads the endpoint, and whether
// only optional ones do.
func (p probe) usedBy(needs []Need) (used, optional bool) {
	optional = true
	for _, n := range needs {
		if slices.Contains(p.capabilities, n.Capability) {
			used, optional = true, optional && n.Optional
		}
	}
	return used, optional
}

// JudgeCall judges what came of a read.
func JudgeCall(path string, v graphclient.Version, permission, check string, optional bool, err error) Finding {
	call := fmt.Sprintf("GET /%s%s", v, path)
	f := Finding{Check: check, Severity: Error, What: fmt.Sprintf("%s failed: %v.", call, err)}
	if optional {
		f.Severity = Warning
	}
	switch graphclient.KindOf(err) {
	case graphclient.KindNone:
		if err == nil {
			return good(check, "%s is answered.", call)
		}
	case graphclient.KindForbidden:
		f.What = fmt.Sprintf("%s is refused (403): the permission %s is missing.", call, permission)
		f.Why = "Commands that need it pause the tenant until it is granted."
		f.Portal = consentPath
	case graphclient.KindLicence:
		f.Check, f.Severity = CheckLicence, Warning
		f.What = fmt.Sprintf("%s is refused for want of a licence (Microsoft Entra ID P1).", call)
		f.Why = "muster report then lacks registration details; writing methods needs no such licence. A B2C tenant can't be managed this way."
		f.Portal = "Microsoft 365 admin centre > Billing > Purchase services > Microsoft Entra ID P1"
	case graphclient.KindUnauthorized:
		f.What = fmt.Sprintf("%s is refused (401): %v.", call, err)
		f.Why = "Microsoft Graph does not take the token: it is for another API or cloud (--graph, --cloud), or the clock is wrong."
	case graphclient.KindNotFound, graphclient.KindInvalid:
		if v == graphclient.Beta {
			f.What = fmt.Sprintf("%s is not there: %v.", call, err)
			f.Why = "The beta version of Microsoft Graph lacks it in this cloud, or has changed; what needs it can't be done."
		}
	case graphclient.KindTransient, graphclient.KindThrottled:
		f.Why = "Microsoft Graph was not reached, or not as itself: check the network, the proxy, --graph and --ca-file."
	}
	return f
}
