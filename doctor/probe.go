package doctor

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// Call is a read that shows whether an endpoint answers the application.
type Call struct {
	// Path is the endpoint as it is told of.
	Path    string
	Version graphclient.Version
	// Check is [CheckGraph], or [CheckLicence] for what takes a licence.
	Check string
	// Accepted are the permissions of which one is enough, the one with the least
	// privilege first.
	Accepted []string
	// Optional calls are missed with a warning only.
	Optional bool
}

// probe is a call that capabilities make.
type probe struct {
	Call
	capabilities []string
	read         func(ctx context.Context, d *graphclient.Directory, user string, now time.Time) error
}

// listUsers is the call that finds the user for the others.
var listUsers = Call{Path: "/users?$top=1", Version: graphclient.V1, Check: CheckGraph, Accepted: readUsers}

// probes lists the endpoints that the capabilities read. They are read of one
// user, of whom nothing is kept. Membership in groups is not among them: what
// Graph answers for a group that is not there is in no documentation.
var probes = []probe{
	{
		Call:         Call{Path: "/users/{id}/authentication/phoneMethods", Version: graphclient.V1, Check: CheckGraph, Accepted: readPhones},
		capabilities: []string{"phones", "sms-sign-in", "default-method", "authenticator", CapabilityUserShow, CapabilityReportPhones},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.Phones(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/users/{id}/authentication/requirements", Version: graphclient.Beta, Check: CheckGraph, Accepted: readMFAState},
		capabilities: []string{"mfa-state", CapabilityUserShow, CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.PerUserMFAState(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/users/{id}/authentication/signInPreferences", Version: graphclient.Beta, Check: CheckGraph, Accepted: readMethods},
		capabilities: []string{"default-method", "authenticator", CapabilityUserShow, CapabilityReportDetails},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.SignInPreferences(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/users/{id}/authentication/microsoftAuthenticatorMethods", Version: graphclient.V1, Check: CheckGraph, Accepted: readAuthenticator},
		capabilities: []string{"default-method", "authenticator", CapabilityUserShow},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.AuthenticatorMethods(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/users/{id}/authentication/methods", Version: graphclient.V1, Check: CheckGraph, Accepted: readMethods},
		capabilities: []string{"default-method", "authenticator", CapabilityUserShow, CapabilityReportDetails},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.Methods(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/users/{id}/transitiveMemberOf/microsoft.graph.directoryRole", Version: graphclient.V1, Check: CheckGraph, Accepted: readRoles},
		capabilities: []string{CapabilityScopeAdmins},
		read: func(ctx context.Context, d *graphclient.Directory, user string, _ time.Time) error {
			_, err := d.DirectoryRoles(ctx, user)
			return err
		},
	},
	{
		Call:         Call{Path: "/auditLogs/directoryAudits", Version: graphclient.V1, Check: CheckGraph, Accepted: readLogs},
		capabilities: []string{CapabilityUserHistory},
		read: func(ctx context.Context, d *graphclient.Directory, user string, now time.Time) error {
			return firstError(d.UserAudits(ctx, user, now.Add(-time.Hour)))
		},
	},
	{
		Call:         Call{Path: registrationReport, Version: graphclient.V1, Check: CheckLicence, Accepted: readLogs},
		capabilities: []string{CapabilityReport},
		read: func(ctx context.Context, d *graphclient.Directory, _ string, _ time.Time) error {
			replies, err := d.Batch(ctx, graphclient.V1, []graphclient.Part{{Method: http.MethodGet, Path: registrationReport + "?$top=1"}})
			if err != nil {
				return err
			}
			return replies[0].Err
		},
	},
	{
		Call:         Call{Path: "/auditLogs/signIns", Version: graphclient.Beta, Check: CheckLicence, Accepted: readLogs},
		capabilities: []string{CapabilityReportSignIns},
		read: func(ctx context.Context, d *graphclient.Directory, _ string, now time.Time) error {
			return firstError(d.SignIns(ctx, graphclient.SignInsQuery{Since: now.Add(-time.Hour), All: true}))
		},
	},
}

const registrationReport = "/reports/authenticationMethods/userRegistrationDetails"

// firstError is the error with which a listing begins.
func firstError[T any](listing iter.Seq2[T, error]) error {
	for _, err := range listing {
		return err
	}
	return nil
}

// usedBy tells whether one of the capabilities makes the call, and whether only
// optional ones do.
func (p probe) usedBy(needs []Need) (used, optional bool) {
	optional = true
	for _, n := range needs {
		if slices.Contains(p.capabilities, n.Capability) {
			used, optional = true, optional && n.Optional
		}
	}
	return used, optional
}
