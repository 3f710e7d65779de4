package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// How to give the password, and how to make a file that can be read.
const (
	givePassword = "give the password by --certificate-password-file or " + certificatePasswordVariable
	makePEM      = "put the certificate and its private key into one file"
)

// certificate reads the file that --certificate-file names: PEM, whose key may be
// encrypted, or PFX with ciphers old or new. The first certificate is the one of
// the key. The key is RSA: Entra ID takes no other.
func (c *credentialFlags) certificate() ([]*x509.Certificate, crypto.PrivateKey, error) {
	content, err := os.ReadFile(c.certificateFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w", err)
	}
	password, err := secretFrom(c.certificatePasswordFile, certificatePasswordVariable)
	if err != nil {
		return nil, nil, err
	}
	certificates, key, err := readCertificate(content, password)
	if err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w", err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("read certificate: the key is not RSA; Entra ID takes no other for an application")
	}
	for i, one := range certificates {
		if private.PublicKey.Equal(one.PublicKey) {
			certificates[0], certificates[i] = certificates[i], certificates[0]
			return certificates, key, nil
		}
	}
	return nil, nil, errors.New("read certificate: the private key belongs to another certificate")
}

func readCertificate(content []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		return readPEM(content, password)
	}
	key, certificate, chain, err := pkcs12.DecodeChain(content, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && password == "":
		return nil, nil, errors.New("the PFX has a password: " + givePassword)
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, errors.New("the password of the PFX is wrong: " + givePassword)
	case err != nil:
		if _, lone := x509.ParseCertificate(content); lone == nil {
			return nil, nil, errors.New("the file holds no private key: " + makePEM)
		}
		return nil, nil, fmt.Errorf("the file is neither PEM nor a PFX that can be read: %w", err)
	}
	return append([]*x509.Certificate{certificate}, chain...), key, nil
}

// readPEM reads all certificates of the file and its one private key.
func readPEM(content []byte, password string) (certificates []*x509.Certificate, key crypto.PrivateKey, err error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("parse PEM: %w", err)
			}
			certificates = append(certificates, certificate)
			continue
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // such as the parameters of an elliptic curve
		}
		if key != nil {
			return nil, nil, errors.New("the file holds more than one private key")
		}
		if key, err = readKey(block, password); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case len(certificates) == 0:
		return nil, nil, errors.New("the file holds no certificate: " + makePEM)
	case key == nil:
		return nil, nil, errors.New("the file holds no private key: " + makePEM)
	}
	return certificates, key, nil
}

// readKey reads a private key of one of the forms that openssl writes: PKCS #8,
// encrypted or not (RFC 5958), PKCS #1 and SEC 1.
func readKey(block *pem.Block, password string) (key crypto.PrivateKey, err error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the private key is encrypted in the old way: convert it by openssl pkcs8 -topk8 -in OLD -out NEW")
	}
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, errors.New("the private key is encrypted: " + givePassword)
		}
		return decryptKey(block.Bytes, password)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	return key, nil
}

// decryptKey decrypts a key in PKCS #8. The library panics at data that is not
// made of whole blocks, which only a damaged file holds.
func decryptKey(der []byte, password string) (key crypto.PrivateKey, err error) {
	defer func() {
		if recover() != nil {
			key, err = nil, errors.New("the private key can't be decrypted: the file is damaged")
		}
	}()
	key, err = pkcs8.ParsePKCS8PrivateKey(der, []byte(password))
	if err != nil {
		return nil, errors.New("the private key can't be decrypted, so the password is wrong: " + givePassword)
	}
	return key, nil
}
