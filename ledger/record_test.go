package ledger

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// Whatever a sealed record holds, reading it gives a record or an error, and the
// changes of a run survive being packed.
func FuzzRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain)+overhead > maxFrame {
			return
		}
		header := newHeader()
		s, err := newSealer(Key{}, header)
		if err != nil {
			t.Fatal(err)
		}
		file := slices.Concat(header[:], s.seal(0, []byte(proof)), s.seal(1, plain), s.seal(2, plain))
		var changes Changes
		extent, err := Scan(bytes.NewReader(file), Key{}, func(r Record) error {
			changes.Add(r)
			return nil
		})
		if valid := json.Valid(plain); err == nil && (!valid || extent.Records != 2 || changes.Len() != 1) {
			t.Errorf("valid JSON %t: %+v, %d users", valid, extent, changes.Len())
		}
		for c := range changes.All() {
			if again := unpack(pack(c)); !bytes.Equal(pack(again), pack(c)) {
				t.Errorf("%+v was packed and became %+v", c, again)
			}
		}
	})
}
