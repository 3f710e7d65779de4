package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// keep has a store keep a message, and waits until it is told whether it does.
func keep(t *testing.T, s *store.Store, e *store.Entity, sequence int64, size int) error {
	t.Helper()
	e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: sequence, Record: queue.Record{
		EnqueuedAt: start, Payload: bytes.Repeat([]byte{byte(sequence)}, size),
	}}})
	return s.Wait(t.Context(), e.Ticket())
}

// Nothing is acknowledged that would be gone with the process as the file is. When it is
// back, all goes on.
func TestAFileThatIsTakenAway(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		name, elsewhere := filepath.Join(folder, "broker.db"), filepath.Join(folder, "elsewhere")
		var log logBuffer
		s := open(t, folder, store.Options{Logger: log.logger()})
		e := s.Create("q", []byte("{}"))
		if err := keep(t, s, e, 1, 10); err != nil {
			t.Fatal(err)
		}
		for i, replace := range []bool{false, true} {
			if err := os.Rename(name, elsewhere); err != nil {
				t.Fatal(err)
			}
			if replace {
				writeFile(t, name, nil)
			}
			if err := keep(t, s, e, int64(2+i), 10); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			log.waitFor(t, "taken away")
			if err := os.Rename(elsewhere, name); err != nil {
				t.Fatal(err)
			}
			heard := make(chan struct{}, 1)
			stop := s.Listen(heard)
			for s.Synced() < e.Ticket() {
				<-heard
			}
			stop()
		}
		closed(t, s)
	})
	s := open(t, folder, store.Options{})
	defer closed(t, s)
	if got := len(messages(t, s.Entities()[0])); got != 3 {
		t.Errorf("%d messages, want 3", got)
	}
}

// Where the disk does not give back what is on it, this is an error of what is there,
// and the process goes on.
func TestADiskThatGivesNothingBack(t *testing.T) {
	folder := t.TempDir()
	var log logBuffer
	s := open(t, folder, store.Options{Logger: log.logger()})
	e := s.Create("q", []byte("{}"))
	for i := range int64(3) {
		if err := keep(t, s, e, i, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	// Reading what is mapped and not there is what a failed read is.
	if err := os.Truncate(filepath.Join(folder, "broker.db"), 2<<20); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i := range int64(3) {
		if payload := e.Load(false, i); payload == nil {
			lost++
		} else if len(payload) != 1<<20 || payload[1<<19] != byte(i) {
			t.Errorf("message %d has %d bytes of %d", i, len(payload), payload[0])
		}
	}
	if lost == 0 {
		t.Error("what is not there was read")
	}
	log.waitFor(t, folder)
	if err := keep(t, s, e, 4, 10); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrRefused) {
		t.Errorf("close: %v", err)
	}
	wantDamaged(t, folder)
}
