package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// compound32 makes a list, map or array with the given size and count fields in
// front of content, true or not.
func compound32(code byte, size, count uint32, content []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{code}, size)
	return append(binary.BigEndian.AppendUint32(b, count), content...)
}

// TestAllocationBombs decodes small inputs that claim to be large, or that ask
// for much memory per byte. What is allocated has to stay in proportion to the
// input: an empty value costs an interface of 16 bytes and a slice header, and
// slices double.
func TestAllocationBombs(t *testing.T) {
	const mega = 1 << 20
	nested := bytes.Repeat([]byte{0x40}, mega)
	for range 31 {
		nested = compound32(0xd0, uint32(len(nested)+4), uint32(len(nested)), nested)
	}
	nulls := compound32(0xf0, 5, 1024, []byte{0x40})
	manyNulls := bytes.Repeat(nulls, 1000)
	for _, c := range []struct {
		name  string
		in    []byte
		limit uint64
	}{
		{"list of 2^31-1", compound32(0xd0, 10, 1<<31-1, make([]byte, 6)), 4 << 10},
		{"map of 2^31-2", compound32(0xd1, 10, 1<<31-2, make([]byte, 6)), 4 << 10},
		{"array of 2^31-1 nulls", compound32(0xf0, 5, 1<<31-1, []byte{0x40}), 4 << 10},
		{"array of 2^32-1 trues", compound32(0xf0, 5, 1<<32-1, []byte{0x41}), 4 << 10},
		{"array of 2^31-1 longs", compound32(0xf0, 21, 1<<31-1, append([]byte{0x81}, make([]byte, 16)...)), 4 << 10},
		{"string of 2^31-1", []byte{0xb1, 0x7f, 0xff, 0xff, 0xff, 'x'}, 4 << 10},
		{"binary of 2^31-1", []byte{0xb0, 0x7f, 0xff, 0xff, 0xff, 'x'}, 4 << 10},
		{"31 levels that each claim a million", nested, 100 * mega},
		{"a thousand arrays of 1024 nulls", compound32(0xd0, uint32(len(manyNulls)+4), 1000, manyNulls), 256 << 10},
		{"a million empty lists", compound32(0xd0, mega+4, mega, bytes.Repeat([]byte{0x45}, mega)), 15 * mega},
		{"a million pairs of nulls", compound32(0xd1, 2*mega+4, 2*mega, bytes.Repeat([]byte{0x40}, 2*mega)), 20 * mega},
		{"a million empty strings", compound32(0xf0, mega+5, mega, append([]byte{0xa1}, make([]byte, mega)...)), 15 * mega},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := allocatedBy(func() { _, _, _ = wire.DecodeValue(c.in) }); got > c.limit {
				t.Errorf("decoding %d bytes allocated %d, want at most %d", len(c.in), got, c.limit)
			}
			payload := append([]byte{0x00, 0x53, 0x77}, c.in...)
			m, err := wire.Split(payload)
			if err != nil {
				return
			}
			if got := allocatedBy(func() { _ = m.Validate() }); got > 4<<10 {
				t.Errorf("validating %d bytes allocated %d", len(c.in), got)
			}
		})
	}
}

// TestFrameBombs reads frames of 64 KiB that ask for much memory per byte. A peer
// may have sent some before the first is looked at.
func TestFrameBombs(t *testing.T) {
	const n = 32_000
	for name, properties := range map[string][]byte{
		"nulls":       compound32(0xd1, 2*n+4, 2*n, bytes.Repeat([]byte{0x40}, 2*n)),
		"empty lists": compound32(0xd1, 2*n+4, 2*n, bytes.Repeat([]byte{0x45}, 2*n)),
		"empty texts": compound32(0xd1, 2*n+4, n, bytes.Repeat([]byte{0xa1, 0}, n)),
	} {
		t.Run(name, func(t *testing.T) {
			fields := append(bytes.Repeat([]byte{0x43}, 4), bytes.Repeat([]byte{0x40}, 6)...)
			flow := append([]byte{0x00, 0x53, 0x13}, compound32(0xd0, uint32(len(fields)+len(properties)+4), 11, append(fields, properties...))...)
			frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(flow)+8)), 2, 0, 0, 0)
			frame = append(frame, flow...)
			if got := allocatedBy(func() {
				r := wire.NewReader(bytes.NewReader(frame), 65536)
				var broken *wire.DecodeError
				if _, err := r.ReadFrame(); !errors.As(err, &broken) || broken.Condition != wire.CondDecodeError {
					t.Errorf("error %v", err)
				}
			}); got > 1<<20 {
				t.Errorf("allocated %d", got)
			}
		})
	}
}

func TestSymbolArrayBomb(t *testing.T) {
	array := compound32(0xf0, 5, 1<<31-1, []byte{0xa3})
	p := append([]byte{0x00, 0x53, 0x40}, compound32(0xd0, uint32(len(array)+4), 1, array)...)
	if got := allocatedBy(func() {
		if _, _, err := wire.DecodePerformative(p); err == nil {
			t.Error("decoded")
		}
	}); got > 4<<10 {
		t.Errorf("allocated %d", got)
	}
}

// allocatedBy returns how many bytes f allocated, freed or not. The runtime counts
// for the whole process, whose own goroutines may allocate too, so it is the least
// of three runs.
func allocatedBy(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestHotPathAllocations pins what the paths of every message cost.
func TestHotPathAllocations(t *testing.T) {
	transfer := &endless{frame: mustAppendFrame(t, 1, &wire.Transfer{
		DeliveryID: wire.Some(uint32(7)), DeliveryTag: []byte{1}, MessageFormat: wire.Some(uint32(0)),
	}, fullMessage(t))}
	r := wire.NewReader(transfer, 65536)
	payload := fullMessage(t)
	m := mustSplit(t, payload)
	d := &wire.Disposition{Settled: true, State: wire.Accepted{}}
	rewrite := wire.Rewrite{Header: &wire.Header{}, MessageAnnotations: wire.Map{sym("x-opt-sequence-number", int64(1000))}}
	buf := make([]byte, 0, 4096)
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"read a transfer: its performative", 1, func() { _, _ = r.ReadFrame() }},
		{"append a disposition", 0, func() { _, _ = wire.AppendFrame(buf, 1, d, nil) }},
		{"split", 0, func() { _, _ = wire.Split(payload) }},
		{"validate", 0, func() { _ = m.Validate() }},
		{"rewrite", 0, func() { _, _ = m.AppendRewritten(buf, rewrite) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got > c.want {
			t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.want)
		}
	}
}
