package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// File is a ledger that is being written. Append may be called by many
// goroutines at once; one process writes a file at a time.
type File struct {
	name   string
	sealer *sealer
	file   storage

	mu     sync.Mutex
	next   uint64 // guarded by mu: the number of the next frame
	end    int64  // guarded by mu: where it goes
	broken error  // guarded by mu: why nothing more can be kept

	syncing sync.Mutex
	synced  uint64 // guarded by syncing: frames below this number are on disk
}

// storage is an open file.
type storage interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Open opens a ledger for writing, and begins one where there is none. What an
// interrupted writer left unfinished at the end is cut off; the extent says how
// much that was. The error may wrap [ErrKey], [ErrNotLedger] or [ErrDamaged].
func Open(name string, k Key) (_ *File, _ Extent, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Extent{}, fmt.Errorf("open ledger: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open ledger %s: %w", name, err), file.Close())
		}
	}()
	if err := lock(file); err != nil {
		return nil, Extent{}, err
	}
	fresh, err := unbegun(file)
	if err != nil {
		return nil, Extent{}, err
	}
	if fresh {
		if err := begin(file, name, k); err != nil {
			return nil, Extent{}, err
		}
	}
	f := &File{name: name, file: file}
	s := scanner{}
	extent, err := s.all(io.NewSectionReader(file, 0, 1<<62), k, nil)
	if err != nil {
		return nil, extent, err
	}
	if extent.Torn > 0 {
		if err := errors.Join(file.Truncate(extent.Size), file.Sync()); err != nil {
			return nil, extent, fmt.Errorf("cut off the unfinished record: %w", err)
		}
	}
	f.sealer, f.next, f.end, f.synced = s.sealer, extent.Records+1, extent.Size, extent.Records+1
	return f, extent, nil
}

// unbegun tells whether the file is empty, or holds less than the beginning of
// a ledger: its writer was killed before it could keep anything.
func unbegun(file *os.File) (bool, error) {
	start := make([]byte, headerSize+proofSize)
	n, err := file.ReadAt(start, 0)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read its beginning: %w", err)
	}
	seen := string(start[:min(n, len(magic))])
	if !strings.HasPrefix(magic, seen) {
		return false, ErrNotLedger
	}
	return true, nil
}

// begin writes the header and the proof of the key.
func begin(file *os.File, name string, k Key) error {
	header := newHeader()
	s, err := newSealer(k, header)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(append(header[:], s.seal(0, []byte(proof))...), 0); err != nil {
		return fmt.Errorf("write its beginning: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write its beginning: %w", err)
	}
	return syncFolder(filepath.Dir(name))
}

// Append keeps a record. It is on disk when Append returns without an error.
// Once the disk has failed to do that, every later call fails too.
func (f *File) Append(r Record) error {
	plain, err := encode(r)
	if err != nil {
		return err
	}
	number, err := f.write(plain)
	if err == nil {
		err = f.sync(number)
	}
	if err != nil {
		return fmt.Errorf("append to ledger %s: %w", f.name, err)
	}
	return nil
}

// write puts the record behind the others and returns its number.
func (f *File) write(plain []byte) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return 0, f.broken
	}
	frame := f.sealer.seal(f.next, plain)
	if _, err := f.file.WriteAt(frame, f.end); err != nil {
		// What was written of it must not stand between two records.
		if cut := f.file.Truncate(f.end); cut != nil {
			f.broken = errors.Join(err, cut)
		}
		return 0, err
	}
	number := f.next
	f.next++
	f.end += int64(len(frame))
	return number, nil
}

// sync returns once the record is on disk. Whoever comes first does it for all
// that were written until then.
func (f *File) sync(number uint64) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if number < f.synced {
		return nil
	}
	f.mu.Lock()
	next, broken := f.next, f.broken
	f.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := f.file.Sync(); err != nil {
		// What is on disk is unknown from now on (fsync(2): a later success
		// would not cover what this one lost).
		f.mu.Lock()
		f.broken = err
		f.mu.Unlock()
		return err
	}
	f.synced = next
	return nil
}

// Close gives the file back. It must not be called while Append is.
func (f *File) Close() error {
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close ledger %s: %w", f.name, err)
	}
	return nil
}

// syncFolder makes the name of a new file survive.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open its folder: %w", err)
	}
	// Not every file system syncs a folder.
	_ = folder.Sync()
	return folder.Close()
}
