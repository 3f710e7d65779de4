package broker

// topicDescription is a topic as the API shows it and takes it. What a request
// leaves out is the default.
type topicDescription struct {
	Schema   string `xml:"xmlns,attr,omitempty"`
	Instance string `xml:"xmlns:i,attr,omitempty"`

	DefaultMessageTimeToLive            *string       `xml:"DefaultMessageTimeToLive"`
	MaxSizeInMegabytes                  *int          `xml:"MaxSizeInMegabytes"`
	RequiresDuplicateDetection          *bool         `xml:"RequiresDuplicateDetection"`
	DuplicateDetectionHistoryTimeWindow *string       `xml:"DuplicateDetectionHistoryTimeWindow"`
	EnableBatchedOperations             *bool         `xml:"EnableBatchedOperations"`
	SizeInBytes                         *int64        `xml:"SizeInBytes"`
	FilteringMessagesBeforePublishing   *bool         `xml:"FilteringMessagesBeforePublishing"`
	IsAnonymousAccessible               *bool         `xml:"IsAnonymousAccessible"`
	AuthorizationRules                  *atomRights   `xml:"AuthorizationRules"`
	Status                              *string       `xml:"Status"`
	UserMetadata                        *string       `xml:"UserMetadata"`
	CreatedAt                           string        `xml:"CreatedAt,omitempty"`
	UpdatedAt                           string        `xml:"UpdatedAt,omitempty"`
	AccessedAt                          string        `xml:"AccessedAt,omitempty"`
	SupportOrdering                     *bool         `xml:"SupportOrdering"`
	CountDetails                        *countDetails `xml:"CountDetails"`
	SubscriptionCount                   *int          `xml:"SubscriptionCount"`
	AutoDeleteOnIdle                    *string       `xml:"AutoDeleteOnIdle"`
	EnablePartitioning                  *bool         `xml:"EnablePartitioning"`
	EntityAvailabilityStatus            string        `xml:"EntityAvailabilityStatus,omitempty"`
	EnableSubscriptionPartitioning      *bool         `xml:"EnableSubscriptionPartitioning"`
	EnableExpress                       *bool         `xml:"EnableExpress"`
	MaxMessageSizeInKilobytes           *int64        `xml:"MaxMessageSizeInKilobytes"`
	SQLFilterCount                      *int          `xml:"SqlFilterCount"`
	CorrelationFilterCount              *int          `xml:"CorrelationFilterCount"`
}

// take reads a description that somebody sent into a topic, as that of a queue is.
func (d *topicDescription) take(name string, size int, update bool) (Topic, error) {
	t := Topic{Name: name}
	var f atomFaults
	f.span("DefaultMessageTimeToLive", d.DefaultMessageTimeToLive, &t.DefaultMessageTimeToLive)
	f.bounded("DuplicateDetectionHistoryTimeWindow", d.DuplicateDetectionHistoryTimeWindow, &t.DuplicateDetectionHistoryTimeWindow)
	f.span("AutoDeleteOnIdle", d.AutoDeleteOnIdle, &t.AutoDeleteOnIdle)
	set(&t.RequiresDuplicateDetection, d.RequiresDuplicateDetection)
	set(&t.UserMetadata, d.UserMetadata)
	set((*string)(&t.Status), d.Status)
	set(&t.EnablePartitioning, d.EnablePartitioning)
	set(&t.EnableExpress, d.EnableExpress)
	t.AuthorizationRules = d.AuthorizationRules.take(&f)
	f.entitySize(d.MaxSizeInMegabytes, t.EnablePartitioning, update, &t.MaxSizeInMegabytes)
	setNot(&t.NoBatchedOperations, d.EnableBatchedOperations)
	setNot(&t.NoOrdering, d.SupportOrdering)
	f.refuseFlag("FilteringMessagesBeforePublishing", d.FilteringMessagesBeforePublishing)
	f.refuseFlag("IsAnonymousAccessible", d.IsAnonymousAccessible)
	f.refuseFlag("EnableSubscriptionPartitioning", d.EnableSubscriptionPartitioning)
	f.messageSize(d.MaxMessageSizeInKilobytes, ordinarySize(size, t.EnablePartitioning), &t.MaxMessageSizeInKilobytes)
	return t, f.join()
}

// describeTopic shows a topic as the API does.
func (s *Server) describeTopic(e *entity) *topicDescription {
	q := e.described()
	_, counts := showCounts(e.queue.Counts(s.options.Now()))
	subs := e.subscriptions()
	count, size, kilobytes := len(subs), e.size(), int64(s.maxMessageSize(e)>>10)
	sql, correlation := countFilters(subs)
	return &topicDescription{
		Schema: nsServiceBus, Instance: nsInstance,
		DefaultMessageTimeToLive: shown(formatDuration(q.DefaultMessageTimeToLive)), MaxSizeInMegabytes: &q.MaxSizeInMegabytes,
		RequiresDuplicateDetection:          &q.RequiresDuplicateDetection,
		DuplicateDetectionHistoryTimeWindow: shown(formatDuration(q.DuplicateDetectionHistoryTimeWindow)),
		EnableBatchedOperations:             shown(!q.NoBatchedOperations), SizeInBytes: &size,
		FilteringMessagesBeforePublishing: shown(false), IsAnonymousAccessible: shown(false), AuthorizationRules: showRights(q.AuthorizationRules),
		Status: shown(string(q.Status)), UserMetadata: shownText(q.UserMetadata),
		CreatedAt: atomTime(e.created), UpdatedAt: atomTime(e.updatedAt()), AccessedAt: accessTime(e.accessedAt()),
		SupportOrdering: shown(!q.NoOrdering), CountDetails: counts, SubscriptionCount: &count,
		AutoDeleteOnIdle: shown(formatDuration(q.AutoDeleteOnIdle)), EnablePartitioning: &q.EnablePartitioning, EntityAvailabilityStatus: available,
		EnableSubscriptionPartitioning: shown(false), EnableExpress: &q.EnableExpress, MaxMessageSizeInKilobytes: &kilobytes,
		SQLFilterCount: &sql, CorrelationFilterCount: &correlation,
	}
}

// countFilters counts the filters of subscriptions. Those that match always or
// never are SQL to Service Bus.
func countFilters(subs []*entity) (sql, correlation int) {
	for _, sub := range subs {
		c, s := countRules(sub.rules())
		correlation, sql = correlation+c, sql+s
	}
	return sql, correlation
}
