package broker

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// put makes what a request describes or, where If-Match says that it is there,
// changes it.
func (s *Server) put(w http.ResponseWriter, r *http.Request, path atomPath) (any, int, error) {
	match := r.Header.Get("If-Match")
	if match != "" && match != "*" {
		return nil, 0, &atomFault{http.StatusPreconditionFailed, "If-Match: only * is supported by this broker"}
	}
	body, err := s.readBody(w, r)
	defer body.end()
	if err != nil {
		return nil, 0, err
	}
	update := match != ""
	status := http.StatusCreated
	if update {
		status = http.StatusOK
	}
	var content atomContent
	if content, err = body.parse(); err != nil {
		return nil, 0, err
	}
	if named := path.entity + "/" + path.subscription; !update && path.rule == "" && path.list == listNone && strings.ContainsFunc(named, forbiddenInName) {
		return nil, 0, fmt.Errorf("'https://%s%s' contains character(s) that is not allowed by Service Bus. "+
			"Entity segments can contain only letters, numbers, periods (.), hyphens (-), and underscores (_).", r.Host, r.URL.RequestURI())
	}
	if err := s.describeAnew(&path, content, update); err != nil {
		return nil, 0, storeFault(err, path.name())
	}
	document, err := s.get(r, path)
	if _, shown := document.(*atomEntry); err == nil && !shown {
		err = missing(path.name()) // somebody has deleted it already
	}
	return document, status, err
}

// forbiddenInName tells what no entity is named by that the management API makes. The
// slash is between segments.
func forbiddenInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/", r)
}

// storeFault tells what went wrong with the entity of a name.
func storeFault(err error, name string) error {
	switch {
	case errors.Is(err, ErrEntityExists):
		return &atomFault{http.StatusConflict, "SubCode=40900. Conflict. " + exists(name)}
	case errors.Is(err, ErrUnknownEntity):
		return missing(name)
	case errors.Is(err, ErrQuotaExceeded):
		return &atomFault{http.StatusForbidden, err.Error()}
	case errors.Is(err, errNoTarget):
		return &atomFault{http.StatusBadRequest, "SubCode=40400. " + err.Error()}
	case errors.Is(err, store.ErrRefused):
		return &atomFault{http.StatusServiceUnavailable, err.Error()}
	}
	return err
}

// parseAtomEntry reads an entry with one description.
func parseAtomEntry(body []byte) (atomContent, error) {
	var entry atomEntry
	if err := xml.Unmarshal(body, &entry); err != nil {
		return atomContent{}, fmt.Errorf("read entry: %w", err)
	}
	return entry.Content, nil
}

// describeAnew makes or changes what is described. A rule whose path is that of all
// rules is named by its description.
func (s *Server) describeAnew(path *atomPath, c atomContent, update bool) error {
	switch {
	case path.subscription != "" && (path.rule != "" || path.list == listRules):
		return s.storeRule(path, c.Rule, update)
	case path.list != listNone:
		return errors.New("a list can't be written")
	case path.subscription != "":
		return s.storeSubscription(*path, c.Subscription, update)
	case c.Queue != nil:
		q, err := c.Queue.take(path.entity, s.options.MaxMessageSize, update)
		return storeBy(err, q, update, s.createQueue, s.updateQueue)
	case c.Topic != nil:
		t, err := c.Topic.take(path.entity, s.options.MaxMessageSize, update)
		return storeBy(err, t, update, s.createTopic, s.updateTopic)
	}
	return errors.New("the entry holds no QueueDescription and no TopicDescription")
}

func storeBy[T any](err error, description T, update bool, create, change func(T) error) error {
	switch {
	case err != nil:
		return err
	case update:
		return change(description)
	}
	return create(description)
}

func (s *Server) storeSubscription(path atomPath, d *subscriptionDescription, update bool) error {
	if d == nil {
		return errors.New("the entry holds no SubscriptionDescription")
	}
	sub, err := d.take(path.subscription)
	return storeBy(err, sub, update,
		func(d Subscription) error { return s.createSubscription(path.entity, d) },
		func(d Subscription) error { return s.updateSubscription(path.entity, d) })
}

func (s *Server) storeRule(path *atomPath, d *ruleDescription, update bool) error {
	switch {
	case d == nil:
		return errors.New("the entry holds no RuleDescription")
	case path.rule == "":
		path.rule, path.list = d.Name, listNone
	case d.Name != "" && !strings.EqualFold(d.Name, path.rule):
		return fmt.Errorf("the rule is named %q by its description, and %q by the path", d.Name, path.rule)
	}
	rule, err := d.take(path.rule)
	return storeBy(err, rule, update,
		func(d Rule) error { return s.createRule(path.entity, path.subscription, d) },
		func(d Rule) error { return s.updateRule(path.entity, path.subscription, d) })
}

// deleteAt ends the entity or removes the rule that a path names.
func (s *Server) deleteAt(path atomPath) error {
	switch {
	case path.list != listNone:
		return errors.New("a list can't be deleted")
	case path.rule != "":
		return storeFault(s.deleteRule(path.entity, path.subscription, path.rule), path.name())
	case path.subscription != "":
		return storeFault(s.delete(kindSubscription, path.entity+subscriptions+path.subscription), path.name())
	}
	if e, ok := s.catalog.find(strings.ToLower(path.entity)); !ok || !s.remove(e) {
		return missing(path.entity)
	}
	return nil
}
