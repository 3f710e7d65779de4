package store

import (
	"fmt"
	"runtime/debug"
)

// guard calls f, which uses bbolt. bbolt reads the file as memory and trusts it: where
// the disk does not give a page back, or gives back another, the process would end. With
// guard it is an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return f()
}
