package bulk

import (
	"hash/maphash"
	"strings"
)

// maxUsers bounds the memory of a load: about 100 MB of hashes.
const maxUsers = 4 << 20

// users recognises users that come again, by a hash in place of the name.
type users struct {
	seed   maphash.Seed
	counts map[uint64]bool // whether the user has come again already
}

func newUsers() *users {
	return &users{seed: maphash.MakeSeed(), counts: make(map[uint64]bool)}
}

// again records a user and reports whether this is the second time that it
// comes. Case does not tell users apart.
func (u *users) again(user string) bool {
	key := maphash.String(u.seed, strings.ToLower(user))
	repeated, known := u.counts[key]
	switch {
	case !known && len(u.counts) < maxUsers:
		u.counts[key] = false
	case known && !repeated:
		u.counts[key] = true
		return true
	}
	return false
}
