package tenant

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is the largest request body, in bytes.
const maxBody = 4 << 20

// jsonContentType is the content type of Graph's JSON replies.
const jsonContentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// ServeHTTP answers the calls of Microsoft Graph below /v1.0 and /beta, those of
// the administration below /_tenant, and where there are applications those of
// the token service below the tenant's id or one of its domains.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, adminPrefix) {
		t.serveAdmin(w, r)
		return
	}
	if name, what, ok := t.authority.serves(r.URL.Path); ok {
		t.authority.serve(w, r, name, what)
		return
	}
	ids := t.requestIDs(r.Header.Get("Client-Request-Id"))
	t.deliver(w, r, t.serveGraph(w, r, ids), ids)
}

// serveGraph answers one HTTP request, a $batch or a single call.
func (t *Tenant) serveGraph(w http.ResponseWriter, r *http.Request, ids requestIDs) reply {
	version, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if version != "v1.0" && version != "beta" {
		return t.refused(refuse(http.StatusBadRequest, "BadRequest", "Invalid version: "+version), ids)
	}
	body, err := readBody(w, r)
	if err != nil {
		return t.refused(err, ids)
	}
	c := &call{
		method: r.Method, version: version, header: r.Header.Get,
		body: body, base: baseURL(r, version), sight: sight{now: t.now()}, ids: ids,
	}
	if no := t.authenticate(c, r.Host); no != nil {
		t.tally.count(func(s *Stats) { s.Requests++; s.Denied++ })
		return t.refuse(c, no)
	}
	if rest == "$batch" || rest == "%24batch" {
		return t.serveBatch(c)
	}
	t.tally.count(func(s *Stats) { s.Requests++ })
	return t.answer(c, rest, r.URL.RawQuery)
}

// readBody reads the body. Its refusals are those of a broken request.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request body is too large.")
	}
	if err != nil {
		return nil, badRequest("The request body could not be read.")
	}
	return body, nil
}

// baseURL is the address under which the client reached the version.
func baseURL(r *http.Request, version string) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + "/" + version
}

// authenticate finds out who calls. It refuses a request without a token where
// one is required, and a token that is not good where tokens are checked.
func (t *Tenant) authenticate(c *call, host string) (no *refusal) {
	token := bearer(c.header("Authorization"))
	if t.authority != nil {
		c.caller, no = t.authority.check(token, host)
		return no
	}
	if t.requireToken && token == "" {
		return refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty.")
	}
	return nil
}

// deliver writes the reply, late or not at all where a fault says so.
func (t *Tenant) deliver(w http.ResponseWriter, r *http.Request, rep reply, ids requestIDs) {
	if rep.delay > 0 {
		wait(r, rep.delay)
	}
	if rep.cut {
		if t.cut(w) {
			return
		}
		rep.body = refuse(rep.status, "timeout", "The request timed out.").envelope(t.now(), ids)
	}
	h := w.Header()
	h["Request-Id"] = []string{ids.request}
	h["Client-Request-Id"] = []string{ids.client}
	h["X-Ms-Ags-Diagnostic"] = diagnostic
	h["Odata-Version"] = odataVersion
	h["Cache-Control"] = noCache
	rep.headers.each(h.Set)
	if rep.body != nil {
		h.Set("Content-Type", orDefault(rep.contentType, jsonContentType))
		h.Set("Content-Length", strconv.Itoa(len(rep.body)))
	}
	w.WriteHeader(rep.status)
	if rep.body == nil {
		return
	}
	if _, err := w.Write(rep.body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		t.logger.DebugContext(r.Context(), "deliver reply", "status", rep.status, "request_id", ids.request, "error", err)
	}
}

var (
	diagnostic   = []string{`{"ServerInfo":{"DataCenter":"Local","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"MUSTER000"}}`}
	odataVersion = []string{"4.0"}
	noCache      = []string{"no-cache"}
)

// wait waits for the delay, or until the client has gone.
func wait(r *http.Request, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// cut resets the connection without a reply. It tells false where the server
// does not let go of the connection.
func (t *Tenant) cut(w http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			t.logger.Debug("set linger before reset", "error", err)
		}
	}
	if err := conn.Close(); err != nil {
		t.logger.Debug("close connection for reset", "error", err)
	}
	return true
}

// requestIDs makes the ids of a reply: one of the tenant's own, and the
// client's, for which the tenant's stands in.
func (t *Tenant) requestIDs(client string) requestIDs {
	var d dice
	d.source.Seed(t.seed, t.requests.Add(1))
	ids := requestIDs{request: d.uuid(), client: client}
	if client == "" {
		ids.client = ids.request
	}
	return ids
}
