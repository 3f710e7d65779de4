package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	fileName = "broker.db"
	// newPattern and compactName are of files that are put in the place of fileName
	// when they are complete.
	newPattern  = "broker-*.new"
	compactName = "broker.compact"
	// lockTimeout is how long another process may take to let go of the file.
	lockTimeout = time.Second
)

var (
	// compactFrom is the size in bytes from which on a file is rewritten that is free
	// for the most part.
	compactFrom int64 = 16 << 20
	// compactStep is how many bytes are rewritten in one transaction.
	compactStep int64 = 16 << 20
)

var (
	// ErrInUse is returned for a folder that another process has open.
	ErrInUse = errors.New("the folder is in use by another process")
	// ErrDamaged is returned for a file that can't be read, or is another program's.
	ErrDamaged = errors.New(fileName + " is damaged, or is no broker's")
)

// file is an open database.
type file struct {
	*bolt.DB
	name   string
	handle handle
	is     fs.FileInfo // which file it is
}

// handle is the file itself, which is looked at and mended besides bbolt.
type handle interface {
	io.ReaderAt
	io.WriterAt
	Stat() (fs.FileInfo, error)
	Sync() error
	Close() error
}

// openFile opens the file of a folder and makes both if need be. It gives room back
// that nobody needs.
func openFile(folder string, log *slog.Logger) (*file, error) {
	if err := makeFolder(folder); err != nil {
		return nil, fmt.Errorf("make folder for the data: %w", err)
	}
	name := filepath.Join(folder, fileName)
	if err := create(name); err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if err := check(name); err != nil {
		return nil, fmt.Errorf("open data in %s: %w", folder, err)
	}
	f, err := openBolt(name, bolt.Options{})
	if err != nil {
		return nil, fmt.Errorf("open data in %s: %w", folder, err)
	}
	leftover, _ := filepath.Glob(filepath.Join(folder, newPattern)) // the pattern is good
	for _, l := range append(leftover, filepath.Join(folder, compactName)) {
		if err := os.Remove(l); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("a file that is not needed can't be removed", "error", err)
		}
	}
	if !f.wasteful() {
		return f, nil
	}
	compacted, err := f.compact(filepath.Join(folder, compactName), name)
	if err != nil {
		log.Warn("the data can't be compacted; it stays as large as it is", "error", err)
		return f, nil
	}
	if err := errors.Join(syncFolder(folder), f.Close()); err != nil {
		// Which of the two files has the name is not known for certain.
		return nil, fmt.Errorf("compact data in %s: %w", folder, errors.Join(err, compacted.Close()))
	}
	return compacted, nil
}

// openBolt opens a database.
func openBolt(name string, o bolt.Options) (f *file, err error) {
	f = &file{name: name}
	defer func() {
		// bbolt panics on some kinds of damage, and leaves the file open.
		if r := recover(); r != nil {
			err = errors.Join(fmt.Errorf("%w: %v", ErrDamaged, r), f.handle.Close())
			f = nil
		}
	}()
	o.Timeout, o.NoFreelistSync, o.FreelistType, o.InitialMmapSize = lockTimeout, true, bolt.FreelistMapType, addressSpace()
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		opened, err := os.OpenFile(name, flag, mode)
		f.handle = opened
		return opened, err
	}
	if f.DB, err = bolt.Open(name, 0o600, &o); err != nil {
		return nil, openError(err)
	}
	if f.is, err = f.handle.Stat(); err == nil {
		// Another process may have put a file in the place of the one that was opened.
		if err = f.named(); errors.Is(err, errTakenAway) {
			err = ErrInUse
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

var (
	// errTakenAway is the error of a file that has its name no more: what is written to
	// it is gone with the process.
	errTakenAway = errors.New("the file was taken away, or another was put in its place")
	// errCutOff is the error of a file that has become shorter, which bbolt never does.
	errCutOff = errors.New("the file was cut off")
)

// named returns an error unless it is the whole file that has its name.
func (f *file) named() error {
	is, err := os.Stat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(is, f.is):
		return fmt.Errorf("write %s: %w", f.name, errTakenAway)
	case err == nil && is.Size() < f.is.Size():
		return fmt.Errorf("write %s: %w", f.name, errCutOff)
	case err == nil:
		f.is = is
	}
	return err
}

// openError tells the system's refusals, such as of memory, from damage.
func openError(err error) error {
	var path *fs.PathError
	var number syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.As(err, &path), errors.As(err, &number):
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// create makes a file where there is none. Somebody else may do the same at the same
// time; then both go on with the first that is there.
func create(name string) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := createWhole(name)
	if err != nil {
		// Who was first removes what others have begun.
		if _, absent := os.Stat(name); absent == nil {
			return nil
		}
	}
	return err
}

// createWhole makes a file so that whoever is interrupted, or has no room on the disk,
// leaves nothing that can't be opened.
func createWhole(name string) error {
	empty, err := os.CreateTemp(filepath.Dir(name), newPattern)
	if err != nil {
		return err
	}
	defer os.Remove(empty.Name())
	if err := empty.Close(); err != nil {
		return err
	}
	f, err := openBolt(empty.Name(), bolt.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(f.Update(func(tx *bolt.Tx) error { return addTotal(tx, 0) }), f.Close()); err != nil {
		return err
	}
	// Where there are no links, whoever loses finds that the file is another's.
	if err := os.Link(empty.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(empty.Name(), name); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(name))
}

// check looks for damage, which is told of rather than met later.
func check(name string) error {
	// bbolt would make a database of an empty file.
	if info, err := os.Stat(name); err == nil && info.Size() == 0 {
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	f, err := openBolt(name, bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	err = verify(f)
	if err == nil {
		err = guard(func() error { return f.View(checkTotal) })
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return errors.Join(err, f.Close())
}

// wasteful tells whether a file is large and free for the most part.
func (f *file) wasteful() bool {
	var size int64
	err := f.View(func(tx *bolt.Tx) error {
		size = tx.Size()
		return nil
	})
	free := int64(f.Stats().FreePageN) * int64(f.Info().PageSize)
	return err == nil && size >= compactFrom && free > size/2
}

// compact puts a copy without free pages in the file's place and returns it, open as
// this one still is. After an error everything is as it was.
func (f *file) compact(as, name string) (*file, error) {
	dense, err := openBolt(as, bolt.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	if err = guard(func() error { return bolt.Compact(dense.DB, f.DB, compactStep) }); err == nil {
		if err = dense.Sync(); err == nil {
			err = os.Rename(as, name)
		}
	}
	if err != nil {
		return nil, errors.Join(err, dense.Close(), os.Remove(as))
	}
	dense.NoSync, dense.name = false, name
	return dense, nil
}

// heal makes certain that the disk has what the process sees of the pages that say
// which others count. After a failed write it may have an older one, and the next
// transaction would write over the pages that this one counts.
func (f *file) heal() error {
	pages := make([]byte, 2*f.Info().PageSize)
	if _, err := f.handle.ReadAt(pages, 0); err != nil {
		return err
	}
	if _, err := f.handle.WriteAt(pages, 0); err != nil {
		return err
	}
	return f.handle.Sync()
}

// makeFolder makes a folder so that it is there after a power cut.
func makeFolder(folder string) error {
	var parents []string
	for at := filepath.Clean(folder); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break // what is wrong with it, MkdirAll says
		}
		parents = append(parents, filepath.Dir(at))
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, p := range parents {
		if err := syncFolder(p); err != nil {
			return err
		}
	}
	return nil
}
