package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// failing is a disk that fails when told to.
type failing struct {
	storage
	write, truncate, sync error
}

func (f *failing) WriteAt(p []byte, off int64) (int, error) {
	if f.write != nil {
		n, _ := f.storage.WriteAt(p[:len(p)/2], off)
		return n, f.write
	}
	return f.storage.WriteAt(p, off)
}

func (f *failing) Truncate(size int64) error {
	return errors.Join(f.truncate, f.storage.Truncate(size))
}

func (f *failing) Sync() error { return errors.Join(f.sync, f.storage.Sync()) }

// A record that can't be kept is an error, and never one that readers stumble
// over.
func TestAFailingDiskIsNotSilent(t *testing.T) {
	full := errors.New("disk full")
	for what, c := range map[string]struct {
		fail  failing
		again bool // Append works once the disk does
		left  uint64
	}{
		"write":            {failing{write: full}, true, 2},
		"write and cut":    {failing{write: full, truncate: full}, false, 1},
		"sync":             {failing{sync: full}, false, 2},
		"nothing, at rest": {failing{}, true, 3},
	} {
		t.Run(what, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "ledger")
			k := NewKey()
			f, _, err := Open(name, k)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Append(Record{CommandID: "1"}); err != nil {
				t.Fatal(err)
			}
			disk := &c.fail
			disk.storage = f.file
			f.file = disk
			fails := disk.write != nil || disk.sync != nil
			if err := f.Append(Record{CommandID: "2"}); (err != nil) != fails {
				t.Errorf("Append on a failing disk: error %v", err)
			}
			f.file = disk.storage
			if err := f.Append(Record{CommandID: "3"}); (err == nil) != c.again {
				t.Errorf("Append on a mended disk: error %v", err)
			}
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if extent, err := Scan(file, k, nil); err != nil || extent.Records != c.left {
				t.Errorf("%+v, error %v; want %d records", extent, err, c.left)
			}
		})
	}
}
