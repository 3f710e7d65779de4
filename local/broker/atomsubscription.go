package broker

import "errors"

// subscriptionDescription is a subscription as the API shows it and takes it. What
// a request leaves out is the default. DefaultRule is the rule that a new
// subscription begins with; it is never shown.
type subscriptionDescription struct {
	Schema   string `xml:"xmlns,attr,omitempty"`
	Instance string `xml:"xmlns:i,attr,omitempty"`

	LockDuration                     *string          `xml:"LockDuration"`
	RequiresSession                  *bool            `xml:"RequiresSession"`
	DefaultMessageTimeToLive         *string          `xml:"DefaultMessageTimeToLive"`
	DeadLetteringOnMessageExpiration *bool            `xml:"DeadLetteringOnMessageExpiration"`
	DeadLetteringOnFilterFaults      *bool            `xml:"DeadLetteringOnFilterEvaluationExceptions"`
	DefaultRule                      *ruleDescription `xml:"DefaultRuleDescription"`
	MessageCount                     *int             `xml:"MessageCount"`
	MaxDeliveryCount                 *int             `xml:"MaxDeliveryCount"`
	EnableBatchedOperations          *bool            `xml:"EnableBatchedOperations"`
	Status                           *string          `xml:"Status"`
	ForwardTo                        *string          `xml:"ForwardTo"`
	CreatedAt                        string           `xml:"CreatedAt,omitempty"`
	UpdatedAt                        string           `xml:"UpdatedAt,omitempty"`
	AccessedAt                       string           `xml:"AccessedAt,omitempty"`
	UserMetadata                     *string          `xml:"UserMetadata"`
	CountDetails                     *countDetails    `xml:"CountDetails"`
	AutoDeleteOnIdle                 *string          `xml:"AutoDeleteOnIdle"`
	EntityAvailabilityStatus         string           `xml:"EntityAvailabilityStatus,omitempty"`
	ForwardDeadLetteredMessagesTo    *string          `xml:"ForwardDeadLetteredMessagesTo"`
	ClientAffine                     *bool            `xml:"IsClientAffine"`
}

// take reads a description that somebody sent into a subscription, as that of a
// queue is.
func (d *subscriptionDescription) take(name string) (Subscription, error) {
	sub := Subscription{Name: name, DeadLetteringOnFilterEvaluationExceptions: true} // as in Service Bus, unless said otherwise
	var f atomFaults
	f.bounded("LockDuration", d.LockDuration, &sub.LockDuration)
	f.span("DefaultMessageTimeToLive", d.DefaultMessageTimeToLive, &sub.DefaultMessageTimeToLive)
	f.span("AutoDeleteOnIdle", d.AutoDeleteOnIdle, &sub.AutoDeleteOnIdle)
	set(&sub.RequiresSession, d.RequiresSession)
	set(&sub.DeadLetteringOnMessageExpiration, d.DeadLetteringOnMessageExpiration)
	set(&sub.DeadLetteringOnFilterEvaluationExceptions, d.DeadLetteringOnFilterFaults)
	set(&sub.UserMetadata, d.UserMetadata)
	set((*string)(&sub.Status), d.Status)
	takeAddress(&sub.ForwardTo, d.ForwardTo)
	takeAddress(&sub.ForwardDeadLetteredMessagesTo, d.ForwardDeadLetteredMessagesTo)
	f.positive("MaxDeliveryCount", d.MaxDeliveryCount, &sub.MaxDeliveryCount)
	setNot(&sub.NoBatchedOperations, d.EnableBatchedOperations)
	f.refuseFlag("IsClientAffine", d.ClientAffine)
	if d.DefaultRule == nil {
		return sub, f.join()
	}
	rule, err := d.DefaultRule.take(d.DefaultRule.Name)
	if rule.Name == "" {
		rule.Name = defaultRuleName
	}
	sub.Rules = []Rule{rule}
	return sub, errors.Join(f.join(), err)
}

// describeSubscription shows a subscription as the API does.
func (s *Server) describeSubscription(e *entity) *subscriptionDescription {
	q := e.described()
	total, counts := showCounts(e.queue.Counts(s.options.Now()))
	accessed := e.accessedAt()
	if accessed.IsZero() { // unlike queues and topics, it was used by being made
		accessed = e.created
	}
	return &subscriptionDescription{
		Schema: nsServiceBus, Instance: nsInstance,
		LockDuration: shown(formatDuration(q.LockDuration)), RequiresSession: &q.RequiresSession,
		DefaultMessageTimeToLive:         shown(formatDuration(q.DefaultMessageTimeToLive)),
		DeadLetteringOnMessageExpiration: &q.DeadLetteringOnMessageExpiration,
		DeadLetteringOnFilterFaults:      shown(e.buriesFaults()), MessageCount: &total, MaxDeliveryCount: &q.MaxDeliveryCount,
		EnableBatchedOperations: shown(!q.NoBatchedOperations), Status: shown(string(q.Status)), ForwardTo: shownText(q.ForwardTo),
		CreatedAt: atomTime(e.created), UpdatedAt: atomTime(e.updatedAt()), AccessedAt: atomTime(accessed),
		UserMetadata: shownText(q.UserMetadata), CountDetails: counts, AutoDeleteOnIdle: shown(formatDuration(q.AutoDeleteOnIdle)),
		EntityAvailabilityStatus: available, ForwardDeadLetteredMessagesTo: shownText(q.ForwardDeadLetteredMessagesTo),
	}
}
