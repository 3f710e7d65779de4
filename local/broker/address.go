package broker

import (
	"net/url"
	"strings"
)

// Names that Service Bus gives to the nodes of a namespace and an entity. They
// are matched without regard to case, as clients write them differently.
const (
	nodeCBS        = "$cbs"
	nodeManagement = "$management"
	nodeDeadLetter = "$deadletterqueue"
	nodeTransfer   = "$transfer"
)

// address is where a link wants to go: a node of an entity, or $cbs.
type address struct {
	entity     string // folded name of the queue; empty for $cbs
	deadLetter bool   // the queue's $DeadLetterQueue
	transfer   bool   // with deadLetter: its $Transfer/$DeadLetterQueue
	management bool   // its $management node
	cbs        bool
}

// parseAddress takes a link address apart. It never fails: what has no meaning
// becomes the name of an entity that does not exist.
func parseAddress(s string) address { return addressOf(pathOf(s)) }

// addressOf takes the path of an address within its namespace apart.
func addressOf(path string) address {
	path = strings.ToLower(strings.Trim(path, "/"))
	if path == nodeCBS {
		return address{cbs: true}
	}
	var a address
	path, a.management = strings.CutSuffix(path, "/"+nodeManagement)
	if path, a.deadLetter = strings.CutSuffix(path, "/"+nodeDeadLetter); a.deadLetter {
		path, a.transfer = strings.CutSuffix(path, "/"+nodeTransfer)
	}
	a.entity = path
	return a
}

// pathOf strips scheme and authority from an address or audience that has
// them, such as amqp://host:port/queue or sb://host/queue.
func pathOf(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || strings.Contains(scheme, "/") { // the latter is a path that has :// in it
		return s
	}
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?") // of a request to the management API
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

// covers tells whether a token for the folded path audience is good for this
// address: audience names the whole namespace, the entity, or a node below it.
func (a address) covers(audience string) bool {
	own := a.path()
	return audience == "" || own == audience || strings.HasPrefix(own, audience+"/")
}

// path is the folded path of the address within its namespace.
func (a address) path() string {
	if a.cbs {
		return nodeCBS
	}
	path := a.entity
	if a.transfer {
		path += "/" + nodeTransfer
	}
	if a.deadLetter {
		path += "/" + nodeDeadLetter
	}
	if a.management {
		path += "/" + nodeManagement
	}
	return path
}
