// Package report tells who has which methods: it reads a directory inside the
// tenant's budget and writes CSV, XLSX, JSON Lines and a page of HTML.
//
//	users (with details) ─> sort by id ─┐
//	registration details ─> sort by id ─┼─> join ─> filter ─> sort ─> write
//	sign-ins with MFA    ─> sort by id ─┤     │
//	an earlier report    ─> sort by id ─┘     └─> summary, changes
//
// # Memory
//
// Nothing is kept in memory for each user. Every sort is an external one
// (spill.go): what exceeds a few megabytes goes to a temporary directory as
// sorted runs, which are merged while they are read back; joining is one walk
// over streams that are sorted alike. A tenant that fits into these megabytes
// never touches the disk. The runs hold what the report holds, so full phone
// numbers only where these were asked for; the directory has mode 0700, lies
// beside the output, and is removed at the end, also after an error.
//
// # Whole files only
//
// Every output is written under a temporary name and renamed when all of them
// are complete. An interrupted run leaves what was there before.
//
// # What could not be read
//
// Only the list of users is indispensable. For each of the other parts the
// [Summary] says whether it was read, and if not, why and what to do.
package report
