package main_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"strings"
	"testing"
)

// ellipticPEM is a certificate with a key that Entra ID does not take.
func ellipticPEM(t *testing.T) string {
	t.Helper()
	certificate, ca := serverCertificate(t)
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return ca + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// damagedKeyPEM is an encrypted key whose last byte is lost.
func damagedKeyPEM(t *testing.T) string {
	t.Helper()
	block, _ := pem.Decode([]byte(encryptedKeyPEM(t, "invented")))
	var encrypted struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(block.Bytes, &encrypted); err != nil {
		t.Fatal(err)
	}
	encrypted.Data = encrypted.Data[:len(encrypted.Data)-1]
	der, err := asn1.Marshal(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}))
}

func TestCredentialUsage(t *testing.T) {
	t.Parallel()
	nonsense := writeFile(t, "not.pem", "nonsense")
	_, ca := serverCertificate(t)
	certificate, certificatePEM := appCertificate(t)
	encrypted := writeFile(t, "encrypted.pem", certificatePEM+encryptedKeyPEM(t, "invented"))
	oldDress := writeFile(t, "old.pem", certificatePEM+string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")})))
	withCertificate := func(file string, more ...string) []string {
		return append([]string{"--credential", "certificate", "--tenant-id", "a", "--client-id", "b", "--certificate-file", file}, more...)
	}
	for _, test := range []struct {
		name string
		env  []string
		args []string
		code int
		says []string
	}{
		{"unknown", nil, []string{"--credential", "password"}, 2, []string{"password", "client-secret, certificate"}},
		{"all that is missing", nil, []string{"--credential", "certificate"}, 2, []string{"--tenant-id", "--client-id", "--certificate-file (or MUSTER_CERTIFICATE_FILE)"}},
		{"no secret", nil, []string{"--credential", "client-secret", "--tenant-id", "a", "--client-id", "b"}, 2, []string{"--client-secret-file or MUSTER_CLIENT_SECRET"}},
		{"two secrets", []string{"MUSTER_CLIENT_SECRET=x"}, []string{"--credential", "client-secret", "--tenant-id", "a", "--client-id", "b", "--client-secret-file", "y"}, 2, []string{"either"}},
		{"a flag of another kind", nil, []string{"--client-secret-file", "x"}, 2, []string{"--credential default takes no --client-secret-file"}},
		{"a flag of another kind that says nothing", []string{"MUSTER_CLIENT_SECRET_FILE=x"}, []string{"--client-secret-file", "", "--credential", "client-secret"}, 2, []string{"needs either --client-secret-file or MUSTER_CLIENT_SECRET"}},
		{"authority without TLS", nil, []string{"--authority", "http://127.0.0.1:1"}, 2, []string{"--authority"}},
		{"no certificates to trust", nil, []string{"--ca-file", nonsense}, 2, []string{"no certificate in PEM"}},
		{"no such secret", nil, []string{"--credential", "client-secret", "--tenant-id", "a", "--client-id", "b", "--client-secret-file", "missing"}, 1, []string{"read secret"}},
		{"certificate that is none", nil, []string{"--credential", "certificate", "--tenant-id", "a", "--client-id", "b", "--certificate-file", nonsense}, 1, []string{"PFX"}},
		{"certificate without its key", nil, withCertificate(writeFile(t, "ca.pem", ca)), 1, []string{"no private key"}},
		{"certificate in DER", nil, withCertificate(writeFile(t, "app.cer", string(certificate.Raw))), 1, []string{"no private key", "into one file"}},
		{"key without its certificate", nil, withCertificate(writeFile(t, "key.pem", keyPEM(t))), 1, []string{"no certificate"}},
		{"key of another certificate", nil, withCertificate(writeFile(t, "both.pem", ca+keyPEM(t))), 1, []string{"belongs to another certificate"}},
		{"two keys", nil, withCertificate(writeFile(t, "both.pem", certificatePEM+keyPEM(t)+keyPEM(t))), 1, []string{"more than one private key"}},
		{"elliptic key", nil, withCertificate(writeFile(t, "ec.pem", ellipticPEM(t))), 1, []string{"not RSA"}},
		{"encrypted key without a password", nil, withCertificate(encrypted), 1, []string{"is encrypted", "MUSTER_CERTIFICATE_PASSWORD"}},
		{"encrypted key and a wrong password", []string{"MUSTER_CERTIFICATE_PASSWORD=x"}, withCertificate(encrypted), 1, []string{"the password is wrong"}},
		{"encrypted key, damaged", []string{"MUSTER_CERTIFICATE_PASSWORD=invented"}, withCertificate(writeFile(t, "damaged.pem", certificatePEM+damagedKeyPEM(t))), 1, []string{"is damaged"}},
		{"key encrypted in the old way", []string{"MUSTER_CERTIFICATE_PASSWORD=x"}, withCertificate(oldDress), 1, []string{"openssl pkcs8 -topk8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"apply", writeFile(t, "users.csv", rows(1)), "--tenant", "a.example", "--graph", "https://127.0.0.1:1"}, test.args...)
			r := muster(t, test.env, "", args...).expect(t, test.code)
			for _, says := range test.says {
				if !strings.Contains(r.stderr, says) {
					t.Errorf("stderr does not say %q: %s", says, r.stderr)
				}
			}
		})
	}
}
