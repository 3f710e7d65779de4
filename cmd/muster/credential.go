package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
)

// The kinds of credential.
const (
	credentialDefault         = "default"
	credentialSecret          = "client-secret"
	credentialCertificate     = "certificate"
	credentialWorkload        = "workload-identity"
	credentialManagedIdentity = "managed-identity"
	credentialDeviceCode      = "device-code"
	credentialAzureCLI        = "azure-cli"
)

// The environment variables that hold a secret; no flag does.
const (
	clientSecretVariable        = environmentPrefix + "CLIENT_SECRET"
	certificatePasswordVariable = environmentPrefix + "CERTIFICATE_PASSWORD"
)

type credentialKind struct {
	name         string
	takes, needs []string // flags
}

// credentialUse says, for every kind, which of the flags it takes and which it
// can't do without.
var credentialUse = []credentialKind{
	{credentialDefault, []string{"tenant-id"}, nil},
	{credentialSecret, []string{"client-secret-file"}, []string{"tenant-id", "client-id"}},
	{credentialCertificate, []string{"certificate-password-file"}, []string{"tenant-id", "client-id", "certificate-file"}},
	{credentialWorkload, []string{"tenant-id", "client-id", "federated-token-file"}, nil},
	{credentialManagedIdentity, []string{"client-id"}, nil},
	{credentialDeviceCode, []string{"tenant-id"}, []string{"client-id"}},
	{credentialAzureCLI, []string{"tenant-id"}, nil},
}

func credentialKinds() []string {
	var kinds []string
	for _, u := range credentialUse {
		kinds = append(kinds, u.name)
	}
	return kinds
}

// credentialFlags say who Muster is, to Graph and to Service Bus alike.
type credentialFlags struct {
	kind                                     string
	tenantID, clientID                       string
	secretFile                               string
	certificateFile, certificatePasswordFile string
	federatedTokenFile                       string
	authority, caFile                        string
	cloud                                    string

	cmd    *cobra.Command
	once   sync.Once
	cached azcore.TokenCredential
	err    error
}

// addCredentialFlags adds the flags to a command, once: a command for a queue and
// for Graph signs in to both with the same credential.
func addCredentialFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	if f.Lookup("credential") != nil {
		return
	}
	f.String("cloud", "global", "cloud: global, usgov, dod or china")
	f.String("credential", credentialDefault, "how to sign in: "+strings.Join(credentialKinds(), ", ")+"; default: whatever the environment offers")
	f.String("tenant-id", "", "id or domain of the application's home tenant; commands name the tenants that they are for")
	f.String("client-id", "", "application (client) id")
	f.String("client-secret-file", "", "file with the client secret; or give it in "+clientSecretVariable)
	f.String("certificate-file", "", "file with the certificate and its private key, PEM or PFX")
	f.String("certificate-password-file", "", "file with the password of the PFX or of the encrypted key; or give it in "+certificatePasswordVariable)
	f.String("federated-token-file", "", "file with the token of a workload identity; default: AZURE_FEDERATED_TOKEN_FILE")
	f.String("authority", "", "address of the token service; default: that of --cloud")
	f.String("ca-file", "", "file with certificates in PEM of authorities to trust besides the system's")
}

// readCredentialFlags returns nil for a command without such flags.
func readCredentialFlags(cmd *cobra.Command) *credentialFlags {
	f := cmd.Flags()
	if f.Lookup("credential") == nil {
		return nil
	}
	text := func(name string) string { return f.Lookup(name).Value.String() }
	return &credentialFlags{
		kind: text("credential"), tenantID: text("tenant-id"), clientID: text("client-id"),
		secretFile: text("client-secret-file"), certificateFile: text("certificate-file"),
		certificatePasswordFile: text("certificate-password-file"), federatedTokenFile: text("federated-token-file"),
		authority: text("authority"), caFile: text("ca-file"), cloud: text("cloud"), cmd: cmd,
	}
}

// validate reports every fault at once.
func (c *credentialFlags) validate() error {
	i := slices.IndexFunc(credentialUse, func(u credentialKind) bool { return u.name == c.kind })
	if i < 0 {
		return usageError("credential %q: use %s", c.kind, strings.Join(credentialKinds(), ", "))
	}
	use := credentialUse[i]
	var faults []error
	for _, name := range use.needs {
		if c.cmd.Flags().Lookup(name).Value.String() == "" {
			faults = append(faults, fmt.Errorf("--credential %s needs --%s (or %s)", c.kind, name, environmentName(name)))
		}
	}
	for _, name := range []string{"client-secret-file", "certificate-file", "certificate-password-file", "federated-token-file"} {
		if f := c.cmd.Flags().Lookup(name); f.Value.String() != "" && !slices.Contains(use.takes, name) && !slices.Contains(use.needs, name) {
			faults = append(faults, fmt.Errorf("--credential %s takes no --%s", c.kind, name))
		}
	}
	if c.kind == credentialSecret && (c.secretFile == "") == (os.Getenv(clientSecretVariable) == "") {
		faults = append(faults, fmt.Errorf("--credential %s needs either --client-secret-file or %s", c.kind, clientSecretVariable))
	}
	if u, err := url.Parse(c.authority); c.authority != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		faults = append(faults, errors.New("--authority is not an https address"))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError("%w", err)
	}
	return nil
}

// where is the cloud that the flags name.
func (c *credentialFlags) where() (graphclient.Cloud, error) {
	where, ok := graphclient.CloudNamed(c.cloud)
	if !ok {
		return where, usageError("cloud %q: use global, usgov, dod or china", c.cloud)
	}
	return where, nil
}

// token returns the credential, the same for all who ask.
func (c *credentialFlags) token() (azcore.TokenCredential, error) {
	c.once.Do(func() { c.cached, c.err = c.build() })
	return c.cached, c.err
}

func (c *credentialFlags) build() (azcore.TokenCredential, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	where, err := c.where()
	if err != nil {
		return nil, err
	}
	if c.authority != "" {
		where.Authority = strings.TrimRight(c.authority, "/")
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	credential, err := c.sdk(azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: where.Authority},
		Transport: newTokenTransport(roots),
		// A longer Retry-After is for graphclient to obey: it lets nobody wait
		// in the dark.
		Retry: policy.RetryOptions{MaxRetries: 2, MaxRetryDelay: 5 * time.Second},
	}, !isKnownAuthority(where.Authority))
	if err != nil {
		return nil, fmt.Errorf("make credential %s: %w", c.kind, err)
	}
	return &tokenCredential{credential}, nil
}

// sdk makes azidentity's credential. private is for an authority that Microsoft's
// own does not vouch for.
func (c *credentialFlags) sdk(o azcore.ClientOptions, private bool) (azcore.TokenCredential, error) {
	everywhere := []string{"*"}
	switch c.kind {
	case credentialSecret:
		secret, err := secretFrom(c.secretFile, clientSecretVariable)
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientSecretCredential(c.tenantID, c.clientID, secret, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: o, DisableInstanceDiscovery: private, AdditionallyAllowedTenants: everywhere,
		})
	case credentialCertificate:
		certificates, key, err := c.certificate()
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientCertificateCredential(c.tenantID, c.clientID, certificates, key, &azidentity.ClientCertificateCredentialOptions{
			ClientOptions: o, DisableInstanceDiscovery: private, AdditionallyAllowedTenants: everywhere,
		})
	case credentialWorkload:
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: o, DisableInstanceDiscovery: private, AdditionallyAllowedTenants: everywhere,
			ClientID: c.clientID, TenantID: c.tenantID, TokenFilePath: c.federatedTokenFile,
		})
	case credentialManagedIdentity:
		opts := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
		if c.clientID != "" {
			opts.ID = azidentity.ClientID(c.clientID)
		}
		return azidentity.NewManagedIdentityCredential(opts)
	case credentialDeviceCode:
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: o, DisableInstanceDiscovery: private, AdditionallyAllowedTenants: everywhere,
			ClientID: c.clientID, TenantID: c.tenantID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				_, err := fmt.Fprintln(c.cmd.ErrOrStderr(), m.Message)
				return err
			},
		})
	case credentialAzureCLI:
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: c.tenantID, AdditionallyAllowedTenants: everywhere})
	}
	return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: o, DisableInstanceDiscovery: private, AdditionallyAllowedTenants: everywhere, TenantID: c.tenantID,
	})
}

// isKnownAuthority tells whether Microsoft's token service vouches for the host.
func isKnownAuthority(authority string) bool {
	return slices.ContainsFunc(graphclient.Clouds(), func(known graphclient.Cloud) bool { return known.Authority == authority })
}

// secretFrom reads a secret from the file, or from the variable where there is no
// file.
func secretFrom(file, variable string) (string, error) {
	if file == "" {
		return os.Getenv(variable), nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// roots returns what to trust, nil for what the system trusts.
func (c *credentialFlags) roots() (*x509.CertPool, error) {
	if c.caFile == "" {
		return nil, nil
	}
	content, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("read certificates of authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, usageError("--ca-file %s holds no certificate in PEM", c.caFile)
	}
	return pool, nil
}

// isLoopbackHTTP tells an endpoint that needs no token: a simulated tenant.
func isLoopbackHTTP(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Scheme == "http"
}

// secretVariables are the variables of ours that belong to no flag.
func secretVariables() []string {
	return []string{clientSecretVariable, certificatePasswordVariable}
}
