package store

import (
	"fmt"
	"math"
	"time"
)

// This file looks at how much room there is. On a disk that is full nothing can be
// deleted either: bbolt writes anew what leads to a record that goes, and what stands
// beside it. So new messages are refused while there is room left for what is on its way,
// and for the settlements that make more.
//
// What is free in the file is room only where it is much: a large record needs pages that
// are side by side. So that settlements have some, not all of the reserve is given away
// for it.

const (
	// reserve is how many bytes of the disk are left, and reserveShare which part of it
	// they are at most. Half of that is, while half of the file is free.
	reserve      = 16 << 20
	reserveShare = 8
	// growth is how much of the file a change takes, in terms of its bytes: with the
	// pages that bbolt copies, and those that are not full.
	growth = 2
)

// Room says why new messages are to be refused: what Err says, or an ErrRefused while
// there is room for nothing but what waits to be written and for settlements.
func (s *Store) Room() error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.spare.Load() < growth*s.backlog.Load() {
		return fmt.Errorf("%w: it is nearly full", ErrRefused)
	}
	return nil
}

// measure looks at the room that is left. Only the goroutine that writes calls it, and
// Open before there is one.
func (s *Store) measure() {
	spare := int64(math.MaxInt64)
	if room, whole, known := s.o.Room(s.db.name); known {
		stats := s.db.Stats()
		free := int64(stats.FreePageN+stats.PendingPageN) * int64(s.db.Info().PageSize)
		left := min(reserve, whole/reserveShare)
		spare = room - left
		if free >= s.db.is.Size()/2 && room >= left/2 {
			spare = room - left/2 + free/2
		}
	}
	s.spare.Store(spare)
	if low := spare < 0; low != s.low {
		if s.low = low; low {
			s.log.Error("the disk is nearly full: new messages are refused")
		} else {
			s.log.Info("the disk has room for new messages again")
		}
	}
}

// again tells when there may be more room although nothing was written, nil for never.
func (s *Store) again() <-chan time.Time {
	if !s.low {
		return nil
	}
	return time.After(retryAfter)
}
