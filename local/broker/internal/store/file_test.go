package store_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// wantDamaged demands that a folder with a file is refused, and says which.
func wantDamaged(t *testing.T, folder string) {
	t.Helper()
	s, err := store.Open(folder, store.Options{})
	if err == nil {
		closed(t, s)
	}
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), folder) {
		t.Errorf("error %v", err)
	}
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNone(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "broker.db"), []byte(strings.Repeat("not a database ", 1000)))
	wantDamaged(t, folder)
}

func TestAnEmptyFile(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "broker.db"), nil)
	wantDamaged(t, folder)
}

// Of several that start on a new folder at once, one has it and the others hear so.
func TestAFolderIsMadeBySeveral(t *testing.T) {
	var work sync.WaitGroup
	for range 8 {
		folder := filepath.Join(t.TempDir(), "new")
		var owners atomic.Int32
		for range 4 {
			work.Go(func() {
				s, err := store.Open(folder, store.Options{})
				if err == nil {
					owners.Add(1)
					t.Cleanup(func() { closed(t, s) })
				} else if !errors.Is(err, store.ErrInUse) {
					t.Errorf("error %v, want ErrInUse", err)
				}
			})
		}
		t.Cleanup(func() {
			if n := owners.Load(); n != 1 {
				t.Errorf("%d have it", n)
			}
		})
	}
	work.Wait()
}

func TestTheDatabaseOfAnotherProgram(t *testing.T) {
	folder := t.TempDir()
	db, err := bolt.Open(filepath.Join(folder, "broker.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("members"))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	wantDamaged(t, folder)
}

// full is the image of a file with a few hundred messages.
func full(t *testing.T) image {
	t.Helper()
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	w := &scribe{rng: rand.New(rand.NewPCG(1, 1)), number: transactions}
	for range 30 {
		w.write(s)
		for _, e := range s.Entities() {
			wait(t, s, e)
		}
	}
	closed(t, s)
	return imageOf(t, folder)
}

// A file without its end is told of, however much is missing.
func TestAFileThatIsCutOff(t *testing.T) {
	whole := full(t)
	last := 0
	for n := range whole.pages {
		last = max(last, n)
	}
	for _, size := range []int{1, pageSize, 2 * pageSize, 2*pageSize + 100, last * pageSize / 2, last * pageSize} {
		whole.size = size
		wantDamaged(t, whole.write(t))
	}
}

// A file with pages of nonsense is told of, or opened where nothing counts on them; it
// never ends the process.
func TestAFileWithDamagedPages(t *testing.T) {
	whole := full(t)
	rng := rand.New(rand.NewPCG(2, 2))
	told := 0
	for range 200 {
		damaged := image{whole.size, map[int][]byte{}}
		for n, p := range whole.pages {
			if rng.IntN(len(whole.pages)) < 2 {
				p = bytes.Clone(p)
				switch rng.IntN(3) {
				case 0:
					clear(p)
				case 1:
					for i := range p {
						p[i] = byte(rng.Uint32())
					}
				default:
					p[rng.IntN(len(p))] ^= 1 << rng.IntN(8)
				}
			}
			damaged.pages[n] = p
		}
		s, err := store.Open(damaged.write(t), store.Options{})
		switch {
		case err == nil:
			closed(t, s)
		case errors.Is(err, store.ErrDamaged):
			told++
		default:
			t.Errorf("error %v", err)
		}
	}
	if told < 20 {
		t.Errorf("told of damage %d times", told)
	}
}

// Whoever is interrupted while a file is made, or has no room for it, leaves nothing
// that keeps the next from starting.
func TestAFileIsMadeWhole(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, folder, store.Options{})
	closed(t, s)
	begun := filepath.Join(folder, "broker-1.new")
	if err := os.Rename(filepath.Join(folder, "broker.db"), begun); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(begun, 5000); err != nil {
		t.Fatal(err)
	}
	s = open(t, folder, store.Options{})
	closed(t, s)
	if _, err := os.Stat(begun); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was begun is still there: %v", err)
	}
}

func infoOf(t *testing.T, folder string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(filepath.Join(folder, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func sizeOf(t *testing.T, folder string) int64 {
	t.Helper()
	return infoOf(t, folder).Size()
}

// A large file that is free for the most part is rewritten at the next start, and holds
// the same.
func TestAFileIsCompacted(t *testing.T) {
	defer store.CompactFrom(1<<20, 16<<20)()
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	e := s.Create("q", []byte("{}"))
	for i := range int64(40) {
		e.Append([]queue.Change{{Kind: queue.ChangePut, Sequence: i, Record: queue.Record{EnqueuedAt: start, Payload: make([]byte, 1<<20)}}})
	}
	wait(t, s, e)
	for i := range int64(35) {
		e.Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: i}})
	}
	wait(t, s, e)
	want := contents(t, s)
	closed(t, s)
	before := sizeOf(t, folder)
	// Where it can't be, it stays as it is.
	if err := os.Mkdir(filepath.Join(folder, "broker.compact"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "broker.compact", "in the way"), nil)
	var log logBuffer
	s = open(t, folder, store.Options{Logger: log.logger()})
	log.waitFor(t, "can't be compacted")
	if got := contents(t, s); got != want || sizeOf(t, folder) != before {
		t.Errorf("%d bytes of %d, which hold\n%s\nwant\n%s", sizeOf(t, folder), before, got, want)
	}
	closed(t, s)
	if err := os.RemoveAll(filepath.Join(folder, "broker.compact")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "broker.compact"), []byte("of one that was interrupted"))
	s = open(t, folder, store.Options{})
	if got := contents(t, s); got != want {
		t.Errorf("it holds\n%s\nwant\n%s", got, want)
	}
	if after := sizeOf(t, folder); after > before/2 {
		t.Errorf("%d bytes of %d", after, before)
	}
	if _, err := store.Open(folder, store.Options{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a compacted file is open twice: %v", err)
	}
	s.Entities()[0].Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: 35}})
	closed(t, s)
	s = open(t, folder, store.Options{})
	defer closed(t, s)
	if got := len(messages(t, s.Entities()[0])); got != 4 {
		t.Errorf("%d messages, want 4", got)
	}
}

func TestWhatTheSystemRefusesIsNoDamage(t *testing.T) {
	for _, err := range []error{
		syscall.ENOMEM, os.NewSyscallError("CreateFileMapping", syscall.ENOMEM), &fs.PathError{Op: "read", Path: "broker.db", Err: io.ErrUnexpectedEOF},
	} {
		if got := store.OpenError(err); errors.Is(got, store.ErrDamaged) || !errors.Is(got, err) {
			t.Errorf("%v is told as %v", err, got)
		}
	}
}
