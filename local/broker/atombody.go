package broker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAtomBody bounds a description, in bytes.
const maxAtomBody = 1 << 20

// atomBody is a description that comes with a request. What it takes counts as what
// connections hold does.
type atomBody struct {
	server *Server
	held   held
	text   []byte
}

// readBody reads the description of a request. It is to be ended, also after an error.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (*atomBody, error) {
	b := &atomBody{server: s}
	// Where the server can't be told of it, what is read next sees to it.
	b.held.end = func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(0, 0)) }
	s.mu.Lock()
	s.requests[&b.held] = true
	s.mu.Unlock()
	return b, b.read(http.MaxBytesReader(w, r.Body, maxAtomBody))
}

func (b *atomBody) read(from io.Reader) error {
	for {
		if len(b.text) == cap(b.text) {
			grown := make([]byte, len(b.text), max(4<<10, 2*cap(b.text)))
			copy(grown, b.text)
			b.server.hold(&b.held, int64(cap(grown)-cap(b.text)))
			b.text = grown
		}
		n, err := from.Read(b.text[len(b.text):cap(b.text)])
		b.text = b.text[:len(b.text)+n]
		switch {
		case b.held.over.Load():
			return b.tooMuch()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read request: %w", err)
		}
	}
}

// parse makes what it describes of the text.
func (b *atomBody) parse() (atomContent, error) {
	b.server.hold(&b.held, int64(len(b.text))*decodedWeight)
	if b.held.over.Load() {
		return atomContent{}, b.tooMuch()
	}
	return parseAtomEntry(b.text)
}

func (b *atomBody) tooMuch() error {
	return &atomFault{http.StatusServiceUnavailable, "SubCode=50000. " + b.server.overfull("request")}
}

// end notes that it is held no more.
func (b *atomBody) end() {
	b.server.mu.Lock()
	delete(b.server.requests, &b.held)
	b.server.mu.Unlock()
	b.server.letGo(&b.held)
}
