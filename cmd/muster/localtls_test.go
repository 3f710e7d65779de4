package main

import (
	"crypto/x509"
	"net"
	"testing"
)

func TestTheCertificateIsForEveryNameThatIsAsked(t *testing.T) {
	t.Parallel()
	config, ca, err := loopbackCertificate(net.IPv4(127, 0, 0, 9), []string{"ns.servicebus.example"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "127.0.0.9", "ns.servicebus.example"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
