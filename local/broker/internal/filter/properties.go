package filter

import (
	"strings"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Properties are application properties that are found by name whatever the case.
// They are made once for a message and then read by all rules of a topic.
type Properties struct {
	pairs wire.Map
	// folded holds the name of each pair in lower case.
	folded []string
	// index finds the first pair of a name; nil while there are few enough to look at
	// each.
	index map[string]int
}

// maxScanned is the number of properties up to which a scan is cheaper than a map.
const maxScanned = 8

// NewProperties makes Properties of the application-properties section of a
// message. It keeps pairs and does not change them. When two names differ in case
// only, the first is found.
func NewProperties(pairs wire.Map) *Properties {
	p := &Properties{pairs: pairs, folded: make([]string, len(pairs))}
	for i, pair := range pairs {
		p.folded[i] = strings.ToLower(keyText(pair.Key))
	}
	if len(pairs) <= maxScanned {
		return p
	}
	p.index = make(map[string]int, len(pairs))
	for i, name := range p.folded {
		if _, known := p.index[name]; !known {
			p.index[name] = i
		}
	}
	return p
}

func keyText(key any) string {
	switch k := key.(type) {
	case string:
		return k
	case wire.Symbol:
		return string(k)
	}
	return ""
}

// find returns the place of a name in lower case, -1 when it is not there.
func (p *Properties) find(folded string) int {
	if p == nil {
		return -1
	}
	if p.index != nil {
		if i, found := p.index[folded]; found {
			return i
		}
		return -1
	}
	for i, name := range p.folded {
		if name == folded {
			return i
		}
	}
	return -1
}

// user returns the value of an application property by its name in lower case,
// unknown when the message has none.
func (m *Message) user(folded string) (value, bool) {
	i := m.Application.find(folded)
	if i < 0 {
		return value{}, false
	}
	return load(m.Application.pairs[i].Value), true
}
