package broker

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// WebSocketPath is where clients look for AMQP over WebSocket. Those for .NET and
// Python put a slash at its end.
const WebSocketPath = "/$servicebus/websocket"

// webSocketProtocols are the names of the subprotocol: that of the AMQP WebSocket
// binding 1.0, and that of its draft, which the JavaScript client still asks for.
var webSocketProtocols = []string{"amqp", "AMQPWSB10"}

// WebSocketHandler takes connections over WebSocket. Mount it at WebSocketPath of
// an HTTPS server, with the slash and without, for the official clients ask for wss. It
// needs no Serve; ConnectionString does.
func (s *Server) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijacker := &hijacker{ResponseWriter: w}
		c, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{Subprotocols: webSocketProtocols})
		if err != nil {
			s.options.Logger.Debug("no WebSocket", "error", err) // Accept has answered
			return
		}
		conn := &webSocketConn{Conn: websocket.NetConn(context.Background(), c, websocket.MessageBinary), transport: hijacker.conn}
		if c.Subprotocol() == "" {
			defer time.AfterFunc(closeGrace, func() { cutOff(conn) }).Stop()
			_ = c.Close(websocket.StatusPolicyViolation, "the subprotocol must be amqp")
			return
		}
		c.SetReadLimit(-1) // frames have limits of their own
		s.welcome(conn)
	})
}

// hijacker keeps the connection that is taken over from the HTTP server.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &yielding{Conn: conn}
	return h.conn, buffered, nil
}

// webSocketConn is a connection over WebSocket.
type webSocketConn struct {
	net.Conn
	transport net.Conn
}

// NetConn is what the WebSocket is spoken over, as with a tls.Conn.
func (c *webSocketConn) NetConn() net.Conn { return c.transport }
