// Package bulk takes a file of users to a queue: a row is a command.
//
//	file ─> Reader ─> Row ─> Header.Command ─> events ─> Sender
//	                            │
//	                            └─> Rejection ─> RejectsWriter
//
// [NewReader] reads the first row and says what it found ([Detected]): the
// encoding, the delimiter, which column means what. It reads what spreadsheets
// write, and never needs more memory than a few rows.
//
// [Header.Command] is the pure step from cells to a messages.Command. A row
// that can't become one is a [Rejection] with a reason code and a hint; it goes
// to the rejects file as it was, to be mended and loaded again.
//
// [Load] joins them: rows are interpreted on several goroutines, sent in the
// order of the file, and counted so that rows = accepted + rejected at any
// moment at which it may end.
//
// A file holds personal data. None of it is in an error, a span or a progress
// report of this package; only the rejects file repeats it.
package bulk
