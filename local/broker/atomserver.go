package broker

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// namespaceName is what the namespace calls itself, as Microsoft's emulator does.
const namespaceName = "sbemulatorns"

// namespaceOf is the name of the namespace at a host: the one that is in the host's
// name, where that is like those of Azure.
func namespaceOf(host string) string {
	if name, _, ok := strings.Cut(host, ".servicebus."); ok && name != "" {
		return name
	}
	return namespaceName
}

// ManagementHandler serves the management API: Atom entries over HTTP that
// describe the entities, by which azservicebus/admin and others make, change and
// delete queues, topics, subscriptions and rules. A request needs a shared access
// signature for what it is about, in the header Authorization. How long a client may
// take, how many there may be and how large their headers, is for the http.Server to say.
func (s *Server) ManagementHandler() http.Handler { return http.HandlerFunc(s.manage) }

// atomFault is an error with its HTTP status.
type atomFault struct {
	status int
	detail string
}

func (f *atomFault) Error() string { return f.detail }

func (s *Server) manage(w http.ResponseWriter, r *http.Request) {
	document, status, err := s.managed(w, r)
	if s.store != nil {
		// An error rests on what others have done as much as success does.
		if waited := s.store.Wait(r.Context(), s.store.Described()); waited != nil && err == nil {
			err = &atomFault{http.StatusServiceUnavailable, waited.Error()}
		}
	}
	if err != nil {
		var fault *atomFault
		if !errors.As(err, &fault) {
			fault = &atomFault{http.StatusBadRequest, "SubCode=40000. " + err.Error()}
		}
		status, document = fault.status, atomError{Code: fault.status, Detail: clip(fault.detail)}
	}
	var text []byte
	if document != nil {
		if text, err = encodeAtom(document); err != nil {
			s.options.Logger.Error("a description could not be encoded", "error", err)
			text, status = nil, http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	if feed, ok := document.(*atomFeed); ok {
		err = feed.write(w, text)
	} else {
		_, err = w.Write(text)
	}
	if err != nil {
		s.options.Logger.Debug("peer lost", "error", err)
	}
}

// maxDetail bounds what an error tells, in bytes: it may name what it was asked for, and
// every fault of it. The description of a dead letter is bounded so too.
const maxDetail = 8 << 10

func clip(detail string) string {
	if len(detail) <= maxDetail {
		return detail
	}
	return strings.ToValidUTF8(detail[:maxDetail], "") + "…"
}

// plainText undoes escapes that XML does not ask for. The JavaScript client does not
// know those with numbers, and tests of Go's look for texts with quotes as they are.
var plainText = strings.NewReplacer("&#39;", "'", "&#34;", "&quot;", "&#xA;", "\n", "&#x9;", "\t")

// encodeAtom writes a document. No attribute in it holds white space that would be
// lost without its escape.
func encodeAtom(document any) ([]byte, error) {
	text, err := xml.Marshal(document)
	if err != nil {
		return nil, err
	}
	return []byte(plainText.Replace(string(text))), nil
}

// managed answers one request with a document, nil for none.
func (s *Server) managed(w http.ResponseWriter, r *http.Request) (any, int, error) {
	path, ok := parseAtomPath(r.URL.Path)
	if err := s.mayManage(r, path); err != nil {
		return nil, 0, &atomFault{http.StatusUnauthorized, err.Error()}
	}
	if !ok {
		return nil, 0, fmt.Errorf("the path %q can't be that of an entity", r.URL.Path)
	}
	switch r.Method {
	case http.MethodGet:
		document, err := s.get(r, path)
		return document, http.StatusOK, err
	case http.MethodPut:
		return s.put(w, r, path)
	case http.MethodDelete:
		return nil, http.StatusOK, s.deleteAt(path)
	}
	return nil, 0, &atomFault{http.StatusMethodNotAllowed, "the method is not allowed"}
}

// mayManage checks that the request has a token with the right to manage.
func (s *Server) mayManage(r *http.Request, path atomPath) error {
	if s.options.Open {
		return nil
	}
	token, kind := r.Header.Get("Authorization"), tokenSAS
	// The Go client sends the token of an identity without the word Bearer.
	if token != "" && !strings.HasPrefix(token, "SharedAccessSignature ") {
		kind = tokenJWT
	}
	given, err := s.checkAny(kind, token, "https://"+r.Host+r.URL.Path)
	switch {
	case err != nil:
		return err
	case s.rightsOf(given.credential)&rightManageOnly == 0 && !(r.Method == http.MethodGet && s.unknown(path)):
		return claimNeeded(r.Method, path)
	}
	return nil
}

// unknown tells that there is no such entity of the namespace, which everybody with
// a key may know.
func (s *Server) unknown(path atomPath) bool {
	_, ok := s.catalog.find(strings.ToLower(path.entity))
	return !ok && path.list == listNone && path.subscription == ""
}

// claimNeeded says in Service Bus's words that the right to manage is missing.
func claimNeeded(method string, path atomPath) error {
	if operand := path.operand(); operand != "" {
		operation := map[string]string{http.MethodPut: "CreateOrUpdate" + operand, http.MethodDelete: "Delete" + operand}[method]
		switch {
		case operation == "" && path.list != listNone:
			operation = "Enumerate" + operand + "s"
		case operation == "":
			operation = "Get" + operand
		}
		return fmt.Errorf("401 SubCode=40100: Unauthorized : Unauthorized access for '%s' operation on endpoint '%s'.", operation, path.name())
	}
	switch method {
	case http.MethodPut:
		return errors.New("Authorization failed for specified action: Manage,EntityWrite.")
	case http.MethodDelete:
		return errors.New("Authorization failed for specified action: Manage,EntityDelete.")
	}
	return errors.New("Manage,EntityRead claims required for this operation.")
}
