package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// The endpoint of muster local has the port of the management API beside that of
// AMQP; with --tls both speak TLS, and AMQP comes over WebSocket too.
func TestLocalServesTheManagementAPI(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--open", "--session-queue", "orders")
	resp, err := http.Get(l.Management + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(got, []byte("<RequiresSession>true</RequiresSession>")) {
		t.Errorf("description %s, %v", got, err)
	}
}

func TestLocalSpeaksTLS(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "tls")
	l := startLocal(t, "--users", "1", "--tls", folder)
	if strings.Contains(l.ServiceBus, ":"+strconv.Itoa(l.AMQPSPort)+";") {
		t.Errorf("a connection string without TLS leads to the port with TLS: %s", l.ServiceBus)
	}
	ca, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.AMQPSPort)), config)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	address := strings.Replace(l.Management, "https://", "wss://", 1) + "/$servicebus/websocket"
	w, _, err := websocket.Dial(context.Background(), address, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"amqp"}})
	if err != nil {
		t.Fatal(err)
	}
	w.CloseNow()
}

func TestLocalKeys(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--key", "own:a:b", "--key", "listener:c:Listen")
	if !strings.Contains(l.ServiceBus, "SharedAccessKeyName=own;SharedAccessKey=a:b;") {
		t.Errorf("connection string %s", l.ServiceBus)
	}
	l.stderr.waitFor(t, "readable by everybody")
	muster(t, l.env(), "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 0)
	env := append(l.env(), "MUSTER_SERVICEBUS="+strings.Replace(l.ServiceBus, "Name=own;SharedAccessKey=a:b", "Name=listener;SharedAccessKey=c", 1))
	muster(t, env, "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 1)
	for _, wrong := range [][]string{{"--key", "nameless"}, {"--open", "--host", "0.0.0.0"}, {"--accept-any-jwt", "--host", "0.0.0.0"}} {
		muster(t, nil, "", append([]string{"local"}, wrong...)...).expect(t, 2)
	}
}
