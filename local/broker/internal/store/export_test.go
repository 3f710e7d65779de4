package store

import (
	"os"
	"reflect"
	"unsafe"
)

// OpenError is what Open makes of an error of bbolt's.
var OpenError = openError

// CompactFrom sets the size from which on a file is compacted, and how many bytes of it
// in one transaction, until the function that it returns is called.
func CompactFrom(size, step int64) (restore func()) {
	oldSize, oldStep := compactFrom, compactStep
	compactFrom, compactStep = size, step
	return func() { compactFrom, compactStep = oldSize, oldStep }
}

// Interpose has a store go through others to its file, and returns what it used before.
// bbolt takes files of the system only, so the first takes the place of what bbolt keeps
// for its own tests. Nothing may be written meanwhile.
func Interpose(s *Store, writeAt func([]byte, int64) (int, error), h handle) (*os.File, func([]byte, int64) (int, error)) {
	was := s.db.handle.(*os.File)
	s.db.handle = h
	field := reflect.ValueOf(s.db.DB).Elem().FieldByName("ops").FieldByName("writeAt")
	hook := (*func([]byte, int64) (int, error))(unsafe.Pointer(field.UnsafeAddr()))
	own := *hook
	*hook = writeAt
	return was, own
}
