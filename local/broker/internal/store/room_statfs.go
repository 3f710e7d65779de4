//go:build linux || darwin

package store

import "syscall"

// roomOf returns how many bytes are free on the disk that a file is on, for those
// without privileges, and how many it has.
func roomOf(name string) (room, whole int64, known bool) {
	var is syscall.Statfs_t
	if err := syscall.Statfs(name, &is); err != nil || is.Blocks == 0 {
		return 0, 0, false // some disks that are elsewhere do not tell
	}
	return int64(is.Bavail) * int64(is.Bsize), int64(is.Blocks) * int64(is.Bsize), true
}
