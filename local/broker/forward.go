package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// errSessionNull is the reason that Service Bus gives for a message without a
// session that was forwarded to an entity which requires one.
var errSessionNull = errors.New("Session ID is null.")

// forwardTo returns what passes messages on to the entity with the name, nil for
// no name. The entity is looked up for every message: it may come and go.
func (s *Server) forwardTo(name string) func(time.Time, queue.Passed) error {
	if name == "" {
		return nil
	}
	path := strings.ToLower(entityOf(name))
	return func(now time.Time, p queue.Passed) error {
		target, ok := s.catalog.find(path)
		if !ok {
			return fmt.Errorf("%s", notFound(name))
		}
		target.use(now)
		item, err := newItem(p.Payload)
		if err != nil {
			return err
		}
		item.Overlay, item.Hops, item.EnqueueAt = p.Overlay, p.Hops, time.Time{}
		if _, err = target.queue.Enqueue(now, item); errors.Is(err, queue.ErrSessionNeeded) {
			return errSessionNull
		}
		return err
	}
}
