package broker_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// upgrade asks for AMQP over WebSocket (RFC 6455, section 4.1).
const upgrade = "GET " + broker.WebSocketPath + " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: amqp\r\n\r\n"

// Opcodes of WebSocket, the last frame of a message.
const (
	webSocketBinary = 0x82
	webSocketPing   = 0x89
	webSocketClose  = 0x88
)

// webSocketFrame makes a frame as a client sends it, with a mask that changes
// nothing (RFC 6455, section 5.2).
func webSocketFrame(first byte, payload []byte) []byte {
	b := append([]byte{first, 0x80 | 127}, binary.BigEndian.AppendUint64(nil, uint64(len(payload)))...)
	return append(append(b, 0, 0, 0, 0), payload...)
}

// FuzzWebSocket gives a server whatever may follow the upgrade to a WebSocket.
func FuzzWebSocket(f *testing.F) {
	script := queueScript()
	f.Add(webSocketFrame(webSocketBinary, script))
	f.Add(append(webSocketFrame(webSocketBinary, script[:20]), webSocketFrame(webSocketBinary, script[20:])...))
	f.Add(append(webSocketFrame(webSocketPing, []byte("ping")), webSocketFrame(webSocketClose, []byte{0x03, 0xe8})...))
	f.Add([]byte{webSocketBinary, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'A', 'M', 'Q', 'P'})
	f.Add([]byte{0x02, 0x84, 0, 0, 0, 0, 'A', 'M', 'Q', 'P', 0x80, 0x84, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add([]byte{0x81, 0x80, 0, 0, 0, 0})
	f.Add(webSocketFrame(webSocketBinary, wire.AppendProtocolHeader(nil, wire.ProtocolSASL)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, listener, ended := serveWebSockets(t, fuzzed)
		conn, theirs := net.Pipe()
		listener.conns <- timeless{theirs}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = io.Copy(io.Discard, conn)
		}()
		_, _ = conn.Write(append([]byte(upgrade), data...))
		conn.Close()
		<-answered
		ended(s.Shutdown(deadline(t)))
	})
}
