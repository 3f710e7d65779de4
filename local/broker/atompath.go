package broker

import "strings"

// atomPath is what a request to the management API is about: an entity of the
// namespace, a subscription of a topic, a rule of a subscription, or one of the
// lists of them.
type atomPath struct {
	entity             string // of the namespace; a topic's where there is more
	subscription, rule string
	list               atomList
}

type atomList int

const (
	listNone atomList = iota
	listQueues
	listTopics
	listSubscriptions
	listRules
	namespace
)

var atomRoots = map[string]atomList{"$namespaceinfo": namespace, "$resources/queues": listQueues, "$resources/topics": listTopics}

// parseAtomPath reads the path of a request. It is false for one that names
// nothing that there could be. Names may hold slashes if they are those of queues
// and topics.
func parseAtomPath(path string) (atomPath, bool) {
	path = strings.Trim(path, "/")
	if list, ok := atomRoots[strings.ToLower(path)]; ok {
		return atomPath{list: list}, true
	}
	topic, rest, below := cutFold(path, "/subscriptions")
	if !below {
		return atomPath{entity: path}, validQueueName(path)
	}
	p := atomPath{entity: topic}
	if rest == "" {
		p.list = listSubscriptions
		return p, validQueueName(topic)
	}
	rest = rest[1:]
	if p.subscription, rest, below = cutFold(rest, "/rules"); !below {
		p.subscription = rest
	} else if rest == "" {
		p.list = listRules
	} else {
		p.rule = rest[1:]
	}
	return p, validQueueName(topic) && p.subscription != "" && !strings.Contains(p.subscription, "/") && !strings.Contains(p.rule, "/")
}

// cutFold cuts a path at the first segment that is the word, whatever its case. The
// rest is empty or begins with a slash. Without one, the rest is the path.
func cutFold(path, word string) (before, rest string, found bool) {
	for start := range max(0, len(path)-len(word)+1) {
		end := start + len(word)
		if strings.EqualFold(path[start:end], word) && (end == len(path) || path[end] == '/') {
			return path[:start], path[end:], true
		}
	}
	return "", path, false
}

// operand names the kind of thing in errors of authorisation, as Service Bus does.
func (p atomPath) operand() string {
	switch {
	case p.list == listSubscriptions || p.subscription != "" && p.rule == "" && p.list == listNone:
		return "Subscription"
	case p.subscription != "":
		return "Rule"
	}
	return ""
}

// name is the path as it is called in errors.
func (p atomPath) name() string {
	name := p.entity
	if p.subscription != "" {
		name += subscriptions + p.subscription
	}
	if p.rule != "" {
		name += rulesSegment + p.rule
	}
	return name
}
