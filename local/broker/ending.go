package broker

import (
	"net"
	"time"
)

// closeGently closes a connection with the goodbye of its layers, where they have one. Over
// TLS it is written, and over WebSocket it takes an answer besides: for both the peer
// has closeGrace.
func closeGently(c net.Conn) {
	defer time.AfterFunc(closeGrace, func() { cutOff(c) }).Stop()
	c.Close()
}

// cutOff closes a connection without waiting for its peer: what is under TLS and
// WebSocket, for to close these waits for their writes, that of an alert and those
// with which a tls.Conn answers while it is read.
func cutOff(c net.Conn) {
	for {
		over, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = over.NetConn()
	}
	c.Close()
}
