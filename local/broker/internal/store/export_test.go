package store

// CompactFrom sets the size from which on a file is compacted, until the function that
// it returns is called.
func CompactFrom(size int64) (restore func()) {
	old := compactFrom
	compactFrom = size
	return func() { compactFrom = old }
}
