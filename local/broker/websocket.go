package broker

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// WebSocketPath is where clients look for AMQP over WebSocket.
const WebSocketPath = "/$servicebus/websocket"

// webSocketProtocols are the names of the subprotocol: that of the AMQP WebSocket
// binding 1.0, and that of its draft, which the JavaScript client still asks for.
var webSocketProtocols = []string{"amqp", "AMQPWSB10"}

// WebSocketHandler takes connections over WebSocket. Mount it at WebSocketPath of
// an HTTPS server, for the official clients ask for wss.
func (s *Server) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: webSocketProtocols})
		if err != nil {
			s.options.Logger.Debug("no WebSocket", "error", err) // Accept has answered
			return
		}
		if c.Subprotocol() == "" {
			_ = c.Close(websocket.StatusPolicyViolation, "the subprotocol must be amqp")
			return
		}
		c.SetReadLimit(-1) // frames have limits of their own
		s.welcome(websocket.NetConn(context.Background(), c, websocket.MessageBinary))
	})
}
