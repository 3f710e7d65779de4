package broker

// take reads a description that somebody sent into a queue. Everything that is
// asked for and not there is a fault: nothing is silently done otherwise.
func (d *queueDescription) take(name string, size int, update bool) (Queue, error) {
	q := Queue{Name: name}
	var f atomFaults
	f.bounded("LockDuration", d.LockDuration, &q.LockDuration)
	f.span("DefaultMessageTimeToLive", d.DefaultMessageTimeToLive, &q.DefaultMessageTimeToLive)
	f.bounded("DuplicateDetectionHistoryTimeWindow", d.DuplicateDetectionHistoryTimeWindow, &q.DuplicateDetectionHistoryTimeWindow)
	f.span("AutoDeleteOnIdle", d.AutoDeleteOnIdle, &q.AutoDeleteOnIdle)
	set(&q.RequiresSession, d.RequiresSession)
	set(&q.RequiresDuplicateDetection, d.RequiresDuplicateDetection)
	set(&q.DeadLetteringOnMessageExpiration, d.DeadLetteringOnMessageExpiration)
	set(&q.UserMetadata, d.UserMetadata)
	set((*string)(&q.Status), d.Status)
	takeAddress(&q.ForwardTo, d.ForwardTo)
	takeAddress(&q.ForwardDeadLetteredMessagesTo, d.ForwardDeadLetteredMessagesTo)
	f.positive("MaxDeliveryCount", d.MaxDeliveryCount, &q.MaxDeliveryCount)
	set(&q.EnablePartitioning, d.EnablePartitioning)
	set(&q.EnableExpress, d.EnableExpress)
	q.AuthorizationRules = d.AuthorizationRules.take(&f)
	f.entitySize(d.MaxSizeInMegabytes, q.EnablePartitioning, update, &q.MaxSizeInMegabytes)
	setNot(&q.NoBatchedOperations, d.EnableBatchedOperations)
	setNot(&q.NoOrdering, d.SupportOrdering)
	f.refuseFlag("IsAnonymousAccessible", d.IsAnonymousAccessible)
	f.messageSize(d.MaxMessageSizeInKilobytes, ordinarySize(size, q.EnablePartitioning), &q.MaxMessageSizeInKilobytes)
	return q, f.join()
}

// describeQueue shows a queue as the API does. The limits that this broker does not
// have are told as Service Bus's defaults.
func (s *Server) describeQueue(e *entity) *queueDescription {
	q := e.described()
	c := e.queue.Counts(s.options.Now())
	total, counts := showCounts(c)
	size, kilobytes := e.queue.Size(), int64(s.maxMessageSize(e)>>10)
	return &queueDescription{
		Schema: nsServiceBus, Instance: nsInstance,
		LockDuration: shown(formatDuration(q.LockDuration)), MaxSizeInMegabytes: &q.MaxSizeInMegabytes,
		RequiresDuplicateDetection: &q.RequiresDuplicateDetection, RequiresSession: &q.RequiresSession,
		DefaultMessageTimeToLive:            shown(formatDuration(q.DefaultMessageTimeToLive)),
		DeadLetteringOnMessageExpiration:    &q.DeadLetteringOnMessageExpiration,
		DuplicateDetectionHistoryTimeWindow: shown(formatDuration(q.DuplicateDetectionHistoryTimeWindow)),
		MaxDeliveryCount:                    &q.MaxDeliveryCount, EnableBatchedOperations: shown(!q.NoBatchedOperations),
		SizeInBytes: &size, MessageCount: &total, IsAnonymousAccessible: shown(false), AuthorizationRules: showRights(q.AuthorizationRules),
		Status: shown(string(q.Status)), ForwardTo: shownText(q.ForwardTo), UserMetadata: shownText(q.UserMetadata),
		CreatedAt: atomTime(e.created), UpdatedAt: atomTime(e.updatedAt()), AccessedAt: accessTime(e.accessedAt()),
		SupportOrdering: shown(!q.NoOrdering), CountDetails: counts, AutoDeleteOnIdle: shown(formatDuration(q.AutoDeleteOnIdle)),
		EnablePartitioning: &q.EnablePartitioning, EntityAvailabilityStatus: available,
		ForwardDeadLetteredMessagesTo: shownText(q.ForwardDeadLetteredMessagesTo), EnableExpress: &q.EnableExpress,
		MaxMessageSizeInKilobytes: &kilobytes,
	}
}
