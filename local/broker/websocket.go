package broker

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// WebSocketPath is where clients look for AMQP over WebSocket.
const WebSocketPath = "/$servicebus/websocket"

// webSocketProtocol is the subprotocol of AMQP 1.0 (AMQP WebSocket binding 1.0).
const webSocketProtocol = "amqp"

// WebSocketHandler takes connections over WebSocket. Mount it at WebSocketPath of
// an HTTPS server, for the official clients ask for wss.
func (s *Server) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{webSocketProtocol}})
		if err != nil {
			s.options.Logger.Debug("no WebSocket", "error", err) // Accept has answered
			return
		}
		if c.Subprotocol() != webSocketProtocol {
			_ = c.Close(websocket.StatusPolicyViolation, "the subprotocol must be amqp")
			return
		}
		c.SetReadLimit(-1) // frames have limits of their own
		s.welcome(websocket.NetConn(context.Background(), c, websocket.MessageBinary))
	})
}
