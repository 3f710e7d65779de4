package broker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Fault is a misfortune that a test asks for.
type Fault struct {
	// Kind says what happens.
	Kind FaultKind `json:"kind"`
	// Entity is the queue, topic or subscription that it happens to, by its path;
	// empty means any. The disk is everybody's.
	Entity string `json:"entity,omitempty"`
	// Count is how often it happens; 0 means once. What happens at once happens to
	// everything there is, and once.
	Count int `json:"count,omitempty"`
	// Probability is how likely it happens whenever it can; 0 means that it does.
	// The same Seed makes the same choices.
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
	// Delay is for FaultDelay and FaultSlowDisk, which need one, a minute at most. In
	// JSON it is a text such as "200ms".
	Delay time.Duration `json:"-"`
}

// FaultKind is what a Fault does.
type FaultKind string

// The kinds of fault. The first three happen at once, the others to what comes.
const (
	// FaultDropConnections cuts off connections with a link to the entity, without
	// a word.
	FaultDropConnections FaultKind = "drop-connections"
	// FaultDetachLinks detaches the entity's links with amqp:link:detach-forced.
	FaultDetachLinks FaultKind = "detach-links"
	// FaultLoseLocks ends the locks on messages and sessions before their time.
	FaultLoseLocks FaultKind = "lose-locks"
	// FaultBusy refuses a message with com.microsoft:server-busy.
	FaultBusy FaultKind = "busy"
	// FaultDelay lets a connection that has sent a message wait.
	FaultDelay FaultKind = "delay"
	// FaultDuplicate ends the lock of a delivery as soon as it is made, so that the
	// message is delivered again.
	FaultDuplicate FaultKind = "duplicate"
	// FaultSlowDisk delays a transaction of Options.Data.
	FaultSlowDisk FaultKind = "slow-disk"
)

// Bounds of a delay and of how many faults wait for their occasion: no test needs more.
const (
	maxFaultDelay = time.Minute
	maxArmed      = 1000
)

// Inject has a fault happen: at once, or whenever it can from now on. The error names
// everything that is wrong with the fault, is ErrUnknownEntity, or says that 1,000 others
// have not happened yet.
func (s *Server) Inject(f Fault) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("inject fault: %w", err)
	}
	entities := s.catalog.all()
	if f.Entity != "" {
		e, ok := s.catalog.find(strings.ToLower(f.Entity))
		if !ok {
			return fmt.Errorf("inject fault into %q: %w", f.Entity, ErrUnknownEntity)
		}
		entities = []*entity{e}
	}
	switch f.Kind {
	case FaultDropConnections, FaultDetachLinks, FaultLoseLocks:
		for _, e := range entities {
			e.suffer(f.Kind, s.options.Now())
		}
	default:
		return s.faults.arm(f)
	}
	return nil
}

// Calm takes back all faults that have not happened.
func (s *Server) Calm() { s.faults.calm() }

func (f Fault) validate() error {
	var faults []error
	known := []FaultKind{FaultDropConnections, FaultDetachLinks, FaultLoseLocks, FaultBusy, FaultDelay, FaultDuplicate, FaultSlowDisk}
	if !slices.Contains(known, f.Kind) {
		faults = append(faults, fmt.Errorf("kind %q is unknown: use one of %q", f.Kind, known))
	}
	if f.Kind == FaultSlowDisk && f.Entity != "" {
		faults = append(faults, fmt.Errorf("entity %q: the disk is slow for all", f.Entity))
	}
	if f.Count < 0 {
		faults = append(faults, fmt.Errorf("count %d: must not be negative", f.Count))
	}
	if f.Probability < 0 || f.Probability > 1 {
		faults = append(faults, fmt.Errorf("probability %v: must be 0 to 1", f.Probability))
	}
	switch waits := f.Kind == FaultDelay || f.Kind == FaultSlowDisk; {
	case f.Delay < 0 || f.Delay > maxFaultDelay:
		faults = append(faults, fmt.Errorf("delay %v: must be at most %v", f.Delay, maxFaultDelay))
	case waits && f.Delay == 0:
		faults = append(faults, fmt.Errorf("kind %q needs a delay", f.Kind))
	}
	return errors.Join(faults...)
}

// suffer has a fault happen to the entity at once.
func (e *entity) suffer(kind FaultKind, now time.Time) {
	if kind == FaultLoseLocks {
		e.queue.LoseLocks(now)
		e.queue.DeadLetters().LoseLocks(now)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if kind == FaultDetachLinks {
		e.detach(refuse(wire.CondDetachForced, "The link was detached by a fault that was asked for."))
		return
	}
	for l := range e.links {
		cutOff(l.session.conn.net)
	}
}

// faults are those that wait for their occasion.
type faults struct {
	any atomic.Bool // there are some

	mu    sync.Mutex
	armed []*armed // in the order in which they were asked for
}

type armed struct {
	Fault
	left   int
	choice *rand.Rand
}

func (x *faults) arm(f Fault) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.armed) >= maxArmed {
		return fmt.Errorf("inject fault: %d others have not happened yet", len(x.armed))
	}
	x.armed = append(x.armed, &armed{Fault: f, left: max(f.Count, 1), choice: rand.New(rand.NewPCG(f.Seed, 0x6661756c74))})
	x.any.Store(true)
	return nil
}

func (x *faults) calm() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed = nil
	x.any.Store(false)
}

// strikes tells whether a fault of a kind happens to an entity now, and its delay.
func (x *faults) strikes(kind FaultKind, path string) (time.Duration, bool) {
	if !x.any.Load() {
		return 0, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, a := range x.armed {
		if a.Kind != kind || a.Entity != "" && !strings.EqualFold(a.Entity, path) {
			continue
		}
		if a.Probability > 0 && a.choice.Float64() >= a.Probability {
			continue
		}
		if a.left--; a.left == 0 {
			x.armed = slices.Delete(x.armed, i, i+1)
			x.any.Store(len(x.armed) > 0)
		}
		return a.Delay, true
	}
	return 0, false
}
