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

// span reads a duration; without one, the default stays.
func (f *atomFaults) span(field string, text *string, to *time.Duration) {
	if text == nil || *text == "" {
		return
	}
	v, err := parseDuration(*text)
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

func (f *atomFaults) refuseRights(r *rights) {
	if r != nil && len(r.Rules) > 0 {
		f.add("AuthorizationRules: not supported by this broker; its keys are set at its start")
	}
}

// messageSize reads the size of the largest message. The broker's own, in bytes, is
// the most, and the default.
func (f *atomFaults) messageSize(given *int64, limit int, to *int) {
	most := int64(limit >> 10)
	switch {
	case given == nil || *given == most:
	case *given < 1 || *given > most:
		f.add("MaxMessageSizeInKilobytes: must be 1 to %d, which is that of the broker", most)
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
