// Package ledger keeps what users had before a command changed it, in one
// encrypted file, so that a run can be taken back.
//
// # The file
//
//	header  "muster-ledger 1\n" (16 bytes), file id (16 random bytes)
//	frame 0 proves the key; it holds no record
//	frame 1, 2, …  one record each, as JSON
//
//	frame   length of nonce and sealed record (4 bytes, big endian)
//	        CRC-32C of header, frame number and length (4 bytes), without which
//	        a damaged length could pass for an unfinished frame
//	        nonce (24 random bytes)
//	        the record, sealed with XChaCha20-Poly1305 (golang.org/x/crypto)
//
// The associated data of a frame are the header and the frame's number, so a
// record that is moved, repeated, left out or taken from another file does not
// open. Only the end of the file can be cut off without notice: keep a copy
// where that matters.
//
// A record is on disk before Append returns. Whatever was being written when a
// process was killed is an unfinished frame at the end: readers report it, and
// the next writer cuts it off. It stood for no change, for nobody had been told
// that it was kept.
package ledger
