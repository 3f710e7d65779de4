package queue

import "sync"

// Memory is the Store of a queue whose messages end with the process. It has their
// payloads and nothing else: the rest is in the queue. The zero value is empty.
type Memory struct {
	mu    sync.Mutex
	pages map[int64]*payloads
}

// perPage is how many payloads with consecutive numbers are kept together. A page
// with a single one wastes the others' places, so it is small.
const perPage = 8

// pageOf names the page of a sequence number.
func pageOf(dead bool, sequence int64) int64 {
	page := sequence / perPage * 2
	if dead {
		page++
	}
	return page
}

type payloads struct {
	live int
	has  [perPage][]byte
}

// Begin implements Store: with the process everything ends.
func (m *Memory) Begin() (end func()) { return func() {} }

// Safe implements Store: nothing is ever safer.
func (m *Memory) Safe(bool, int64, func()) bool { return true }

// Append implements Store.
func (m *Memory) Append(changes []Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case ChangePut:
			m.put(c)
		case ChangeDelete:
			m.remove(c)
		}
	}
}

func (m *Memory) put(c *Change) {
	key := pageOf(c.Dead, c.Sequence)
	p := m.pages[key]
	if p == nil {
		if m.pages == nil {
			m.pages = make(map[int64]*payloads)
		}
		p = &payloads{}
		m.pages[key] = p
	}
	p.live++
	p.has[c.Sequence%perPage] = c.Record.Payload
}

func (m *Memory) remove(c *Change) {
	key := pageOf(c.Dead, c.Sequence)
	p := m.pages[key]
	if p.live--; p.live == 0 {
		delete(m.pages, key)
		return
	}
	p.has[c.Sequence%perPage] = nil
}

// Load implements Store.
func (m *Memory) Load(dead bool, sequence int64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pages[pageOf(dead, sequence)]; p != nil {
		return p.has[sequence%perPage]
	}
	return nil
}
