package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"software.sslmate.com/src/go-pkcs12"
)

// certificate reads the file that --certificate-file names: PEM, or PFX with
// ciphers old or new. The first certificate is the one with the key.
func (c *credentialFlags) certificate() ([]*x509.Certificate, crypto.PrivateKey, error) {
	content, err := os.ReadFile(c.certificateFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w", err)
	}
	password, err := secretFrom(c.certificatePasswordFile, certificatePasswordVariable)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		certificates, key, err := azidentity.ParseCertificates(content, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("read certificate in PEM: %w", err)
		}
		return certificates, key, nil
	}
	key, certificate, chain, err := pkcs12.DecodeChain(content, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, fmt.Errorf("read certificate in PFX: the password is wrong; give it by --certificate-password-file or %s", certificatePasswordVariable)
	case err != nil:
		return nil, nil, fmt.Errorf("read certificate in PFX: %w", err)
	}
	return append([]*x509.Certificate{certificate}, chain...), key, nil
}
