//go:build unix

package store

import "math"

// addressSpace is how many bytes of it a file gets at once: to grow it, all readers
// have to stop.
func addressSpace() int {
	if math.MaxInt == math.MaxInt32 {
		return 32 << 20 // there is not much to share
	}
	return 1 << 30
}
