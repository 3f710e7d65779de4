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

// A record that has become shorter has another digest, also where the payload alone is
// gone, which is not part of it.
func TestTheDigestOfARecordThatIsCutOff(t *testing.T) {
	payload := make([]byte, 64)
	b, err := appendRecord(nil, queue.Record{EnqueuedAt: time.Unix(1, 2), Payload: payload}, checksum(payload))
	if err != nil {
		t.Fatal(err)
	}
	p := makePart(nil, entityName(1), bucketMessages)
	key := sequenceKey(1)
	whole := p.digest(key, b)
	for n := range b {
		if p.digest(key, b[:n]) == whole {
			t.Errorf("%d bytes of %d have the same digest", n, len(b))
		}
	}
}
