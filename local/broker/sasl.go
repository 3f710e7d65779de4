package broker

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

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
		response, err := c.askForResponse(init)
		if err != nil {
			return err
		}
		keys := c.server.plainCredentials(response)
		for _, key := range keys {
			c.grants[key.entity] = grant{credential: key}
		}
		known = len(keys) > 0 || c.server.options.Open // which asks nobody
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

// askForResponse returns the first response of a mechanism in which the client speaks
// first. One that has not done so in its init does when it is challenged to, by nothing
// (RFC 4422, section 5.1).
func (c *conn) askForResponse(init *wire.SASLInit) ([]byte, error) {
	if init.InitialResponse != nil {
		return init.InitialResponse, nil
	}
	c.write(0, &wire.SASLChallenge{})
	c.flush()
	f, err := c.reader.ReadFrame()
	if err != nil {
		return nil, fmt.Errorf("read SASL response: %v", err)
	}
	response, ok := f.Body.(*wire.SASLResponse)
	if !ok {
		return nil, fmt.Errorf("expected SASL response, found %T", f.Body)
	}
	return response.Response, nil
}

// plainCredentials returns the keys that the message of RFC 4616 (authorization
// identity, name and password, separated by NUL) holds: that of the server, or else
// those of all entities that have such a key.
func (s *Server) plainCredentials(response []byte) []credential {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return nil
	}
	name := string(parts[1])
	held := func(c credential) bool { return subtle.ConstantTimeCompare([]byte(c.value), parts[2]) == 1 }
	if k := s.key(name); k != nil {
		if c := (credential{name: name, value: k.Value, rights: k.Rights}); held(c) {
			return []credential{c}
		}
	}
	var all []credential
	for _, e := range s.catalog.all(kindQueue, kindTopic) {
		for _, c := range e.credentials(name) {
			if held(c) {
				all = append(all, c)
				break
			}
		}
	}
	return all
}
