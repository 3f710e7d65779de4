package ledger

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	magic      = "muster-ledger 1\n"
	headerSize = len(magic) + 16
	prefixSize = 4 + 4 // length and check
	overhead   = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	// maxFrame bounds what a reader takes into memory. A record holds three
	// numbers and some ids.
	maxFrame = 64 << 10
	proof    = "muster ledger"
	// proofSize is the length of frame 0.
	proofSize = prefixSize + overhead + len(proof)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrKey: the key is not the one that the ledger was begun with, or the
	// ledger's beginning is damaged.
	ErrKey = errors.New("the key does not open the ledger")
	// ErrNotLedger: the file does not begin as a ledger does.
	ErrNotLedger = errors.New("the file is not a ledger")
	// ErrDamaged: a record that is not the last one does not open.
	ErrDamaged = errors.New("the ledger is damaged")
)

// sealer seals and opens the frames of one file.
type sealer struct {
	aead   cipher.AEAD
	header [headerSize]byte
}

func newSealer(k Key, header [headerSize]byte) (*sealer, error) {
	aead, err := chacha20poly1305.NewX(k.secret[:])
	if err != nil {
		return nil, fmt.Errorf("use ledger key: %w", err)
	}
	return &sealer{aead: aead, header: header}, nil
}

// newHeader draws the id of a new file.
func newHeader() (h [headerSize]byte) {
	copy(h[:], magic)
	_, _ = rand.Read(h[len(magic):])
	return h
}

// seal makes the frame of that number.
func (s *sealer) seal(number uint64, plain []byte) []byte {
	frame := make([]byte, 0, prefixSize+overhead+len(plain))
	frame = append(frame, s.prefix(number, overhead+len(plain))...)
	frame = frame[:prefixSize+chacha20poly1305.NonceSizeX]
	nonce := frame[prefixSize:]
	_, _ = rand.Read(nonce)
	return s.aead.Seal(frame, nonce, plain, s.associated(number))
}

// prefix is what stands before a frame of that length.
func (s *sealer) prefix(number uint64, length int) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 0, prefixSize), uint32(length))
	check := crc32.Update(crc32.Checksum(s.associated(number), castagnoli), castagnoli, p)
	return binary.BigEndian.AppendUint32(p, check)
}

// length reads a prefix; false where it is not that of a frame of that number.
func (s *sealer) length(number uint64, prefix []byte) (int, bool) {
	n := int(binary.BigEndian.Uint32(prefix))
	return n, n >= overhead && n <= maxFrame && bytes.Equal(prefix, s.prefix(number, n))
}

// open is what a frame holds, without its prefix; false where it is not the
// frame of that number of this file.
func (s *sealer) open(number uint64, frame []byte) ([]byte, bool) {
	if len(frame) < overhead {
		return nil, false
	}
	nonce, sealed := frame[:chacha20poly1305.NonceSizeX], frame[chacha20poly1305.NonceSizeX:]
	plain, err := s.aead.Open(nil, nonce, sealed, s.associated(number))
	return plain, err == nil
}

func (s *sealer) associated(number uint64) []byte {
	return binary.BigEndian.AppendUint64(s.header[:len(s.header):len(s.header)], number)
}

func encode(r Record) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode ledger record: %w", err)
	}
	if len(plain)+overhead > maxFrame {
		return nil, fmt.Errorf("encode ledger record: %d bytes are too many", len(plain))
	}
	return plain, nil
}
