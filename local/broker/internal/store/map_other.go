//go:build !unix

package store

// addressSpace leaves it to bbolt: where a file can't be mapped beyond its end, it
// would become as large.
func addressSpace() int { return 0 }
