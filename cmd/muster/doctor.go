package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

type doctorFlags struct {
	queueFlags
	graphFlags
	tenants      []string
	capabilities []string
	timeout      time.Duration
	asJSON       bool
}

func newDoctor(p *process) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out before a run what would go wrong in it",
		Long: `Check the credential, the permissions, Microsoft Graph, the queue and the clock.

Nothing is written, no message is taken and none is sent. One user of the tenant is
read, of whom nothing is kept or shown. Every finding says why it matters and how to
mend it, in the portal and on a command line.

Name the capabilities that you mean to use: without --capabilities all of the
worker's are checked, and a missing permission is an error for each. Without
--servicebus the queue is left out.

Exit codes:
  0    all is well, or worth no more than a note
  1    errors: a run would fail or wait
  2    the command line or an environment variable is wrong
  3    warnings, and no errors
  130  interrupted before it was done`,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd, p, &f) }),
	}
	f.queueFlags.add(cmd)
	f.graphFlags.add(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.tenants, "tenant", nil, "tenants to check, by id or domain, separated by commas; default: --tenant-id")
	fs.StringSliceVar(&f.capabilities, "capabilities", nil, "capabilities to check: "+strings.Join(doctorCapabilities(), ", ")+"; default: all but report")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "how long all of it may take")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	return cmd
}

func runDoctor(cmd *cobra.Command, p *process, f *doctorFlags) (err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	needs, err := needsOf(f.capabilities)
	if err != nil {
		return err
	}
	o, err := f.options(p, needs)
	if err != nil {
		return err
	}
	if f.servicebus != "" {
		namespace, err := f.open(cmd, p)
		if err != nil {
			return err
		}
		defer p.closing(cmd.Context(), namespace.Close)
		o.Queue = f.queue
		o.Listen = func(ctx context.Context) (doctor.Reach, error) { return reach(namespace.CanListen(ctx, f.queue)) }
		o.Send = func(ctx context.Context) (doctor.Reach, error) { return reach(namespace.CanSend(ctx, f.queue)) }
	}
	findings := doctor.Check(ctx, o)
	if cmd.Context().Err() != nil {
		return cmd.Context().Err()
	}
	if err := printFindings(cmd.OutOrStdout(), findings, f.asJSON); err != nil {
		return err
	}
	switch doctor.Worst(findings) {
	case doctor.Error:
		return fmt.Errorf("doctor has found errors: %d", doctor.Count(findings, doctor.Error))
	case doctor.Warning:
		return errPartly
	}
	return nil
}

// options are those of the checks, as far as the flags say.
func (f *doctorFlags) options(p *process, needs []doctor.Need) (doctor.Options, error) {
	tenants := f.tenants
	if len(tenants) == 0 && p.credential.tenantID != "" {
		tenants = []string{p.credential.tenantID}
	}
	if len(tenants) == 0 {
		return doctor.Options{}, usageError("--tenant (or %s) is missing", environmentName("tenant"))
	}
	client, err := f.client(p)
	if err != nil {
		return doctor.Options{}, err
	}
	end, err := p.credential.certificateEnd()
	if err != nil {
		return doctor.Options{}, err
	}
	return doctor.Options{
		Graph: client, Tenants: tenants, Tokens: client.NeedsToken(), Needs: needs,
		Application: p.credential.clientID, ManagedIdentity: p.credential.kind == credentialManagedIdentity, CertificateEnd: end,
		Clock: func(ctx context.Context) (time.Time, error) { return p.credential.timeAt(ctx, client.Endpoint()) },
	}, nil
}

// certificateEnd is the end of the certificate of --certificate-file.
func (c *credentialFlags) certificateEnd() (time.Time, error) {
	if c.kind != credentialCertificate {
		return time.Time{}, nil
	}
	certificates, _, err := c.certificate()
	if err != nil {
		return time.Time{}, err
	}
	return certificates[0].NotAfter, nil
}

// timeAt asks a service for its time: every reply has it, a refusal as well.
func (c *credentialFlags) timeAt(ctx context.Context, endpoint string) (time.Time, error) {
	roots, err := c.roots()
	if err != nil {
		return time.Time{}, err
	}
	transport := newTokenTransport(roots)
	defer transport.client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, endpoint+"/v1.0/", nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	resp, err := transport.client.Do(r)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", err)
	}
	defer resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errors.New("the reply has no date")
	}
	return at, nil
}

// reach tells the doctor in its own words how a queue answered.
func reach(err error) (doctor.Reach, error) {
	switch {
	case err == nil:
		return doctor.Reached, nil
	case errors.Is(err, servicebus.ErrQueueNotFound):
		return doctor.QueueMissing, err
	case errors.Is(err, servicebus.ErrUnauthorized):
		return doctor.QueueForbidden, err
	}
	return doctor.Unreachable, err
}

// reportNeed is what muster report needs; without a part of it, the report lacks
// a part.
func reportNeed() doctor.Need {
	return doctor.Need{Capability: doctor.CapabilityReport, Optional: true, Missing: func(granted []string) []string {
		var missing []string
		for _, accepted := range [][]string{
			{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
			{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
			{"Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod"},
			{"AuditLog.Read.All"},
		} {
			if !slices.ContainsFunc(accepted, func(p string) bool { return slices.Contains(granted, p) }) {
				missing = append(missing, accepted[0])
			}
		}
		return missing
	}}
}

func doctorCapabilities() []string {
	var names []string
	for _, c := range worker.Capabilities() {
		names = append(names, c.Name)
	}
	return append(names, doctor.CapabilityReport)
}

// needsOf turns names of capabilities into what they need; none stands for all of
// a worker's.
func needsOf(names []string) ([]doctor.Need, error) {
	var needs []doctor.Need
	for _, c := range worker.Capabilities() {
		if len(names) == 0 || slices.Contains(names, c.Name) {
			needs = append(needs, doctor.Need{Capability: c.Name, Missing: c.Missing})
		}
	}
	if slices.Contains(names, doctor.CapabilityReport) {
		needs = append(needs, reportNeed())
	}
	for _, name := range names {
		if !slices.Contains(doctorCapabilities(), name) {
			return nil, usageError("capability %q: use %s", name, strings.Join(doctorCapabilities(), ", "))
		}
	}
	return needs, nil
}

func printFindings(w io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Worst    doctor.Severity  `json:"worst"`
			Findings []doctor.Finding `json:"findings"`
		}{doctor.Worst(findings), findings})
	}
	var b strings.Builder
	tenant := ""
	for _, f := range findings {
		if f.Tenant != tenant && f.Tenant != "" {
			fmt.Fprintf(&b, "\nTenant %s\n", f.Tenant)
		} else if f.Tenant != tenant {
			fmt.Fprintln(&b)
		}
		tenant = f.Tenant
		fmt.Fprintf(&b, "%-8s %s\n", f.Severity, f.What)
		for _, line := range []struct{ name, text string }{{"why", f.Why}, {"mend", f.Portal}, {"or", f.Command}} {
			if line.text != "" {
				fmt.Fprintf(&b, "         %-5s %s\n", line.name+":", line.text)
			}
		}
	}
	fmt.Fprintf(&b, "\nerrors: %d, warnings: %d, notes: %d, ok: %d\n", doctor.Count(findings, doctor.Error), doctor.Count(findings, doctor.Warning),
		doctor.Count(findings, doctor.Note), doctor.Count(findings, doctor.OK))
	_, err := io.WriteString(w, b.String())
	return err
}
