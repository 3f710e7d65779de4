package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/worker"
)

// localApplication is the id of the application that muster local knows.
const localApplication = "6e1d2f0a-7c4b-4b8e-9a51-0c2d3e4f5a6b"

// localTLSFlags make muster local a rehearsal of credentials too.
type localTLSFlags struct {
	folder         string
	names          []string
	grants         []string
	certificate    string
	secretLifetime time.Duration
	tokenLifetime  time.Duration
}

func (f *localTLSFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.folder, "tls", "", "serve the tenant over TLS, with a token service, and take nothing but its tokens; the certificate to trust (ca.pem) and the application's secret (client-secret) are written to this folder")
	fs.StringArrayVar(&f.names, "tls-name", nil, "with --tls: a further name that the certificate is for, one that /etc/hosts leads here; may be repeated")
	fs.StringSliceVar(&f.grants, "grant", everyPermission(), "with --tls: application permissions that the application has, separated by commas")
	fs.StringVar(&f.certificate, "app-certificate", "", "with --tls: register the certificate in this PEM file with the application")
	fs.DurationVar(&f.secretLifetime, "secret-lifetime", 180*24*time.Hour, "with --tls: how long the application's secret is good")
	fs.DurationVar(&f.tokenLifetime, "token-lifetime", tenant.DefaultTokenLifetime, "with --tls: how long access tokens live")
}

// rehearsal is what --tls adds to a tenant.
type rehearsal struct {
	config             *tls.Config
	caFile, secretFile string
	clientID           string
	application        tenant.Application
	lifetime           time.Duration
}

// rehearsal returns nil without --tls.
func (f *localTLSFlags) rehearsal(cmd *cobra.Command, host string) (*rehearsal, error) {
	if f.folder == "" {
		for _, name := range []string{"tls-name", "grant", "app-certificate", "secret-lifetime", "token-lifetime"} {
			if onCommandLine(cmd, name) {
				return nil, usageError("--%s means nothing without --tls", name)
			}
		}
		return nil, nil
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return nil, usageError("--tls makes certificates for loopback only, and --host is %s", host)
	}
	if err := os.MkdirAll(f.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for certificates: %w", err)
	}
	config, ca, err := loopbackCertificate(ip, f.names)
	if err != nil {
		return nil, err
	}
	secret := rand.Text()
	r := &rehearsal{
		config: config, clientID: localApplication, lifetime: f.tokenLifetime,
		caFile: filepath.Join(f.folder, "ca.pem"), secretFile: filepath.Join(f.folder, "client-secret"),
		application: tenant.Application{
			ID: localApplication, DisplayName: "muster", Roles: f.grants, Scopes: f.grants,
			Secrets: []tenant.Secret{{Name: "rehearsal", Value: secret, Expires: time.Now().Add(f.secretLifetime)}},
		},
	}
	if f.certificate != "" {
		text, err := os.ReadFile(f.certificate)
		if err != nil {
			return nil, fmt.Errorf("read the application's certificate: %w", err)
		}
		r.application.Certificates = []string{firstCertificate(text)}
	}
	for name, content := range map[string]string{r.caFile: ca, r.secretFile: secret + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("write file for clients: %w", err)
		}
	}
	return r, nil
}

// firstCertificate leaves out the private key that a PEM file may hold.
func firstCertificate(text []byte) string {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return string(pem.EncodeToMemory(block))
		}
	}
	return ""
}

// loopbackCertificate makes an authority of its own and a certificate for
// loopback: for its usual addresses, the one that is listened on, and names. The
// authority's key is gone at once, so nothing else can be made with it.
func loopbackCertificate(own net.IP, names []string) (config *tls.Config, ca string, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("make key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("make key: %w", err)
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "muster local"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    append([]string{"localhost"}, names...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, own},
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return nil, "", fmt.Errorf("make certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, "", fmt.Errorf("make certificate: %w", err)
	}
	config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h2", "http/1.1"}}
	return config, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})), nil
}

// exports are the lines for another terminal that rehearses credentials.
func (r *rehearsal) exports(address, tenantID string) string {
	return strings.Join([]string{
		"  export MUSTER_AUTHORITY=" + address + " MUSTER_CA_FILE=" + quoted(r.caFile),
		"  export MUSTER_CREDENTIAL=client-secret MUSTER_TENANT_ID=" + tenantID,
		"  export MUSTER_CLIENT_ID=" + r.clientID + " MUSTER_CLIENT_SECRET_FILE=" + quoted(r.secretFile), "",
	}, "\n")
}

// everyPermission lists the application permissions with which all that Muster
// does is allowed.
func everyPermission() []string {
	all := []string{"Application.Read.All", "AuditLog.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory"}
	for _, c := range worker.Capabilities() {
		all = append(all, c.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
