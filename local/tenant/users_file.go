package tenant

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxUserLine is the longest line that a users file may have, in bytes.
const maxUserLine = 1 << 20

// ReadUsers reads users from JSON Lines: one [User] per line, empty lines are
// passed over. It reports the first line that is no user; whether the users can
// live together in a directory is for [New] to find out.
func ReadUsers(r io.Reader) ([]User, error) {
	var users []User
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxUserLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		u, err := decodeUser(line)
		if err != nil {
			return nil, fmt.Errorf("read users: line %d: %w", n, err)
		}
		users = append(users, u)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return users, nil
}

// decodeUser decodes one line strictly. Its errors hold no part of the line.
func decodeUser(line []byte) (User, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	var u User
	if err := decoder.Decode(&u); err != nil {
		return User{}, errors.New("not a user: want one JSON object with the documented members")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return User{}, errors.New("more than one JSON value")
	}
	return u, nil
}

// WriteUsers writes users as JSON Lines, as ReadUsers reads them.
func WriteUsers(w io.Writer, users []User) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range users {
		if err := encoder.Encode(&users[i]); err != nil {
			return fmt.Errorf("write users: %w", err)
		}
	}
	return nil
}
