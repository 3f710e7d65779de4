package broker_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/coder/websocket"
)

// roundTrip sends and receives through a client.
func roundTrip(t *testing.T, client *azservicebus.Client) {
	t.Helper()
	large := strings.Repeat("x", 200_000) // over several frames
	send(t, client, "q", "a", large)
	messages := receive(t, receiver(t, client, nil), 2)
	if string(messages[0].Body) != "a" || string(messages[1].Body) != large {
		t.Errorf("received %d and %d bytes", len(messages[0].Body), len(messages[1].Body))
	}
}

func TestWebSocket(t *testing.T) {
	s := start(t, oneQueue)
	mux := http.NewServeMux()
	mux.Handle("/$servicebus/websocket", s.WebSocketHandler())
	web := httptest.NewTLSServer(mux)
	t.Cleanup(web.Close)
	asked := ""
	client := connectTo(t, s.ConnectionString(), &azservicebus.ClientOptions{
		NewWebSocketConn: func(ctx context.Context, args azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			asked = args.Host
			c, _, err := websocket.Dial(ctx, web.URL+"/$servicebus/websocket", &websocket.DialOptions{
				Subprotocols: []string{"amqp"}, HTTPClient: web.Client(),
			})
			if err != nil {
				return nil, err
			}
			return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
		},
	})
	roundTrip(t, client)
	if !strings.HasSuffix(asked, "/$servicebus/websocket") {
		t.Errorf("the client asks for %s", asked)
	}
	// So the JavaScript client calls it.
	old, _, err := websocket.Dial(deadline(t), web.URL+"/$servicebus/websocket", &websocket.DialOptions{
		Subprotocols: []string{"AMQPWSB10"}, HTTPClient: web.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	conn := websocket.NetConn(context.Background(), old, websocket.MessageBinary)
	p := newPeer(t, conn)
	p.open()
	c, _, err := websocket.Dial(deadline(t), web.URL+"/$servicebus/websocket", &websocket.DialOptions{HTTPClient: web.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(deadline(t)); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("without the subprotocol: %v", err)
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, tls.NewListener(l, web.TLS), oneQueue)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	plain := strings.TrimSuffix(s.ConnectionString(), ";UseDevelopmentEmulator=true")
	roundTrip(t, connectTo(t, plain, &azservicebus.ClientOptions{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}}))
}
