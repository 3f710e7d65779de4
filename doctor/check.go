package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// Options say what to look at. What is nil is left out.
type Options struct {
	// Graph is the client, and Tenants those that it is asked for.
	Graph   *graphclient.Client
	Tenants []string
	// Tokens says that the endpoint needs tokens, so that they are checked.
	Tokens bool
	// Needs are the capabilities and what they need.
	Needs []Need
	// Application is its id, where it is known without a token. It goes into the
	// commands that mend something.
	Application string
	// Credential is its kind, as --credential names it, and CredentialError why
	// there is none to be had. Graph may be nil then.
	Credential      string
	CredentialError error
	// CertificateEnd is the end of the certificate in use, the zero time where
	// there is none.
	CertificateEnd time.Time
	// Clock asks the service for the time.
	Clock func(context.Context) (time.Time, error)
	// Listen and Send knock at the queue; QueueError is why nobody could.
	Queue        Queue
	QueueError   error
	Listen, Send func(context.Context) (Reach, error)
	// Properties reads the queue's properties.
	Properties func(context.Context) (QueueProperties, Reach, error)
	// Now is the local clock. Nil means time.Now.
	Now func() time.Time
}

// Check looks at everything that the options name, and returns what it has found,
// in the order in which to mend it.
func Check(ctx context.Context, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	var findings []Finding
	if o.Clock != nil {
		findings = append(findings, checkClock(ctx, o))
	}
	if o.CredentialError != nil {
		findings = append(findings, JudgeCredential(o.CredentialError, o.Credential))
	}
	if !o.CertificateEnd.IsZero() {
		findings = append(findings, JudgeExpiry("The certificate in use", o.CertificateEnd, o.Now(), newCertificate))
	}
	for _, tenant := range o.Tenants {
		if o.Graph == nil {
			break
		}
		for _, f := range checkTenant(ctx, o, tenant) {
			f.Tenant = tenant
			findings = append(findings, f)
		}
	}
	if o.QueueError != nil {
		findings = append(findings, JudgeNamespace(o.QueueError))
	}
	return named(append(findings, checkQueue(ctx, o)...), o.Application)
}

// checkQueue asks no further once the queue is not there.
func checkQueue(ctx context.Context, o Options) (findings []Finding) {
	there, sessions := true, false
	if o.Listen != nil {
		reach, err := o.Listen(ctx)
		findings = append(findings, JudgeListen(o.Queue, reach, err))
		there, sessions = reach != QueueMissing && reach != Unreachable, reach == QueueOfSessions
	}
	if o.Send != nil && there {
		reach, err := o.Send(ctx)
		findings = append(findings, JudgeSend(o.Queue, reach, err))
	}
	if o.Properties != nil && there {
		p, reach, err := o.Properties(ctx)
		p.RequiresSession = p.RequiresSession && !sessions // told already
		findings = append(findings, JudgeQueueProperties(o.Queue, p, reach, err)...)
	}
	return findings
}

// named puts the application's id into the commands.
func named(findings []Finding, application string) []Finding {
	if application != "" {
		for i := range findings {
			findings[i].Command = strings.ReplaceAll(findings[i].Command, placeholder, application)
			findings[i].Portal = strings.ReplaceAll(findings[i].Portal, placeholder, application)
		}
	}
	return findings
}

func checkClock(ctx context.Context, o Options) Finding {
	before := o.Now()
	remote, err := o.Clock(ctx)
	if err != nil {
		return Finding{
			Check: CheckClock, Severity: Note, What: "The clock could not be compared with that of Microsoft Graph: " + sentence(err),
			Why:     "Microsoft Graph was not reached: check the network, the proxy (HTTPS_PROXY), --graph and --ca-file.",
			Command: "curl -sSI https://graph.microsoft.com (or the address of --graph)",
		}
	}
	// The service has told its time somewhere between the two moments.
	return JudgeClock(before.Add(o.Now().Sub(before)/2), remote)
}

// checkTenant looks at the token first: without one, every call would say the
// same once more.
func checkTenant(ctx context.Context, o Options, tenant string) (findings []Finding) {
	d := o.Graph.Directory(tenant)
	var access graphclient.Access
	if o.Tokens {
		findings, access = checkToken(ctx, o, d)
		if Worst(findings) == Error && access.Application == "" {
			return findings
		}
	}
	findings = append(findings, CheckGraphCalls(ctx, d, o.grantee(access), o.Needs, o.Now())...)
	if access.Application == "" || access.Delegated {
		return findings
	}
	defer func() { findings = named(findings, access.Application) }()
	credentials, err := d.ApplicationCredentials(ctx, access.Application)
	if err != nil {
		return append(findings, JudgeCredentialsUnread(o.grantee(access), err))
	}
	return append(findings, JudgeCredentials(credentials, o.Credential, o.Now())...)
}

func checkToken(ctx context.Context, o Options, d *graphclient.Directory) ([]Finding, graphclient.Access) {
	access, err := d.Access(ctx)
	findings := JudgeToken(access, err, o.Credential, o.Now())
	if err != nil {
		return findings, graphclient.Access{}
	}
	return append(findings, JudgePermissions(o.grantee(access), o.Needs)...), access
}

// grantee is whom the tenant grants permissions to.
func (o Options) grantee(access graphclient.Access) Grantee {
	return Grantee{Access: access, Managed: o.Credential == "managed-identity"}
}
