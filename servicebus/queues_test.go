package servicebus_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/servicebus"
)

// emulator is the connection string of an endpoint whose AMQP port nobody uses.
const emulator = "Endpoint=sb://localhost:5672;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true"

func newBroker(t *testing.T, o broker.Options) *broker.Server {
	t.Helper()
	s, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// manage connects to the management API over plain HTTP.
func manage(t *testing.T, address string, h http.Handler) *servicebus.Manager {
	t.Helper()
	site := httptest.NewServer(h)
	t.Cleanup(site.Close)
	m, err := servicebus.OpenManager(servicebus.Options{Address: address}, strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var managed = servicebus.QueueProperties{
	LockDuration: 90 * time.Second, MaxDeliveryCount: 7, DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: 36 * time.Hour,
	DuplicateDetection: 24 * time.Hour, ForwardDeadLetteredMessagesTo: "dead", Status: "Active",
}

func TestQueuesAreMadeAndUpdated(t *testing.T) {
	s := newBroker(t, broker.Options{Queues: []broker.Queue{{Name: "dead"}}})
	m := manage(t, emulator, s.ManagementHandler())
	ctx := context.Background()
	if _, err := m.Queue(ctx, "q"); !errors.Is(err, servicebus.ErrQueueNotFound) {
		t.Errorf("a queue that is not there: %v", err)
	}
	if err := m.UpdateQueue(ctx, "q", managed); !errors.Is(err, servicebus.ErrQueueNotFound) {
		t.Errorf("update of a queue that is not there: %v", err)
	}
	if err := m.CreateQueue(ctx, "q", managed); err != nil {
		t.Fatal(err)
	}
	got, err := m.Queue(ctx, "Q")
	if diff := cmp.Diff(managed, got); diff != "" || err != nil {
		t.Errorf("queue (-want +got), %v:\n%s", err, diff)
	}
	if err := m.CreateQueue(ctx, "q", managed); !errors.Is(err, servicebus.ErrQueueExists) {
		t.Errorf("a queue that is there: %v", err)
	}
	changed := managed
	changed.LockDuration, changed.DefaultMessageTimeToLive, changed.ForwardDeadLetteredMessagesTo, changed.Status = time.Minute, 0, "", "SendDisabled"
	if err := m.UpdateQueue(ctx, "q", changed); err != nil {
		t.Fatal(err)
	}
	got, err = m.Queue(ctx, "q")
	if diff := cmp.Diff(changed, got); diff != "" || err != nil {
		t.Errorf("queue (-want +got), %v:\n%s", err, diff)
	}
	if err := m.CreateQueue(ctx, "other", servicebus.QueueProperties{RequiresSession: true, LockDuration: time.Hour}); err == nil || !strings.Contains(err.Error(), "400 Bad Request, SubCode=40000. create queue") {
		t.Errorf("a lock of an hour: %v", err)
	}
}

func TestManagementIsRefused(t *testing.T) {
	s := newBroker(t, broker.Options{Keys: []broker.Key{{Name: "l", Value: "secret-of-l", Rights: broker.RightListen}}, Queues: []broker.Queue{{Name: "q"}}})
	listener := strings.Replace(strings.Replace(emulator, "RootManageSharedAccessKey", "l", 1), "SAS_KEY_VALUE", "secret-of-l", 1)
	_, err := manage(t, listener, s.ManagementHandler()).Queue(context.Background(), "q")
	if !errors.Is(err, servicebus.ErrUnauthorized) || !strings.Contains(err.Error(), "Manage,EntityRead claims required") || strings.Contains(err.Error(), "secret") {
		t.Errorf("without Manage: %v", err)
	}
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	})
	if _, err := manage(t, emulator, elsewhere).Queue(context.Background(), "q"); err == nil || strings.Contains(err.Error(), "refused") {
		t.Errorf("a redirection was followed: %v", err)
	}
	topic := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`<entry xmlns="http://www.w3.org/2005/Atom"><title>t</title><content type="application/xml"><TopicDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"><Status>Active</Status></TopicDescription></content></entry>`))
	})
	if _, err := manage(t, emulator, topic).Queue(context.Background(), "t"); !errors.Is(err, servicebus.ErrNotAQueue) {
		t.Errorf("a topic: %v", err)
	}
}

// token is an identity's.
type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "e30.e30.e30", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A namespace given by name is managed over HTTPS, by an identity.
func TestManagementOfANamespaceIsHTTPS(t *testing.T) {
	s := newBroker(t, broker.Options{AcceptJWT: true, Queues: []broker.Queue{{Name: "q", LockDuration: 30 * time.Second}}})
	site := httptest.NewTLSServer(s.ManagementHandler())
	defer site.Close()
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	m, err := servicebus.OpenManager(servicebus.Options{Address: strings.TrimPrefix(site.URL, "https://"), Credential: token{}, RootCAs: roots}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, err := m.Queue(context.Background(), "q"); err != nil || got.LockDuration != 30*time.Second || got.DefaultMessageTimeToLive != 0 || got.DuplicateDetection != 0 {
		t.Errorf("queue %+v, %v", got, err)
	}
}

func TestWhereTheManagementIs(t *testing.T) {
	for address, want := range map[string]string{
		emulator: "http://localhost:5300", "Endpoint=sb://[::1]:5672/;UseDevelopmentEmulator=TRUE": "http://[::1]:5300",
		"UseDevelopmentEmulator=true;endpoint=127.0.0.1": "http://127.0.0.1:5300", "UseDevelopmentEmulator=true": "",
		"Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k": "", "contoso.servicebus.windows.net": "",
	} {
		if got := servicebus.EmulatorManagement(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	for _, wrong := range []string{"ftp://127.0.0.1", "http://", "http://127.0.0.1:5300/x", "http://key@127.0.0.1", "127.0.0.1:5300?a", "http://[::1"} {
		if _, err := servicebus.OpenManager(servicebus.Options{Address: emulator}, wrong); err == nil || !strings.Contains(err.Error(), "must look like") {
			t.Errorf("--management %s: %v", wrong, err)
		}
	}
	for _, o := range []servicebus.Options{{}, {Address: "contoso.servicebus.windows.net"}, {Address: "Endpoint=sb://x;SharedAccessKeyName=n"}} {
		if _, err := servicebus.OpenManager(o, ""); err == nil || strings.Contains(err.Error(), "KeyName=n") {
			t.Errorf("options %+v: %v", o, err)
		}
	}
}

// Receiving without a session from a queue that requires sessions has an error of
// its own.
func TestAQueueOfSessionsSaysSo(t *testing.T) {
	n, _ := open(t, broker.Queue{RequiresSession: true})
	if err := n.CanListen(context.Background(), "commands"); !errors.Is(err, servicebus.ErrSessionRequired) {
		t.Errorf("error %v", err)
	}
}
