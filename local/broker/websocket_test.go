package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/coder/websocket"

	"github.com/muster-mfa/muster/local/broker"
)

// A peer that answers no close keeps nobody: not a connection that has come to its
// end, not the server that stops, and none of the other connections.
func TestWebSocketsThatAnswerNoClose(t *testing.T) {
	// What the peer has begun when it falls silent: nothing, and a frame of 2^62 bytes.
	begun := []byte{webSocketBinary, 0x80 | 127, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	scripts := map[string][]byte{
		"open":           webSocketFrame(webSocketBinary, opened()),
		"open and begun": append(webSocketFrame(webSocketBinary, opened()), begun...),
		"closed by the server": append(webSocketFrame(webSocketBinary, append(opened(), "\xff\xff\xff\xff\x02\x00\x00\x00"...)),
			begun...),
		"closed by the peer": append(webSocketFrame(webSocketBinary, opened().closed()), begun...),
		"half open":          webSocketFrame(webSocketBinary, []byte("AMQP")),
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, listener, ended := serveWebSockets(t, oneQueue)
				for range 20 {
					conn := listener.dial()
					defer conn.Close()
					go func() { _, _ = io.Copy(io.Discard, conn) }()
					if _, err := io.WriteString(conn, upgrade+string(script)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				started := time.Now()
				ended(s.Close())
				if took := time.Since(started); took > 10*time.Second {
					t.Errorf("closing took %v", took)
				}
			})
		})
	}
}

// Time passes for the entities also where nobody connects but over WebSocket.
func TestTimePassesOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, listener, ended := serveWebSockets(t, oneQueue)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return listener.dial(), nil }}
		client, err := azservicebus.NewClientFromConnectionString(
			"Endpoint=sb://h;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE",
			&azservicebus.ClientOptions{NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
				c, _, err := websocket.Dial(ctx, "http://h"+broker.WebSocketPath, &websocket.DialOptions{
					HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"amqp"},
				})
				if err != nil {
					return nil, err
				}
				return websocket.NetConn(forever(), c, websocket.MessageBinary), nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		body := receiveLater(t, receiver(t, client, nil))
		synctest.Wait()
		soon := time.Now().Add(time.Second)
		if _, err := sender.ScheduleMessages(forever(), []*azservicebus.Message{{Body: []byte("a")}}, soon, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-body; got != "a" || time.Since(soon) > time.Second {
			t.Errorf("received %q %v after its time", got, time.Since(soon))
		}
		if err := client.Close(forever()); err != nil {
			t.Error(err)
		}
		ended(s.Close())
	})
}

// A protocol that is not AMQP is refused, and a peer that does not answer is cut off.
func TestWebSocketsWithoutASubprotocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, listener, ended := serveWebSockets(t, oneQueue)
		conn := listener.dial()
		request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", broker.WebSocketPath)
		begun := make(chan error)
		go func() {
			_, err := conn.Write(append([]byte(request), webSocketBinary, 0x80|127, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
			begun <- err
		}()
		started := time.Now()
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Error(err)
		}
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		<-begun
		ended(s.Close())
	})
}

// Those that are too many to be told so are cut off at once, and no one waits for it.
func TestWebSocketsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const told, more = 100, 20
		s, listener, ended := serveWebSockets(t, broker.Options{MaxConnections: 1})
		begun := time.Now()
		cut := make(chan struct{}, 1+told+more)
		for range 1 + told + more {
			conn := listener.dial()
			defer conn.Close()
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				cut <- struct{}{}
			}()
			if _, err := io.WriteString(conn, upgrade); err != nil {
				t.Fatal(err)
			}
		}
		for range more {
			<-cut
		}
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		ended(s.Close())
	})
}

// serveWebSockets serves the WebSockets of a server on pipes. What it returns last
// takes the error of stopping the server and waits for the end of the rest.
func serveWebSockets(t *testing.T, options broker.Options) (*broker.Server, *pipes, func(error)) {
	t.Helper()
	s, err := broker.New(options)
	if err != nil {
		t.Fatal(err)
	}
	listener := newPipes()
	site := &http.Server{Handler: s.WebSocketHandler()}
	served := make(chan error)
	go func() { served <- site.Serve(listener) }()
	return s, listener, func(stopped error) {
		if err := errors.Join(stopped, site.Close()); err != nil {
			t.Error(err)
		}
		<-served
	}
}
