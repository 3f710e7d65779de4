package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
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
	// What can't be a name is refused, and not led elsewhere.
	refused, err := http.Get(l.Management + "/orders//new")
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Body.Close()
	if refused.StatusCode != http.StatusBadRequest || refused.Request.URL.Path != "/orders//new" {
		t.Errorf("status %d of %s", refused.StatusCode, refused.Request.URL)
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
	// The official administration client needs nothing but the authority to trust.
	manage, err := admin.NewClientFromConnectionString(
		"Endpoint=sb://"+strings.TrimPrefix(l.Management, "https://")+";SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE",
		&admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	if q, err := manage.GetQueue(t.Context(), "commands", nil); err != nil || q == nil {
		t.Errorf("queue %+v, %v", q, err)
	}
	address := strings.Replace(l.Management, "https://", "wss://", 1) + "/$servicebus/websocket"
	for _, slash := range []string{"", "/"} {
		w, _, err := websocket.Dial(context.Background(), address+slash, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"amqp"}})
		if err != nil {
			t.Fatal(err)
		}
		w.CloseNow()
	}
	// Who does not trust the certificate is told of in the log, as everything is.
	if _, err := http.Get(l.Management); err == nil {
		t.Error("a certificate of an unknown authority was trusted")
	}
	l.stderr.waitFor(t, `level=INFO msg="http: TLS handshake error`)
}

// What would be without effect, or not what was meant, is refused.
func TestLocalRefusesFlagsThatMeanNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--tls-name", "contoso.example"}, "--tls-name means nothing without --tls"},
		{[]string{"--token-lifetime", "10s"}, "--token-lifetime means nothing without --tls"},
		{[]string{"--key", "own:value:Listen@"}, "its name is missing"},
		{[]string{"--lock-duration", "0s"}, "more than nothing"},
		{[]string{"--lock-duration", "-1s"}, "more than nothing"},
		{[]string{"--max-delivery-count", "0"}, "more than nothing"},
		{[]string{"--amqp-port", "65536"}, "--amqp-port is 65536; it must be 0 to 65535"},
		{[]string{"--key", "own:a;b"}, "semicolon"},
	} {
		if r := muster(t, nil, "", append([]string{"local", "--users", "1"}, tt.args...)...).expect(t, 2); !strings.Contains(r.stderr, tt.says) {
			t.Errorf("%v: stderr %s", tt.args, r.stderr)
		}
	}
}

// The name of this machine is loopback too; a port that is taken is told of with the
// flag for another one.
func TestLocalListensOnLoopback(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--host", "localhost", "--open")
	if !strings.HasPrefix(l.Management, "http://127.0.0.1:") || strings.Contains(l.stderr.String(), "beyond loopback") {
		t.Errorf("management at %s, log:\n%s", l.Management, l.stderr.String())
	}
	_, taken, err := net.SplitHostPort(strings.TrimPrefix(l.Management, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r := muster(t, nil, "", "local", "--users", "1", "--amqp-port", "0", "--graph-port", "0", "--management-port", taken).expect(t, 1)
	if !strings.Contains(r.stderr, "listen for the management API (--management-port): ") {
		t.Errorf("stderr %s", r.stderr)
	}
	if code := l.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What the shell is given to read is read as it was meant, and an environment variable
// holds more than one of what may be repeated.
func TestLocalIsReadByAShell(t *testing.T) {
	t.Parallel()
	stdout := newLogBuffer()
	start(t, []string{"MUSTER_KEY=own:it's $1\n\nlistener:c:Listen\n", "MUSTER_QUEUE=a queue"}, stdout,
		"local", "--users", "1", "--amqp-port", "0", "--management-port", "0", "--graph-port", "0", "--tls", filepath.Join(t.TempDir(), "a folder"), "--amqps-port", "0")
	stdout.waitFor(t, "muster worker")
	script, _, _ := strings.Cut(stdout.String(), "  muster load")
	_, script, _ = strings.Cut(script, "In another terminal:")
	read := exec.Command("sh", "-c", script+`echo "$MUSTER_SERVICEBUS|$MUSTER_QUEUE|$MUSTER_CA_FILE"`)
	read.Env = []string{}
	got, err := read.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, got, script)
	}
	if s := string(got); !strings.Contains(s, "SharedAccessKey=it's $1;") || !strings.Contains(s, "|a queue|") || !strings.HasSuffix(s, "a folder/ca.pem\n") {
		t.Errorf("the shell has read %s of\n%s", s, script)
	}
}

func TestLocalKeys(t *testing.T) {
	t.Parallel()
	l := startLocal(t, "--users", "1", "--key", "own:a:b", "--key", "listener:c:Listen")
	if !strings.Contains(l.ServiceBus, "SharedAccessKeyName=own;SharedAccessKey=a:b;") {
		t.Errorf("connection string %s", l.ServiceBus)
	}
	l.stderr.waitFor(t, "readable by everybody")
	l.stderr.waitFor(t, "is no rights, so it was taken for a part of the value\" key=own")
	muster(t, l.env(), "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 0)
	env := append(l.env(), "MUSTER_SERVICEBUS="+strings.Replace(l.ServiceBus, "Name=own;SharedAccessKey=a:b", "Name=listener;SharedAccessKey=c", 1))
	muster(t, env, "", "publish", "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, 1)
	l = startLocal(t, "--users", "1", "--queue", "orders", "--queue", "commands", "--key", "own:a@b:c:Send@orders")
	if !strings.Contains(l.ServiceBus, "SharedAccessKeyName=own;SharedAccessKey=a@b:c;") || !strings.HasSuffix(l.ServiceBus, ";EntityPath=orders") {
		t.Errorf("connection string %s", l.ServiceBus)
	}
	for queue, code := range map[string]int{"orders": 0, "commands": 1} {
		muster(t, l.env(), "", "publish", "--queue", queue, "--user", "user000001@contoso.example", "--mobile", "+1 206 555 0101").expect(t, code)
	}
	for _, wrong := range [][]string{{"--key", "nameless"}, {"--key", "own:a:Send@nothing"}, {"--open", "--host", "0.0.0.0"}, {"--accept-any-jwt", "--host", "0.0.0.0"}} {
		muster(t, nil, "", append([]string{"local"}, wrong...)...).expect(t, 2)
	}
}

// With --data, the endpoint may be killed too: what was acknowledged is there
// when it comes back, and what was completed is not.
func TestLocalOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	const n = 40
	folder := filepath.Join(t.TempDir(), "data")
	l := startLocal(t, "--users", fmt.Sprint(n), "--faults", "none", "--quota", "unlimited", "--data", folder)
	muster(t, l.env(), "", "load", writeFile(t, "users.csv", rows(n))).expect(t, 0)
	l.kill()
	<-l.done
	l = startLocal(t, "--users", fmt.Sprint(n), "--faults", "none", "--quota", "unlimited", "--data", folder)
	muster(t, l.env(fast...), "", "worker", "--until-empty").expect(t, 0)
	if got := l.stats(t).Writes; got != n {
		t.Errorf("%d writes, want %d", got, n)
	}
	l.kill()
	<-l.done
	l = startLocal(t, "--users", fmt.Sprint(n), "--faults", "none", "--quota", "unlimited", "--data", folder)
	muster(t, l.env(fast...), "", "worker", "--until-empty").expect(t, 0)
	if got := l.stats(t).Requests; got != 0 {
		t.Errorf("%d requests for commands that were completed", got)
	}
	r := muster(t, nil, "", "local", "--amqp-port", "0", "--management-port", "0", "--graph-port", "0", "--data", folder).expect(t, 1)
	if !strings.Contains(r.stderr, "in use by another process") {
		t.Errorf("stderr: %s", r.stderr)
	}
}
