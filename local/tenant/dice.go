package tenant

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// dice are the random numbers of one request. They are seeded by what the
// request is and by nothing around it.
type dice struct{ source rand.PCG }

// chance tells whether an event of that probability happens.
func (d *dice) chance(probability float64) bool {
	return probability > 0 && d.fraction() < probability
}

// fraction returns a number from 0 up to, not including, 1.
func (d *dice) fraction() float64 { return float64(d.source.Uint64()>>11) / (1 << 53) }

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int { return int(d.fraction() * float64(n)) }

// between returns a duration from low to high, high not included.
func (d *dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.fraction()*float64(max(high-low, 0)))
}

// shuffle permutes n things.
func (d *dice) shuffle(n int, swap func(i, j int)) {
	rand.New(&d.source).Shuffle(n, swap)
}

// diceBox hands out the dice for the n-th request of a kind. Kinds are counted
// apart, so that other traffic has no influence on what a kind meets.
type diceBox struct {
	seed uint64

	mu    sync.Mutex
	kinds map[uint64]kind
}

// kind is what the box remembers of one operation on one user.
type kind struct {
	count uint32
	burst uint8 // 429 replies that are still to come
}

func newDiceBox(seed uint64) *diceBox {
	return &diceBox{seed: seed, kinds: map[uint64]kind{}}
}

// next counts a request of the kind and returns its dice. The function sees
// and may change what is remembered of the kind.
func (b *diceBox) next(operation, user string, remember func(*dice, *kind)) dice {
	key := b.key(operation, user)
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.kinds[key]
	var d dice
	d.source.Seed(key, uint64(k.count))
	k.count++
	if remember != nil {
		remember(&d, &k)
	}
	b.kinds[key] = k
	return d
}

// key is the FNV-1a hash of the seed, the operation and the user.
func (b *diceBox) key(operation, user string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ (b.seed >> shift & 0xff)) * prime
	}
	for i := range len(operation) {
		h = (h ^ uint64(operation[i])) * prime
	}
	h = (h ^ '\n') * prime
	for i := range len(user) {
		h = (h ^ uint64(user[i])) * prime
	}
	return h
}

// uuid returns a UUID of version 4.
func (d *dice) uuid() string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], d.source.Uint64())
	binary.BigEndian.PutUint64(id[8:], d.source.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
