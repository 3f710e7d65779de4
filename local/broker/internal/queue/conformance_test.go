package queue_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// fleeting is queue.Memory, of which everything is as safe as it gets.
type fleeting struct{ *queue.Memory }

func (fleeting) settle() {}

// TestStores holds every implementation of queue.Store to what a queue relies on. What
// outlives the process is in TestWhatIsKeptIsFoundAgain, and queues on them are held
// to the same model (TestAgainstModel).
func TestStores(t *testing.T) {
	for name, implementation := range map[string]func(*testing.T) settling{
		"memory": func(*testing.T) settling { return fleeting{&queue.Memory{}} },
		"disk":   func(t *testing.T) settling { return newDisk(t) },
		"shelf":  func(t *testing.T) settling { return newShelf(t) },
	} {
		for claim, test := range map[string]func(*testing.T, settling){
			"payloads are there from put to deletion":         testPayloads,
			"payloads are there while others do the same":     testPayloadsAtOnce,
			"what is appended is the caller's again":          testAppendedIsReturned,
			"everything is safe at last, and who waits hears": testSafe,
			"what is in a unit is there before it ends":       testUnit,
		} {
			if name == "shelf" && claim == "payloads are there while others do the same" {
				continue // it is for one goroutine
			}
			t.Run(name+", "+claim, func(t *testing.T) { test(t, implementation(t)) })
		}
	}
}

func put(dead bool, sequence int64, payload string) queue.Change {
	return queue.Change{Kind: queue.ChangePut, Dead: dead, Sequence: sequence, Record: queue.Record{Payload: []byte(payload)}}
}

func wantPayload(t *testing.T, s queue.Store, dead bool, sequence int64, want string) {
	t.Helper()
	if got := string(s.Load(dead, sequence)); got != want {
		t.Errorf("payload of %d (dead: %v) is %q, want %q", sequence, dead, got, want)
	}
}

func testPayloads(t *testing.T, s settling) {
	rng := rand.New(rand.NewPCG(1, 2))
	type place struct {
		dead     bool
		sequence int64
	}
	here := map[place]string{}
	for i := range int64(500) {
		at := place{i%3 == 0, i/2 + 1} // the two queues have the same numbers
		if _, taken := here[at]; !taken {
			here[at] = fmt.Sprint("payload ", i)
			s.Append([]queue.Change{put(at.dead, at.sequence, here[at])})
		}
		for at, want := range here {
			wantPayload(t, s, at.dead, at.sequence, want)
			if rng.IntN(3) == 0 {
				s.Append([]queue.Change{{Kind: queue.ChangeDelete, Dead: at.dead, Sequence: at.sequence}})
				delete(here, at)
			}
			break
		}
		if i%100 == 0 {
			s.settle()
		}
	}
	for at, want := range here {
		wantPayload(t, s, at.dead, at.sequence, want)
	}
}

func testPayloadsAtOnce(t *testing.T, s settling) {
	var work sync.WaitGroup
	for worker := range int64(4) {
		work.Go(func() {
			for i := range int64(500) {
				sequence := 4*i + worker
				s.Append([]queue.Change{put(worker%2 == 0, sequence, fmt.Sprint(sequence))})
				wantPayload(t, s, worker%2 == 0, sequence, fmt.Sprint(sequence))
				s.Append([]queue.Change{{Kind: queue.ChangeDelete, Dead: worker%2 == 0, Sequence: sequence}})
			}
		})
	}
	work.Wait()
}

func testAppendedIsReturned(t *testing.T, s settling) {
	changes := []queue.Change{put(false, 1, "a"), put(false, 2, "b")}
	s.Append(changes)
	clear(changes)
	wantPayload(t, s, false, 1, "a")
	s.settle()
	wantPayload(t, s, false, 2, "b")
}

func testSafe(t *testing.T, s settling) {
	s.Append([]queue.Change{put(false, 1, "a")})
	heard := make(chan struct{})
	if s.Safe(false, 1, func() { close(heard) }) {
		close(heard)
	}
	s.settle()
	<-heard
	if !s.Safe(false, 1, nil) {
		t.Error("it is not safe when all is")
	}
}

func testUnit(t *testing.T, s settling) {
	end := s.Begin()
	s.Append([]queue.Change{put(false, 1, "a")})
	wantPayload(t, s, false, 1, "a")
	s.Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: 1}, put(true, 1, "a")})
	wantPayload(t, s, true, 1, "a")
	end()
	s.settle()
	wantPayload(t, s, true, 1, "a")
}
