package broker_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/coder/websocket"

	"github.com/muster-mfa/muster/local/broker"
)

// transport is how the official client reaches a server. MUSTERTEST_TRANSPORT, which
// is tls or websocket, runs the same tests over that one; otherwise it is plain TCP.
var transport = os.Getenv("MUSTERTEST_TRANSPORT")

// connectAs makes a client over the transport, for the key of a connection string
// to the server.
func connectAs(tb testing.TB, s *broker.Server, connectionString string, options azservicebus.ClientOptions) *azservicebus.Client {
	tb.Helper()
	switch transport {
	case "":
	case "tls":
		connectionString = overTLS(tb, s, connectionString, &options)
	case "websocket":
		options.NewWebSocketConn = overWebSocket(tb, s)
	default:
		tb.Fatalf("MUSTERTEST_TRANSPORT is %q: it must be tls or websocket", transport)
	}
	return connectTo(tb, connectionString, &options)
}

// overTLS has the server listen with TLS too, and turns a connection string and
// options to it.
func overTLS(tb testing.TB, s *broker.Server, connectionString string, options *azservicebus.ClientOptions) string {
	tb.Helper()
	authority := httptest.NewTLSServer(nil) // for its certificate
	authority.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(tls.NewListener(l, authority.TLS)) // until the listener is closed
	}()
	tb.Cleanup(func() {
		l.Close()
		<-served
	})
	client := authority.Client().Transport.(*http.Transport).TLSClientConfig
	options.TLSConfig = &tls.Config{RootCAs: client.RootCAs, ServerName: "127.0.0.1"}
	_, key, _ := strings.Cut(strings.TrimSuffix(connectionString, ";UseDevelopmentEmulator=true"), ";")
	return "Endpoint=sb://" + l.Addr().String() + ";" + key
}

// overWebSocket has the server take connections over WebSocket too, under TLS, and
// returns what makes them.
func overWebSocket(tb testing.TB, s *broker.Server) func(context.Context, azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
	mux := http.NewServeMux()
	mux.Handle(broker.WebSocketPath, s.WebSocketHandler())
	web := httptest.NewTLSServer(mux)
	tb.Cleanup(web.Close)
	return func(ctx context.Context, asked azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
		if !strings.HasSuffix(asked.Host, broker.WebSocketPath) {
			tb.Errorf("the client asks for %s", asked.Host)
		}
		c, err := dialWebSocket(ctx, web, "amqp")
		if err != nil {
			return nil, err
		}
		return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
	}
}

func dialWebSocket(ctx context.Context, web *httptest.Server, protocols ...string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, web.URL+broker.WebSocketPath, &websocket.DialOptions{Subprotocols: protocols, HTTPClient: web.Client()})
	return c, err
}

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
	roundTrip(t, connectTo(t, s.ConnectionString(), &azservicebus.ClientOptions{NewWebSocketConn: overWebSocket(t, s)}))
}

// The subprotocol has a name of the binding's draft, too, by which the JavaScript
// client calls it. Without either there is no AMQP to speak.
func TestWebSocketSubprotocols(t *testing.T) {
	s := start(t, oneQueue)
	web := httptest.NewTLSServer(s.WebSocketHandler())
	t.Cleanup(web.Close)
	old, err := dialWebSocket(deadline(t), web, "AMQPWSB10")
	if err != nil {
		t.Fatal(err)
	}
	newPeer(t, websocket.NetConn(context.Background(), old, websocket.MessageBinary)).open()
	none, err := dialWebSocket(deadline(t), web)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := none.Read(deadline(t)); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("without the subprotocol: %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := start(t, oneQueue)
	options := azservicebus.ClientOptions{}
	connectionString := overTLS(t, s, s.ConnectionString(), &options)
	roundTrip(t, connectTo(t, connectionString, &options))
}
