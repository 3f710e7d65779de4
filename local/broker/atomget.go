package broker

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A page of a list has defaultAtomPage entries unless more or fewer are asked for,
// and never more than maxAtomPage.
const (
	defaultAtomPage = 100
	maxAtomPage     = 5000
)

// get shows an entity, or a page of a list of them.
func (s *Server) get(r *http.Request, path atomPath) (any, error) {
	switch path.list {
	case namespace:
		return s.namespaceEntry(r), nil
	case listQueues:
		return entityFeed(s, r, "Queues", s.catalog.all(kindQueue))
	case listTopics:
		return entityFeed(s, r, "Topics", s.catalog.all(kindTopic))
	case listSubscriptions:
		t, err := s.catalog.findKind(kindTopic, path.entity)
		if err != nil {
			return nil, missing(path.entity)
		}
		return entityFeed(s, r, "Subscriptions", t.subscriptions())
	}
	if path.subscription != "" {
		return s.getSubscription(r, path)
	}
	if e, ok := s.catalog.find(strings.ToLower(path.entity)); ok {
		return s.entry(r, e), nil
	}
	// So does Service Bus: no entity is an empty list of what is public.
	return s.feed(r, "Publicly Listed Services"), nil
}

// getSubscription shows a subscription, its rules, or one of them.
func (s *Server) getSubscription(r *http.Request, path atomPath) (any, error) {
	sub, err := s.catalog.findKind(kindSubscription, path.entity+subscriptions+path.subscription)
	switch {
	case err != nil:
		return nil, missing(path.name())
	case path.list == listRules:
		return page(s, r, "Rules", sub.rules(), func(rule *rule) *atomEntry { return ruleEntry(r, sub, rule) })
	case path.rule == "":
		return s.entry(r, sub), nil
	}
	found, ok := sub.rule(path.rule)
	if !ok {
		return nil, missing(path.name())
	}
	return ruleEntry(r, sub, found), nil
}

// missing answers for an entity that is not there.
func missing(name string) error {
	return &atomFault{http.StatusNotFound, "SubCode=40400. " + notFound(name)}
}

func entityFeed(s *Server, r *http.Request, title string, all []*entity) (*atomFeed, error) {
	return page(s, r, title, all, func(e *entity) *atomEntry { return s.entry(r, e) })
}

// page is the part of a list that a request asks for: $top entries from $skip on.
// It links to the next where there is more.
func page[T any](s *Server, r *http.Request, title string, all []T, show func(T) *atomEntry) (*atomFeed, error) {
	query := r.URL.Query()
	skip, top := 0, defaultAtomPage
	for name, to := range map[string]*int{"$skip": &skip, "$top": &top} {
		if text := query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%s must be a number", name)
			}
			*to = n
		}
	}
	rest := all[min(skip, len(all)):]
	shown := rest[:min(top, maxAtomPage, len(rest))]
	feed := s.feed(r, title)
	for _, v := range shown {
		feed.entries = append(feed.entries, func() *atomEntry {
			entry := show(v)
			entry.Schema = ""
			return entry
		})
	}
	if len(shown) > 0 && len(shown) < len(rest) {
		query.Set("$skip", strconv.Itoa(skip+len(shown)))
		next := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		feed.Links = append(feed.Links, atomLink{"next", next.String()})
	}
	return feed, nil
}

func (s *Server) feed(r *http.Request, title string) *atomFeed {
	self := "https://" + r.Host + r.URL.RequestURI()
	return &atomFeed{
		Schema: nsAtom, ID: self, Title: atomText{"text", title}, Updated: atomTime(s.options.Now()), Links: []atomLink{{"self", self}},
	}
}

// entry describes an entity. A subscription's title is its name alone.
func (s *Server) entry(r *http.Request, e *entity) *atomEntry {
	self := "https://" + r.Host + "/" + e.path
	entry := &atomEntry{
		Schema: nsAtom, ID: self, Title: atomText{"text", e.path}, Published: atomTime(e.created), Updated: atomTime(e.updatedAt()),
		Author: namespaceOf(r.Host), Link: atomLink{"self", self}, Content: atomContent{Type: "application/xml"},
	}
	switch e.kind {
	case kindQueue:
		entry.Content.Queue = s.describeQueue(e)
	case kindTopic:
		entry.Content.Topic = s.describeTopic(e)
	case kindSubscription:
		entry.Title.Text = e.subscription.name
		entry.Content.Subscription = s.describeSubscription(e)
	}
	return entry
}

// ruleEntry describes a rule of a subscription.
func ruleEntry(r *http.Request, sub *entity, rule *rule) *atomEntry {
	name, created := rule.description.Name, atomTime(rule.created)
	self := "https://" + r.Host + "/" + sub.path + rulesSegment + name
	return &atomEntry{
		Schema: nsAtom, ID: self, Title: atomText{"text", name}, Published: created, Updated: created,
		Link: atomLink{"self", self}, Author: namespaceOf(r.Host),
		Content: atomContent{Type: "application/xml", Rule: describeRule(rule)},
	}
}

func (s *Server) namespaceEntry(r *http.Request) *atomEntry {
	self := "https://" + r.Host + "/$namespaceinfo"
	started := atomTime(s.started)
	return &atomEntry{
		Schema: nsAtom, ID: self, Title: atomText{"text", namespaceOf(r.Host)}, Updated: started, Author: namespaceOf(r.Host), Link: atomLink{"self", self},
		Content: atomContent{Type: "application/xml", Namespace: &namespaceInfo{
			Schema: nsServiceBus, CreatedTime: started, MessagingSKU: "Standard", ModifiedTime: started, Name: namespaceOf(r.Host), Type: "Messaging",
		}},
	}
}
