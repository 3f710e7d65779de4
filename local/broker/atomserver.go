package broker

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	// maxAtomBody bounds a description, maxAtomPage a page of a list.
	maxAtomBody = 1 << 20
	maxAtomPage = 100
	// namespaceName is what the namespace calls itself.
	namespaceName = "sbemulatorns"
)

// ManagementHandler serves the management API: Atom entries over HTTP that
// describe the entities, by which azservicebus/admin and others make, change and
// delete queues. A request needs a shared access signature for what it is about,
// in the header Authorization.
func (s *Server) ManagementHandler() http.Handler { return http.HandlerFunc(s.manage) }

// atomFault is an error with its HTTP status.
type atomFault struct {
	status int
	detail string
}

func (f *atomFault) Error() string { return f.detail }

func (s *Server) manage(w http.ResponseWriter, r *http.Request) {
	document, status, err := s.managed(r)
	if err != nil {
		var fault *atomFault
		if !errors.As(err, &fault) {
			fault = &atomFault{http.StatusBadRequest, "SubCode=40000. " + err.Error()}
		}
		status, document = fault.status, atomError{Code: fault.status, Detail: fault.detail}
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	if document == nil {
		return
	}
	if err := xml.NewEncoder(w).Encode(document); err != nil {
		s.options.Logger.Debug("peer lost", "error", err)
	}
}

// managed answers one request with a document, nil for none.
func (s *Server) managed(r *http.Request) (any, int, error) {
	if err := s.mayManage(r); err != nil {
		return nil, 0, &atomFault{http.StatusUnauthorized, err.Error()}
	}
	path := strings.Trim(r.URL.Path, "/")
	switch folded := strings.ToLower(path); {
	case r.Method == http.MethodGet && folded == "$namespaceinfo":
		return s.namespaceEntry(r), http.StatusOK, nil
	case r.Method == http.MethodGet && folded == "$resources/queues":
		feed, err := s.queueFeed(r)
		return feed, http.StatusOK, err
	case strings.HasPrefix(folded, "$") || strings.Contains(folded, "/subscriptions"):
		return nil, 0, &atomFault{http.StatusNotImplemented, "not supported by this broker"}
	}
	switch r.Method {
	case http.MethodGet:
		if e, ok := s.catalog.find(strings.ToLower(path)); ok {
			return s.entry(r, e), http.StatusOK, nil
		}
		// So does Service Bus: no entity is an empty list of what is public.
		return s.feed(r, "Publicly Listed Services", nil), http.StatusOK, nil
	case http.MethodPut:
		return s.putQueue(r, path)
	case http.MethodDelete:
		if err := s.DeleteQueue(path); err != nil {
			return nil, 0, &atomFault{http.StatusNotFound, "SubCode=40400. " + notFound(path)}
		}
		return nil, http.StatusOK, nil
	}
	return nil, 0, &atomFault{http.StatusMethodNotAllowed, "the method is not allowed"}
}

// mayManage checks that the request has a token with the right to manage.
func (s *Server) mayManage(r *http.Request) error {
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
	case given.rights&rightManageOnly == 0:
		return fmt.Errorf("Unauthorized access. 'Manage' claim(s) are required to perform this operation.")
	}
	return nil
}

// putQueue makes a queue or, where If-Match says that it is there, changes it.
func (s *Server) putQueue(r *http.Request, path string) (any, int, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAtomBody))
	if err != nil {
		return nil, 0, fmt.Errorf("read request: %w", err)
	}
	var entry atomEntry
	if err := xml.Unmarshal(body, &entry); err != nil {
		return nil, 0, fmt.Errorf("read entry: %w", err)
	}
	if entry.Content.Queue == nil {
		return nil, 0, &atomFault{http.StatusNotImplemented, "entities other than queues are not supported by this broker"}
	}
	q, err := entry.Content.Queue.take(path)
	if err != nil {
		return nil, 0, err
	}
	put, status := s.CreateQueue, http.StatusCreated
	if r.Header.Get("If-Match") != "" {
		put, status = s.UpdateQueue, http.StatusOK
	}
	switch err := put(q); {
	case errors.Is(err, ErrEntityExists):
		return nil, 0, &atomFault{http.StatusConflict, fmt.Sprintf("SubCode=40900. Conflict. The messaging entity '%s' already exists.", path)}
	case errors.Is(err, ErrUnknownEntity):
		return nil, 0, &atomFault{http.StatusNotFound, "SubCode=40400. " + notFound(path)}
	case err != nil:
		return nil, 0, err
	}
	e, ok := s.catalog.find(strings.ToLower(path))
	if !ok { // deleted by somebody else in this moment
		return nil, 0, &atomFault{http.StatusNotFound, "SubCode=40400. " + notFound(path)}
	}
	return s.entry(r, e), status, nil
}

// queueFeed lists queues from $skip on, $top of them.
func (s *Server) queueFeed(r *http.Request) (*atomFeed, error) {
	skip, top := 0, maxAtomPage
	for name, to := range map[string]*int{"$skip": &skip, "$top": &top} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%s must be a number", name)
			}
			*to = n
		}
	}
	all := s.catalog.all()
	all = all[min(skip, len(all)):]
	return s.feed(r, "Queues", all[:min(top, maxAtomPage, len(all))]), nil
}

func (s *Server) feed(r *http.Request, title string, entities []*entity) *atomFeed {
	self := "https://" + r.Host + r.URL.RequestURI()
	feed := &atomFeed{
		Schema: nsAtom, ID: self, Title: atomText{"text", title}, Updated: atomTime(s.options.Now()), Link: atomLink{"self", self},
	}
	for _, e := range entities {
		entry := s.entry(r, e)
		entry.Schema = ""
		feed.Entries = append(feed.Entries, *entry)
	}
	return feed
}

// entry describes an entity.
func (s *Server) entry(r *http.Request, e *entity) *atomEntry {
	self := "https://" + r.Host + "/" + e.path
	return &atomEntry{
		Schema: nsAtom, ID: self, Title: atomText{"text", e.path}, Published: atomTime(e.created), Updated: atomTime(e.updatedAt()),
		Author: namespaceName, Link: atomLink{"self", self},
		Content: atomContent{Type: "application/xml", Queue: s.describe(e)},
	}
}

func (s *Server) namespaceEntry(r *http.Request) *atomEntry {
	self := "https://" + r.Host + "/$namespaceinfo"
	started := atomTime(s.started)
	return &atomEntry{
		Schema: nsAtom, ID: self, Title: atomText{"text", namespaceName}, Updated: started, Author: namespaceName, Link: atomLink{"self", self},
		Content: atomContent{Type: "application/xml", Namespace: &namespaceInfo{
			Schema: nsServiceBus, CreatedTime: started, MessagingSKU: "Standard", ModifiedTime: started, Name: namespaceName, Type: "Messaging",
		}},
	}
}
