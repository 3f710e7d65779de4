package tenant

import (
	"crypto/x509"
	"encoding/base64"
)

// Thumbprint is the x5t#S256 of a certificate.
func Thumbprint(c *x509.Certificate) string {
	return base64.RawURLEncoding.EncodeToString(thumbprint(c))
}

// WithoutPermission lists the operations that any token may call.
func WithoutPermission() []string {
	var names []string
	for i := range operations {
		if operations[i].roles() == nil {
			names = append(names, operations[i].name)
		}
	}
	return names
}
