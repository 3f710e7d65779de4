package broker

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// take reads a description that somebody sent into a queue. Everything that is
// asked for and not there is a fault: nothing is silently done otherwise.
func (d *queueDescription) take(name string) (Queue, error) {
	q := Queue{Name: name}
	var faults []error
	span := func(field string, text *string, to *time.Duration) {
		if text == nil || *text == "" {
			return
		}
		v, err := parseDuration(*text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", field, err))
		}
		*to = v
	}
	span("LockDuration", d.LockDuration, &q.LockDuration)
	span("DefaultMessageTimeToLive", d.DefaultMessageTimeToLive, &q.DefaultMessageTimeToLive)
	span("DuplicateDetectionHistoryTimeWindow", d.DuplicateDetectionHistoryTimeWindow, &q.DuplicateDetectionHistoryTimeWindow)
	set(&q.RequiresSession, d.RequiresSession)
	set(&q.RequiresDuplicateDetection, d.RequiresDuplicateDetection)
	set(&q.DeadLetteringOnMessageExpiration, d.DeadLetteringOnMessageExpiration)
	set(&q.MaxDeliveryCount, d.MaxDeliveryCount)
	set(&q.UserMetadata, d.UserMetadata)
	set((*string)(&q.Status), d.Status)
	for _, f := range []struct {
		given *string
		to    *string
	}{{d.ForwardTo, &q.ForwardTo}, {d.ForwardDeadLetteredMessagesTo, &q.ForwardDeadLetteredMessagesTo}} {
		if f.given != nil {
			*f.to = entityOf(*f.given)
		}
	}
	var idle time.Duration
	span("AutoDeleteOnIdle", d.AutoDeleteOnIdle, &idle)
	for _, unsupported := range []struct {
		asked bool
		what  string
	}{
		{idle != 0, "AutoDeleteOnIdle"},
		{d.EnablePartitioning != nil && *d.EnablePartitioning, "EnablePartitioning"},
		{d.EnableExpress != nil && *d.EnableExpress, "EnableExpress"},
		{d.AuthorizationRules != nil && len(d.AuthorizationRules.Rules) > 0, "AuthorizationRules"},
	} {
		if unsupported.asked {
			faults = append(faults, fmt.Errorf("%s: not supported by this broker", unsupported.what))
		}
	}
	return q, errors.Join(faults...)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// entityOf returns the path of an entity that is named by it or by its address.
func entityOf(name string) string {
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		name = u.Path
	}
	return strings.Trim(name, "/")
}

// describe shows a queue as the API does. The limits that this broker does not
// have are told as Service Bus's defaults.
func (s *Server) describe(e *entity) *queueDescription {
	q := e.described()
	now := s.options.Now()
	c := e.queue.Counts(now)
	total := c.Active + c.Deferred + c.Locked + c.Scheduled + c.DeadLettered
	yes, no := true, false
	never, status := unbounded, string(q.Status)
	megabytes, kilobytes := int64(1024), int64(s.options.MaxMessageSize>>10)
	lock, lives, window := formatDuration(q.LockDuration), formatDuration(q.DefaultMessageTimeToLive), formatDuration(q.DuplicateDetectionHistoryTimeWindow)
	size := e.queue.Size()
	d := &queueDescription{
		Schema: nsServiceBus, Instance: nsInstance,
		LockDuration: &lock, MaxSizeInMegabytes: &megabytes, RequiresDuplicateDetection: &q.RequiresDuplicateDetection,
		RequiresSession: &q.RequiresSession, DefaultMessageTimeToLive: &lives,
		DeadLetteringOnMessageExpiration: &q.DeadLetteringOnMessageExpiration, DuplicateDetectionHistoryTimeWindow: &window,
		MaxDeliveryCount: &q.MaxDeliveryCount, EnableBatchedOperations: &yes, SizeInBytes: &size, MessageCount: &total,
		IsAnonymousAccessible: &no, AuthorizationRules: &rights{}, Status: &status,
		CreatedAt: atomTime(e.created), UpdatedAt: atomTime(e.updatedAt()), AccessedAt: atomTime(now), SupportOrdering: &yes,
		CountDetails: &countDetails{
			Prefix: nsCounts, Active: c.Active + c.Deferred + c.Locked, DeadLetter: c.DeadLettered, Scheduled: c.Scheduled,
		},
		AutoDeleteOnIdle: &never, EnablePartitioning: &no, EntityAvailabilityStatus: "Available", EnableExpress: &no,
		MaxMessageSizeInKilobytes: &kilobytes,
	}
	for _, f := range []struct {
		value string
		to    **string
	}{{q.ForwardTo, &d.ForwardTo}, {q.UserMetadata, &d.UserMetadata}, {q.ForwardDeadLetteredMessagesTo, &d.ForwardDeadLetteredMessagesTo}} {
		if f.value != "" {
			*f.to = &f.value
		}
	}
	return d
}
