package ledger

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Key encrypts and opens a ledger. Printing one shows nothing of it.
type Key struct{ secret [KeySize]byte }

// errKey leaves out what was read: it may be nearly the key.
var errKey = errors.New("ledger key is not base64 of 32 bytes")

// NewKey draws a key.
func NewKey() Key {
	var k Key
	// It never fails (crypto/rand, Read).
	_, _ = rand.Read(k.secret[:])
	return k
}

// ParseKey reads a key as Encode writes it; space around it does not matter.
func ParseKey(text string) (Key, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != KeySize {
		return Key{}, errKey
	}
	return Key{[KeySize]byte(raw)}, nil
}

// Encode is the key as base64.
func (k Key) Encode() string { return base64.StdEncoding.EncodeToString(k.secret[:]) }

// String hides the key.
func (Key) String() string { return "ledger key" }

// GoString hides the key.
func (Key) GoString() string { return "ledger.Key" }
