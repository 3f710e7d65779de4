// Command generate writes the files of the demo: users.csv, a bulk load of
// 1,000 rows as people deliver them, and directory.jsonl, the users that the
// simulated tenant holds before it. The same seed gives the same files.
//
//	go run ./examples/generate
//
// Nobody in them exists. Numbers are from ranges reserved for fiction where a
// country has one that its numbering plan calls valid, and otherwise
// libphonenumber's example numbers with other final digits.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	folder := flag.String("out", "examples", "the `folder` to write users.csv and directory.jsonl to")
	seed := flag.Uint64("seed", defaultSeed, "another seed gives other files")
	flag.Parse()
	if err := run(*folder, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// defaultSeed is the seed of the files in the repository.
const defaultSeed = 1

func run(folder string, seed uint64) error {
	d := newDemo(seed)
	rows, err := d.encodeRows()
	if err != nil {
		return err
	}
	users, err := d.encodeUsers()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"users.csv": rows, "directory.jsonl": users} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return fmt.Errorf("write demo: %w", err)
		}
	}
	return nil
}

// header names the columns as the README does.
var header = []string{"UserPrincipalName", "Mobile", "AlternateMobile", "OfficePhone", "PerUserMfaState", "SmsSignIn", "DefaultMethod"}

func (d *demo) encodeRows() ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	lines := [][]string{header}
	for _, r := range d.rows {
		lines = append(lines, []string{r.user, r.mobile, r.alternate, r.office, r.state, r.smsSignIn, r.defaultMethod})
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	return out.Bytes(), nil
}

func (d *demo) encodeUsers() ([]byte, error) {
	var out bytes.Buffer
	w := json.NewEncoder(&out)
	w.SetEscapeHTML(false)
	for _, u := range d.users {
		if err := w.Encode(u); err != nil {
			return nil, fmt.Errorf("encode users: %w", err)
		}
	}
	return out.Bytes(), nil
}
