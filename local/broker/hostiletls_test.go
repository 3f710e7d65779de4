package broker_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// certified is a configuration of a server with TLS. It gives no tickets, so that
// nothing comes after the handshake that nobody has asked for.
func certified() *tls.Config {
	authority := httptest.NewTLSServer(nil) // for its certificate
	defer authority.Close()
	return &tls.Config{Certificates: authority.TLS.Certificates, SessionTicketsDisabled: true}
}

// tlsOn speaks TLS over a connection as a client that trusts everybody.
func tlsOn(t *testing.T, conn net.Conn, keys io.Writer) *tls.Conn {
	t.Helper()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: keys})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// demandKeys is a record that asks the server for new keys (RFC 8446, section 4.6.3),
// which it has to answer, as the first one after the handshake.
func demandKeys(t *testing.T, c *tls.Conn, log string) []byte {
	t.Helper()
	_, secret, found := strings.Cut(log, "CLIENT_TRAFFIC_SECRET_0 ")
	fields := strings.Fields(secret)
	if !found || len(fields) < 2 {
		t.Fatal("no secret is in the log")
	}
	key, err := hex.DecodeString(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	expand := func(label string, size int) []byte {
		info := binary.BigEndian.AppendUint16(nil, uint16(size))
		info = append(append(info, byte(len("tls13 ")+len(label))), "tls13 "+label...)
		b, err := hkdf.Expand(sha256.New, key, string(append(info, 0)), size)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var seal cipher.AEAD
	switch suite := c.ConnectionState().CipherSuite; suite {
	case tls.TLS_AES_128_GCM_SHA256:
		var block cipher.Block
		if block, err = aes.NewCipher(expand("key", 16)); err == nil {
			seal, err = cipher.NewGCM(block)
		}
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		seal, err = chacha20poly1305.New(expand("key", chacha20poly1305.KeySize))
	default:
		t.Fatalf("cipher suite %s", tls.CipherSuiteName(suite))
	}
	if err != nil {
		t.Fatal(err)
	}
	const applicationData, handshake, keyUpdate, requested = 23, 22, 24, 1
	plain := []byte{keyUpdate, 0, 0, 1, requested, handshake}
	head := []byte{applicationData, 3, 3, 0, byte(len(plain) + seal.Overhead())}
	return seal.Seal(head, expand("iv", seal.NonceSize()), plain, head)
}

// A peer that reads nothing over TLS is cut off when the server stops, as soon as over
// TCP.
func TestTLSThatIsNotRead(t *testing.T) {
	config := certified()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, tls.NewListener(listener, config), oneQueue)
		for range 10 {
			p := newPeer(t, tlsOn(t, listener.dial(), nil))
			p.open()
			p.begin()
			p.send(0, &wire.Begin{}) // is answered by a close that nobody reads
		}
		synctest.Wait()
		begun := time.Now()
		if err := s.Shutdown(forever()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("shutting down took %v", took)
		}
	})
}

// A peer that has TLS write without end, and reads nothing, keeps nobody: neither the
// place of its connection nor the server that stops.
func TestTLSThatWritesWhileItIsRead(t *testing.T) {
	config := certified()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, tls.NewListener(listener, config), oneQueue)
		stuck := func() net.Conn {
			conn := listener.dial()
			t.Cleanup(func() { conn.Close() })
			var keys bytes.Buffer
			record := demandKeys(t, tlsOn(t, conn, &keys), keys.String())
			if _, err := conn.Write(record); err != nil {
				t.Fatal(err)
			}
			return conn
		}
		wantCut := func(conn net.Conn) {
			t.Helper()
			// A pipe takes no deadline once its other end is closed.
			if err := conn.SetDeadline(time.Now().Add(time.Second)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("the connection has not ended: %v", err)
			}
		}
		first := stuck()
		elapse(25 * time.Second)
		wantCut(first)
		second := stuck()
		begun := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("closing took %v", took)
		}
		wantCut(second)
	})
}
