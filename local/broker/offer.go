package broker

import (
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/filter"
	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// propertyRuleName is the application property by which a copy that an action has
// changed names its rule.
const propertyRuleName = "RuleName"

// offer is a message of a topic as the rules of the subscriptions see it.
type offer struct {
	item       queue.Item
	sections   wire.Message
	properties wire.Properties
	message    filter.Message
}

func newOffer(p queue.Passed, now time.Time, where placement) (*offer, error) {
	item, err := passedItem(p, "", where)
	if err != nil {
		return nil, err
	}
	item.EnqueueAt, item.MessageID = time.Time{}, ""
	o := &offer{item: item}
	if o.sections, err = wire.Split(item.Payload); err != nil {
		return nil, err
	}
	if o.properties, err = o.sections.ParseProperties(); err != nil {
		return nil, err
	}
	application, err := o.sections.ParseApplicationProperties()
	if err != nil {
		return nil, err
	}
	for name, value := range p.Overlay {
		application = application.With(wire.Symbol(name), value)
		application[len(application)-1].Key = name
	}
	annotations, err := o.sections.ParseMessageAnnotations()
	if err != nil {
		return nil, err
	}
	system := systemValues(o.properties, annotations, item, now)
	o.message = filter.Message{
		System:      func(name string) (any, bool) { v, ok := system[name]; return v, ok },
		Application: filter.NewProperties(application),
	}
	return o, nil
}

// systemValues are the system properties that the message has, by the names of
// the filter grammar.
func systemValues(p wire.Properties, annotations wire.Map, item queue.Item, now time.Time) map[string]any {
	values := map[string]any{"EnqueuedTimeUtc": now, "Size": int64(len(item.Payload)), "DeliveryCount": int32(0)}
	for name, v := range map[string]any{"MessageId": p.MessageID, "CorrelationId": p.CorrelationID} {
		if v != nil {
			values[name] = v
		}
	}
	for name, v := range map[string]wire.Optional[string]{
		"To": p.To, "Label": p.Subject, "ReplyTo": p.ReplyTo, "SessionId": p.GroupID, "ReplyToSessionId": p.ReplyToGroupID,
	} {
		if v.Set {
			values[name] = v.Value
		}
	}
	if p.ContentType.Set {
		values["ContentType"] = string(p.ContentType.Value)
	}
	if item.TimeToLive > 0 {
		values["TimeToLive"] = item.TimeToLive
	}
	for name, annotation := range map[string]string{
		"PartitionKey": annotationPartitionKey, "ViaPartitionKey": "x-opt-via-partition-key", "ScheduledEnqueueTimeUtc": annotationScheduledTime,
	} {
		if v, ok := annotations.Get(annotation); ok {
			values[name] = v
		}
	}
	return values
}

// changed returns the copy of the message that a rule's action makes.
func (o *offer) changed(r *rule) (queue.Item, error) {
	changes, err := r.action.Apply(&o.message)
	if err != nil {
		return queue.Item{}, err
	}
	properties, header, annotations, err := o.apply(changes.System)
	if err != nil {
		return queue.Item{}, err
	}
	application := changes.Application.With(wire.Symbol(propertyRuleName), r.description.Name)
	application[len(application)-1].Key = propertyRuleName
	sections := o.sections
	if sections.ApplicationProperties, err = wire.AppendApplicationProperties(nil, application); err != nil {
		return queue.Item{}, err
	}
	payload, err := sections.AppendRewritten(nil, wire.Rewrite{Properties: properties, Header: header, MessageAnnotations: annotations})
	if err != nil {
		return queue.Item{}, err
	}
	item, err := makeItem(payload, wire.Rewrite{}, placement{})
	if err != nil {
		return queue.Item{}, err
	}
	// A subscription delivers at once, and looks for no duplicates (topic-filters,
	// "Actions").
	item.Hops, item.MessageID, item.EnqueueAt = o.item.Hops, "", time.Time{}
	return item, nil
}

// apply puts system properties that an action has set into their sections.
func (o *offer) apply(system map[string]any) (*wire.Properties, *wire.Header, wire.Map, error) {
	p := o.properties
	header, err := o.sections.ParseHeader()
	if err != nil {
		return nil, nil, nil, err
	}
	var annotations wire.Map
	for name, v := range system {
		text, set := v.(string)
		optional := wire.Optional[string]{Value: text, Set: set}
		switch name {
		case "MessageId":
			p.MessageID = v
		case "CorrelationId":
			p.CorrelationID = v
		case "To":
			p.To = optional
		case "Label":
			p.Subject = optional
		case "ReplyTo":
			p.ReplyTo = optional
		case "SessionId":
			p.GroupID = optional
		case "ReplyToSessionId":
			p.ReplyToGroupID = optional
		case "ContentType":
			p.ContentType = wire.Optional[wire.Symbol]{Value: wire.Symbol(text), Set: set}
		case "TimeToLive":
			span, _ := v.(time.Duration)
			header.TTL = wire.Optional[uint32]{Value: uint32(min(span.Milliseconds(), 1<<32-1)), Set: span > 0}
		case "PartitionKey":
			annotations = append(annotations, wire.Pair{Key: wire.Symbol(annotationPartitionKey), Value: v})
		case "ViaPartitionKey":
			annotations = append(annotations, wire.Pair{Key: wire.Symbol("x-opt-via-partition-key"), Value: v})
		case "ScheduledEnqueueTimeUtc":
			annotations = append(annotations, wire.Pair{Key: wire.Symbol(annotationScheduledTime), Value: v})
		}
	}
	return &p, &header, annotations, nil
}
