package worker

// ReadsMethods tells whether the worker reads which other methods the user has
// before it plans this for one who has that.
func (w Wanted) ReadsMethods(s State) bool { return needsOf(w).methods || needsOf(w).codes(s) }
