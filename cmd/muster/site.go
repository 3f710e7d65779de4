package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxVisitors is how many connections a site has at once, those that have become
	// WebSockets aside: these are the broker's.
	maxVisitors = 2000
	// maxHeader bounds the header of a request, in bytes. A token is most of it; what
	// Service Bus and Graph take at most is not published.
	maxHeader = 16 << 10
	// idleGrace and busyGrace are how long a connection may ask for nothing, and be at
	// one request, when others want its place.
	idleGrace = time.Second
	busyGrace = 10 * time.Second
	// longestVisit is how long a connection may be idle, or at one request, in any case:
	// longer than the server's own times, which do not hold while TLS writes what nobody
	// has given it to write.
	longestVisit = 4 * time.Minute
)

// site is an HTTP server that waits for nobody without end, and has room for only so
// many.
type site struct {
	http.Server
	visitors visitors
}

// newSite makes a site. A connection that becomes a WebSocket is no longer bound by
// these times.
func newSite(handler http.Handler) *site {
	s := &site{
		Server: http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		},
		visitors: visitors{most: maxVisitors, all: make(map[net.Conn]visit)},
	}
	s.ConnState = s.visitors.note
	return s
}

// tell has the log told of what goes wrong before there is a request: a client that does
// not trust the certificate, say.
func (s *site) tell(log *slog.Logger) { s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelInfo) }

// oneRequestAtATime has the site speak HTTP/1.1 only, so that a connection holds no
// more than one request.
func (s *site) oneRequestAtATime() {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
}

// shutDown ends the site when its requests are answered, and in any case when ctx ends:
// to close a connection may take until it is cut off.
func (s *site) shutDown(ctx context.Context) {
	defer context.AfterFunc(ctx, s.visitors.sendAway)()
	if s.Shutdown(ctx) != nil {
		s.Close()
	}
}

// visitors are the connections of a site.
type visitors struct {
	most int

	mu  sync.Mutex
	all map[net.Conn]visit
}

// visit is what a connection is at, and since when.
type visit struct {
	busy  bool
	since time.Time
	end   *time.Timer // cuts it off
}

// note learns of what has become of a connection. One more than there may be takes the
// place of the one that has outstayed its welcome the longest; where none has, it is
// turned away.
func (v *visitors) note(c net.Conn, state http.ConnState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, known := v.all[c]
	switch {
	case state == http.StateNew:
		if len(v.all) >= v.most {
			longest := v.longest()
			if longest == nil {
				cutOff(c)
				return
			}
			v.leave(longest)
			cutOff(longest)
		}
		v.all[c] = visit{since: time.Now(), end: time.AfterFunc(longestVisit, func() { cutOff(c) })}
	case !known:
	case state == http.StateActive || state == http.StateIdle:
		at.end.Reset(longestVisit)
		v.all[c] = visit{busy: state == http.StateActive, since: time.Now(), end: at.end}
	default:
		v.leave(c)
	}
}

// leave gives up the place of a connection. The caller holds the mutex.
func (v *visitors) leave(c net.Conn) {
	v.all[c].end.Stop()
	delete(v.all, c)
}

// longest is the connection that has had its grace for the longest time, nil for none.
// The caller holds the mutex.
func (v *visitors) longest() (longest net.Conn) {
	end := time.Now()
	for c, visit := range v.all {
		grace := idleGrace
		if visit.busy {
			grace = busyGrace
		}
		if until := visit.since.Add(grace); until.Before(end) {
			longest, end = c, until
		}
	}
	return longest
}

// sendAway cuts off everybody.
func (v *visitors) sendAway() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for c := range v.all {
		cutOff(c)
	}
}

// cutOff closes a connection without waiting for its peer: what is under TLS, for to
// close that may wait for what it writes.
func cutOff(c net.Conn) {
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = over.NetConn()
	}
	c.Close()
}
