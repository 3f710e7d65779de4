package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
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
	managementFlag
	graphFlags
	tenants      []string
	capabilities []string
	rights       []string
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
worker's are checked, and a missing permission is an error for each; of user-show and
the report's, which leave out what they may not read, it is a warning. Without
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
	f.managementFlag.add(cmd)
	f.graphFlags.add(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.tenants, "tenant", nil, "tenants to check, by id or domain, separated by commas; default: --tenant-id")
	fs.StringSliceVar(&f.capabilities, "capabilities", nil, "capabilities to check: "+strings.Join(doctorCapabilities(), ", ")+", or all; default: the worker's, the first five")
	fs.StringSliceVar(&f.rights, "queue-rights", []string{doctor.RightListen}, "rights on the queue that are needed: listen for worker, send for load and publish; the lack of the other one is a note")
	fs.DurationVar(&f.timeout, "timeout", time.Minute, "how long all of it may take")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	return cmd
}

func runDoctor(cmd *cobra.Command, p *process, f *doctorFlags) error {
	if err := f.validate(cmd, p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	o, err := f.options(p)
	if err != nil {
		return err
	}
	if o.Graph != nil {
		defer o.Graph.Close()
	}
	if f.servicebus != "" {
		closing, err := f.queueChecks(cmd, p, &o)
		if err != nil {
			return err
		}
		defer closing()
	}
	findings := doctor.Check(ctx, o)
	if cmd.Context().Err() != nil {
		return fmt.Errorf("interrupted before it was done: %w", cmd.Context().Err())
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

// queueChecks adds those of the queue. The function that it returns ends their
// connections.
func (f *doctorFlags) queueChecks(cmd *cobra.Command, p *process, o *doctor.Options) (func(), error) {
	if err := required(cmd, "queue"); err != nil {
		return nil, err
	}
	where, err := f.namespace(cmd, p)
	switch {
	case errors.Is(err, errUsage):
		return nil, err
	case err != nil && o.CredentialError == nil: // else the namespace lacks nothing but the credential
		o.QueueError = err
		fallthrough
	case err != nil:
		return func() {}, nil
	}
	manager, err := f.manager(where)
	if err != nil {
		return nil, err
	}
	namespace, err := openNamespace(where)
	if err != nil {
		manager.Close()
		return nil, err
	}
	o.Listen = func(ctx context.Context) (doctor.Reach, error) { return reach(namespace.CanListen(ctx, f.queue)) }
	o.Send = func(ctx context.Context) (doctor.Reach, error) { return reach(namespace.CanSend(ctx, f.queue)) }
	o.Properties = func(ctx context.Context) (doctor.QueueProperties, doctor.Reach, error) {
		properties, err := manager.Queue(ctx, f.queue)
		r, err := reach(err)
		return doctor.QueueProperties(properties), r, err
	}
	return func() {
		manager.Close()
		p.closing(cmd.Context(), namespace.Close)
	}, nil
}

// deviceCodeTimeout leaves a person the time in which a device code is good.
const deviceCodeTimeout = 16 * time.Minute

// validate fills in what depends on other flags, and reports every fault at once.
func (f *doctorFlags) validate(cmd *cobra.Command, p *process) error {
	if len(f.tenants) == 0 && p.credential.tenantID != "" {
		f.tenants = []string{p.credential.tenantID}
	}
	if p.credential.kind == credentialDeviceCode && !cmd.Flags().Changed("timeout") {
		f.timeout = deviceCodeTimeout
	}
	var faults []error
	if len(f.tenants) == 0 {
		faults = append(faults, fmt.Errorf("--tenant (or %s) is missing", environmentName("tenant")))
	}
	for _, t := range f.tenants {
		if !tenantName.MatchString(t) {
			faults = append(faults, fmt.Errorf("--tenant %q is neither an id nor a domain", t))
		}
	}
	for _, r := range f.rights {
		if r != doctor.RightListen && r != doctor.RightSend {
			faults = append(faults, fmt.Errorf("--queue-rights %q: use %s, %s or %[2]s,%[3]s", r, doctor.RightListen, doctor.RightSend))
		}
	}
	if f.servicebus == "" && f.queue != "" {
		faults = append(faults, fmt.Errorf("--servicebus (or %s) is missing, and --queue is not", environmentName("servicebus")))
	}
	if f.timeout <= 0 {
		faults = append(faults, fmt.Errorf("--timeout is %v; it must be positive", f.timeout))
	}
	if _, err := needsOf(f.capabilities); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return usageError("%w", err)
	}
	return nil
}

// tenantName is what azidentity takes for the id or the domain of a tenant.
var tenantName = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// options are those of the checks, as far as the flags say. A credential that
// can't be made is for the doctor to tell of.
func (f *doctorFlags) options(p *process) (doctor.Options, error) {
	needs, err := needsOf(f.capabilities)
	if err != nil {
		return doctor.Options{}, err
	}
	o := doctor.Options{Tenants: f.tenants, Needs: needs, Application: p.credential.clientID, Credential: p.credential.kind}
	o.Queue = doctor.Queue{Name: f.queue, Key: servicebus.IsConnectionString(f.servicebus) || strings.HasPrefix(f.servicebus, "@"), Rights: f.rights}
	where, err := p.credential.where()
	if err != nil {
		return o, err
	}
	endpoint := cmp.Or(f.endpoint, where.Endpoint)
	o.Clock = func(ctx context.Context) (time.Time, error) { return p.credential.timeAt(ctx, endpoint) }
	client, err := f.client(p)
	switch {
	case errors.Is(err, errUsage):
		return o, err
	case err != nil:
		o.CredentialError = err
		return o, nil
	}
	o.Graph, o.Tokens = client, client.NeedsToken()
	if o.Tokens {
		o.CertificateEnd, err = p.credential.certificateEnd()
	}
	return o, err
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
	case errors.Is(err, servicebus.ErrSessionRequired):
		return doctor.QueueOfSessions, err
	case errors.Is(err, servicebus.ErrDisabled):
		return doctor.QueueDisabled, err
	case errors.Is(err, servicebus.ErrNotAllowed):
		return doctor.QueueRefused, err
	case errors.Is(err, servicebus.ErrNotAQueue):
		return doctor.NotAQueue, err
	}
	return doctor.Unreachable, err
}

const allCapabilities = "all"

// doctorNeeds are the needs of all capabilities, the worker's first.
func doctorNeeds() []doctor.Need {
	var needs []doctor.Need
	for _, c := range worker.Capabilities() {
		needs = append(needs, doctor.Need{Capability: c.Name, Missing: c.Missing})
	}
	return append(needs, doctor.FurtherNeeds()...)
}

func doctorCapabilities() []string {
	var names []string
	for _, n := range doctorNeeds() {
		names = append(names, n.Capability)
	}
	return names
}

// needsOf turns names of capabilities into what they need; none stands for all of
// a worker's.
func needsOf(names []string) ([]doctor.Need, error) {
	known := doctorNeeds()
	if len(names) == 0 {
		return known[:len(worker.Capabilities())], nil
	}
	if slices.Contains(names, allCapabilities) {
		return known, nil
	}
	var needs []doctor.Need
	for _, n := range known {
		if slices.Contains(names, n.Capability) {
			needs = append(needs, n)
		}
	}
	for _, name := range names {
		if !slices.Contains(doctorCapabilities(), name) {
			return nil, fmt.Errorf("capability %q: use %s, or %s", name, strings.Join(doctorCapabilities(), ", "), allCapabilities)
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
