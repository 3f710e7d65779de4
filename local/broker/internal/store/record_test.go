package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

func FuzzRecord(f *testing.F) {
	session := "s"
	for _, r := range []queue.Record{
		{},
		{EnqueuedAt: time.Unix(1, 2), ExpiresAt: time.Unix(3, 4), Deliveries: 5, Deferred: true, Hops: 6, Session: &session, Payload: []byte("p")},
		{Scheduled: true, EnqueuedAt: time.Unix(7, 0), Overlay: map[string]any{"a": "b", "n": int64(1)}},
	} {
		b, err := appendRecord(nil, r, checksum(r.Payload))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRecord(b)
		if err != nil {
			return
		}
		again, err := appendRecord(nil, r, checksum(r.Payload))
		if err != nil {
			t.Fatalf("%+v was read and can't be written: %v", r, err)
		}
		back, err := readRecord(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("(-read +again):\n%s", diff)
		}
	})
}
