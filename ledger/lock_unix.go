//go:build unix

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// ErrInUse: another process writes the ledger.
var ErrInUse = errors.New("another process writes it: give every process a ledger of its own")

// lock keeps other processes from writing the file, until it is closed.
func lock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return os.NewSyscallError("flock", err)
}
