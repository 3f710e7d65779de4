package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// bbolt has checksums of nothing but the pages that say which others count. So the file
// has the sum of the digests of all that is in it, which is written with every
// transaction and looked at at the start. A bit that has changed in a page changes a
// digest, or has records vanish, or come back that were deleted. The payload of a message
// is not looked at then, as it may be large: its checksum is part of the record, and is
// looked at whenever it is read.

var (
	bucketTotal = []byte("total")
	keyTotal    = []byte("total")

	checksums = crc32.MakeTable(crc32.Castagnoli)

	errForeign = errors.New("it holds what no broker has put there")
	errTotal   = errors.New("what it holds is not what was written")
	errNoTotal = errors.New("it has no total, as an earlier version has made it; delete it to go on without what is in it")
)

// part is a bucket with values, of an entity or that with the entities.
type part struct {
	*bolt.Bucket
	seed     uint32 // what the digests begin with
	messages bool   // the values are records of messages
	last     []byte // above which there is no key, where that is known
}

// makePart is the part that is a bucket. The owner is the name of the bucket that it is
// in, nil for none.
func makePart(b *bolt.Bucket, owner, name []byte) *part {
	return &part{
		Bucket: b, seed: crc32.Update(crc32.Checksum(owner, checksums), checksums, name),
		messages: bytes.Equal(name, bucketMessages) || bytes.Equal(name, bucketDead),
	}
}

// digest is that of a key and its value, the payload of a message left out.
func (p *part) digest(key, value []byte) uint64 {
	more := uint64(0)
	if p.messages {
		head, err := recordHead(value)
		if err != nil {
			// Whatever the rest is, no record has this digest, not even one of
			// which nothing but the head is left.
			head, more = value, 1<<32
		}
		value = head
	}
	d := crc32.Update(p.seed^uint32(len(key)), checksums, key)
	return more + uint64(crc32.Update(d, checksums, value))
}

// sum adds up the digests of a part, in which no buckets are.
func (p *part) sum() (uint64, error) {
	var sum uint64
	err := p.ForEach(func(key, value []byte) error {
		if value == nil {
			return errForeign
		}
		sum += p.digest(key, value)
		return nil
	})
	return sum, err
}

// sumEntity adds up the digests of an entity.
func sumEntity(b *bolt.Bucket, name []byte) (uint64, error) {
	own := makePart(b, name, nil)
	var sum uint64
	err := b.ForEach(func(key, value []byte) error {
		if value != nil {
			sum += own.digest(key, value)
			return nil
		}
		switch string(key) {
		case string(bucketMessages), string(bucketDead), string(bucketSessions), string(bucketHistory):
		default:
			return errForeign
		}
		more, err := makePart(b.Bucket(key), name, key).sum()
		sum += more
		return err
	})
	return sum, err
}

// checkTotal compares the sum of the digests with the one that is kept.
func checkTotal(tx *bolt.Tx) error {
	var sum uint64
	var kept []byte
	err := tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		var more uint64
		var err error
		switch {
		case b == nil:
			err = errForeign
		case bytes.Equal(name, bucketTotal):
			kept = b.Get(keyTotal)
		case bytes.Equal(name, bucketEntities):
			more, err = makePart(b, nil, name).sum()
		case isEntityName(name):
			more, err = sumEntity(b, name)
		default:
			err = errForeign
		}
		sum += more
		return err
	})
	switch {
	case err != nil:
		return err
	case kept == nil:
		return errNoTotal
	case len(kept) != 8 || binary.BigEndian.Uint64(kept) != sum:
		return errTotal
	}
	return nil
}

// addTotal adds to the sum that is kept, which it makes where there is none.
func addTotal(tx *bolt.Tx, change uint64) error {
	b, err := tx.CreateBucketIfNotExists(bucketTotal)
	if err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	if kept := b.Get(keyTotal); len(kept) == 8 {
		change += binary.BigEndian.Uint64(kept)
	}
	return b.Put(keyTotal, binary.BigEndian.AppendUint64(nil, change))
}
