package filter

import (
	"math"
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// workspace is the copy of the properties that an action works on.
type workspace struct {
	// message is how expressions see the copy.
	message     Message
	application *Properties
	// system holds what was set, nil where it was removed.
	system map[string]any
}

func newWorkspace(m *Message) *workspace {
	w := &workspace{application: m.Application.clone()}
	w.message = Message{Application: w.application, System: func(name string) (any, bool) {
		if v, changed := w.system[name]; changed {
			return v, v != nil
		}
		if m.System == nil {
			return nil, false
		}
		return m.System(name)
	}}
	return w
}

// setSystem sets a system property, or removes it when the value is null.
func (w *workspace) setSystem(p sysProperty, v value) error {
	if p.known == nil {
		return failed("there is no system property '%s'", quoted(p.written))
	}
	if p.known.settable == readOnly {
		return failed("the system property '%s' cannot be set", p.known.name)
	}
	converted, ok := p.known.settable.convert(v)
	if !ok {
		return failed("the system property '%s' cannot hold a value of type '%v'", p.known.name, v.kind)
	}
	if w.system == nil {
		w.system = make(map[string]any)
	}
	w.system[p.known.name] = converted
	return nil
}

// convert returns the value as the type that a system property takes, nil for null.
func (t target) convert(v value) (any, bool) {
	if v.kind.absent() {
		return nil, true
	}
	switch {
	case t == textTarget:
		return v.string()
	case t == spanTarget && v.kind == kindTimeSpan:
		const most = math.MaxInt64 / 100
		return time.Duration(max(-most, min(most, v.integer())) * 100), true
	case t == timeTarget && v.kind == kindDateTime:
		return wire.Timestamp(floorDivide(v.integer(), ticksPerMillisecond)), true
	}
	return nil, false
}

// clone returns a copy to be changed. It has no index: actions are short.
func (p *Properties) clone() *Properties {
	if p == nil {
		return &Properties{}
	}
	return &Properties{pairs: slices.Clone(p.pairs), folded: slices.Clone(p.folded)}
}

// set gives a property a value, which takes the type that the property had before if
// it can.
func (p *Properties) set(property userProperty, v value) {
	i := p.find(property.folded)
	if i < 0 {
		p.pairs = append(p.pairs, wire.Pair{Key: property.written, Value: v.native()})
		p.folded = append(p.folded, property.folded)
		return
	}
	p.pairs[i].Value = v.like(p.pairs[i].Value)
}

// remove takes all properties of the name away.
func (p *Properties) remove(property userProperty) {
	for i := p.find(property.folded); i >= 0; i = p.find(property.folded) {
		p.pairs = slices.Delete(p.pairs, i, i+1)
		p.folded = slices.Delete(p.folded, i, i+1)
	}
}
