package broker

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// This file reads and shows the fields that the descriptions of entities share.

// available is the availability of every entity.
const available = "Available"

// atomFaults collects what is wrong with a description.
type atomFaults []error

func (f *atomFaults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f atomFaults) join() error { return errors.Join(f...) }

// span reads a duration that may have no bound; without one, the default stays.
func (f *atomFaults) span(field string, text *string, to *time.Duration) {
	f.duration(field, text, parsePositive, to)
}

// bounded reads a duration that must have a bound; without one, the default stays.
func (f *atomFaults) bounded(field string, text *string, to *time.Duration) {
	f.duration(field, text, parseBounded, to)
}

func (f *atomFaults) duration(field string, text *string, parse func(string) (time.Duration, error), to *time.Duration) {
	if text == nil || *text == "" {
		return
	}
	v, err := parse(*text)
	if err != nil {
		f.add("%s: %w", field, err)
		return
	}
	*to = v
}

// positive reads a number for which 0 does not mean the default.
func (f *atomFaults) positive(field string, given *int, to *int) {
	switch {
	case given == nil:
	case *given < 1:
		f.add("%s: must be at least 1", field)
	default:
		*to = *given
	}
}

// refuseFlag refuses what this broker does not have when somebody asks for it.
func (f *atomFaults) refuseFlag(field string, asked *bool) {
	if asked != nil && *asked {
		f.add("%s: not supported by this broker", field)
	}
}

// partitions is how many times the size that was asked for a partitioned entity has.
const partitions = 16

// entitySize reads how much an entity may hold. Each partition of one that is made
// has the size that is asked for, and what is shown later is the sum.
func (f *atomFaults) entitySize(given *int, partitioned, update bool, to *int) {
	f.positive("MaxSizeInMegabytes", given, to)
	if !partitioned || update && given != nil {
		return
	}
	if *to == 0 {
		*to = defaultMaxSize
	}
	if *to > largestMaxSize/partitions {
		f.add("MaxSizeInMegabytes: must be at most %d with EnablePartitioning", largestMaxSize/partitions)
		return
	}
	*to *= partitions
}

// messageSize reads the size of the largest message; without one, or with the
// ordinary one of that many bytes, it stays so.
func (f *atomFaults) messageSize(given *int64, ordinary int, to *int) {
	switch {
	case given == nil || *given == int64(ordinary>>10):
	case *given < 1 || *given > largestMessageSize>>10:
		f.add("MaxMessageSizeInKilobytes: must be 1 to %d", largestMessageSize>>10)
	default:
		*to = int(*given)
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setNot(to *bool, from *bool) {
	if from != nil {
		*to = !*from
	}
}

// takeAddress reads the name of an entity, or its address. Service Bus shows the
// scheme and the host of an address in lower case, whatever they were given as.
func takeAddress(to *string, from *string) {
	if from == nil {
		return
	}
	*to = *from
	if u, err := url.Parse(*from); err == nil && u.Scheme != "" && u.Host != "" {
		u.Host = strings.ToLower(u.Host)
		*to = u.String()
	}
}

// shown is a field that is there.
func shown[T any](v T) *T { return &v }

// shownText is a field that is there unless it is empty.
func shownText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// showCounts tells how many messages there are in all, and of which kind. Deferred
// and locked messages are active to Service Bus.
func showCounts(c queue.Counts) (total int, details *countDetails) {
	active := c.Active + c.Deferred + c.Locked
	return active + c.Scheduled + c.DeadLettered, &countDetails{
		Prefix: nsCounts, Active: active, DeadLetter: c.DeadLettered, Scheduled: c.Scheduled,
	}
}

// accessTime is the time of the last use, which Service Bus writes without a zone
// where there was none.
func accessTime(t time.Time) string {
	if t.IsZero() {
		return "0001-01-01T00:00:00"
	}
	return atomTime(t)
}

// entityOf returns the path of an entity that is named by it or by its address.
func entityOf(name string) string {
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		name = u.Path
	}
	return strings.Trim(name, "/")
}
