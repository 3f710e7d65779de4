package broker

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// SASL mechanisms. After ANONYMOUS and MSSBCBS, tokens are put to $cbs; PLAIN
// takes the name and the value of a shared access key and needs no token.
const (
	mechanismAnonymous wire.Symbol = "ANONYMOUS"
	mechanismPlain     wire.Symbol = "PLAIN"
	mechanismCBS       wire.Symbol = "MSSBCBS"
)

var errSASLRefused = errors.New("SASL credentials refused")

// authenticate runs the SASL dialogue up to its outcome. The peer has sent its
// protocol header and will send another one afterwards.
func (c *conn) authenticate() error {
	mechanisms := []wire.Symbol{mechanismCBS, mechanismPlain, mechanismAnonymous}
	c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolSASL)
	c.write(0, &wire.SASLMechanisms{Mechanisms: mechanisms})
	c.flush()
	f, err := c.reader.ReadFrame()
	if err != nil {
		return fmt.Errorf("read SASL init: %v", err)
	}
	init, ok := f.Body.(*wire.SASLInit)
	if !ok {
		return fmt.Errorf("expected SASL init, found %T", f.Body)
	}
	known := slices.Contains(mechanisms, init.Mechanism)
	if known && init.Mechanism == mechanismPlain {
		key := c.server.plainKey(init.InitialResponse)
		if known = key != nil; known {
			c.grants[strings.ToLower(key.Entity)] = grant{rights: key.Rights}
		}
	}
	if !known {
		c.write(0, &wire.SASLOutcome{Code: wire.SASLAuth})
		c.flush()
		return errSASLRefused
	}
	c.write(0, &wire.SASLOutcome{Code: wire.SASLOK})
	c.flush()
	return nil
}

// plainKey returns the key that the message of RFC 4616 (authorization identity,
// name and password, separated by NUL) holds, nil where it holds none.
func (s *Server) plainKey(response []byte) *Key {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return nil
	}
	key := s.key(string(parts[1]))
	if key == nil || subtle.ConstantTimeCompare([]byte(key.Value), parts[2]) != 1 {
		return nil
	}
	return key
}
