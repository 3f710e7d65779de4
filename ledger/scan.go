package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Extent is how far a ledger reaches.
type Extent struct {
	// Records is how many records it holds.
	Records uint64
	// Size is the length of the records and what comes before them, in bytes.
	Size int64
	// Torn is how many bytes of an unfinished record stand behind them.
	Torn int64
}

// ReadFile calls each for every record of the file, in the order in which they
// were written. See [Scan].
func ReadFile(name string, k Key, each func(Record) error) (Extent, error) {
	file, err := os.Open(name)
	if err != nil {
		return Extent{}, fmt.Errorf("open ledger: %w", err)
	}
	defer file.Close()
	extent, err := Scan(file, k, each)
	if err != nil {
		return extent, fmt.Errorf("read ledger %s: %w", name, err)
	}
	return extent, nil
}

// Scan calls each, unless nil, for every record. It ends with the error of each,
// with one that wraps [ErrNotLedger], [ErrKey] or [ErrDamaged], or with that of
// the reader. A record whose writing was cut short is no error: the extent tells
// of it.
func Scan(r io.Reader, k Key, each func(Record) error) (Extent, error) {
	var s scanner
	return s.all(r, k, each)
}

// scanner reads frames one after another.
type scanner struct {
	in     *bufio.Reader
	sealer *sealer
	extent Extent
	frame  []byte
}

func (s *scanner) all(r io.Reader, k Key, each func(Record) error) (Extent, error) {
	s.in = bufio.NewReaderSize(r, maxFrame+prefixSize)
	if err := s.begin(k); err != nil {
		return s.extent, err
	}
	for {
		plain, more, err := s.next()
		if err != nil || !more {
			return s.extent, err
		}
		var record Record
		if err := json.Unmarshal(plain, &record); err != nil {
			// The decoder's error could quote the record.
			return s.extent, fmt.Errorf("record %d is not one that this version knows: %w", s.extent.Records, ErrDamaged)
		}
		if each == nil {
			continue
		}
		if err := each(record); err != nil {
			return s.extent, err
		}
	}
}

// begin reads the header and the frame that proves the key.
func (s *scanner) begin(k Key) error {
	var header [headerSize]byte
	if _, err := io.ReadFull(s.in, header[:]); err != nil {
		return ended(err, ErrNotLedger)
	}
	if string(header[:len(magic)]) != magic {
		return ErrNotLedger
	}
	var err error
	if s.sealer, err = newSealer(k, header); err != nil {
		return err
	}
	frame := make([]byte, proofSize)
	if _, err := io.ReadFull(s.in, frame); err != nil {
		return ended(err, ErrNotLedger)
	}
	if n, ok := s.sealer.length(0, frame[:prefixSize]); !ok || n != proofSize-prefixSize {
		return s.damaged()
	}
	if plain, ok := s.sealer.open(0, frame[prefixSize:]); !ok || string(plain) != proof {
		return ErrKey
	}
	s.extent.Size = int64(headerSize + proofSize)
	return nil
}

// next returns what the next frame holds, which may be nothing, and whether there
// was one.
func (s *scanner) next() (plain []byte, more bool, err error) {
	var prefix [prefixSize]byte
	n, err := io.ReadFull(s.in, prefix[:])
	if err != nil {
		s.extent.Torn = int64(n)
		return nil, false, ended(err, nil)
	}
	size, ok := s.sealer.length(s.extent.Records+1, prefix[:])
	if !ok {
		return nil, false, s.zeros(prefix)
	}
	if cap(s.frame) < size {
		s.frame = make([]byte, size)
	}
	frame := s.frame[:size]
	if n, err = io.ReadFull(s.in, frame); err != nil {
		s.extent.Torn = int64(prefixSize + n)
		return nil, false, ended(err, nil)
	}
	plain, ok = s.sealer.open(s.extent.Records+1, frame)
	if !ok {
		return nil, false, s.unopened(size)
	}
	s.extent.Records++
	s.extent.Size += int64(prefixSize + size)
	return plain, true, nil
}

// zeros judges what is not the beginning of a frame. A file that was made longer
// before its bytes arrived ends in zeros.
func (s *scanner) zeros(prefix [prefixSize]byte) error {
	if prefix != [prefixSize]byte{} {
		return s.damaged()
	}
	torn := int64(prefixSize)
	for ; ; torn++ {
		b, err := s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			s.extent.Torn = torn
			return nil
		case err != nil:
			return fmt.Errorf("read records: %w", err)
		case b != 0:
			return s.damaged()
		}
	}
}

// unopened judges a frame that does not open: the last one may have arrived in
// part only.
func (s *scanner) unopened(size int) error {
	if _, err := s.in.Peek(1); errors.Is(err, io.EOF) {
		s.extent.Torn = int64(prefixSize + size)
		return nil
	}
	return s.damaged()
}

func (s *scanner) damaged() error {
	return fmt.Errorf("behind record %d: %w", s.extent.Records, ErrDamaged)
}

// ended turns the end of the file into what it means, and leaves other errors.
func ended(err, meaning error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return meaning
	}
	return fmt.Errorf("read records: %w", err)
}
