package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// childFolder makes this process one that opens the store of a folder, prints a line
// before and one after, and is killed meanwhile.
const childFolder = "MUSTERTEST_STORE"

const (
	killCompactFrom = 1 << 20
	killCompactStep = 256 << 10 // some ten transactions
)

func openUntilKilled(folder string) error {
	store.CompactFrom(killCompactFrom, killCompactStep)
	fmt.Println("opening")
	if _, err := store.Open(folder, store.Options{}); err != nil {
		return err
	}
	fmt.Println("open")
	_, err := io.Copy(io.Discard, os.Stdin) // until it is killed
	return err
}

// opener is a process that opens a folder.
type opener struct {
	cmd  *exec.Cmd
	out  *bufio.Scanner
	keep io.Closer // its input, at whose end it would end
}

// startOpener returns at the moment at which the process begins to open the folder.
func startOpener(t *testing.T, folder string) *opener {
	t.Helper()
	o := &opener{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(os.Environ(), childFolder+"="+folder)
	o.cmd.Stderr = os.Stderr
	var err error
	if o.keep, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if o.out = bufio.NewScanner(out); !o.out.Scan() {
		t.Errorf("the process has ended: %v", o.cmd.Wait())
	}
	return o
}

func (o *opener) kill(t *testing.T) {
	t.Helper()
	if err := o.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = o.cmd.Wait() // it was killed
	_ = o.keep.Close()
}

// dueForCompaction makes a file that is, and returns it with what it holds.
func dueForCompaction(t *testing.T) (file []byte, holds string) {
	t.Helper()
	folder := t.TempDir()
	s := open(t, folder, store.Options{})
	e, other := s.Create("q", []byte("{}")), s.Create("other", []byte("{}"))
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range int64(600) {
		payload := make([]byte, 1+rng.IntN(12<<10))
		payload[0] = byte(i)
		e.Append([]queue.Change{
			{Kind: queue.ChangePut, Sequence: i, Dead: i%3 == 0, Record: queue.Record{EnqueuedAt: start, Payload: payload}},
			{Kind: queue.ChangeLast, Sequence: i},
		})
		other.Append([]queue.Change{{Kind: queue.ChangeHistory, ID: fmt.Sprint(i), Time: start.Add(time.Duration(1+i) * time.Second)}})
	}
	other.Append([]queue.Change{{Kind: queue.ChangeSession, ID: "s", State: []byte("state"), Time: start}})
	wait(t, s, other)
	for i := range int64(400) {
		e.Append([]queue.Change{{Kind: queue.ChangeDelete, Sequence: i, Dead: i%3 == 0}})
	}
	wait(t, s, e)
	holds = contents(t, s)
	closed(t, s)
	file, err := os.ReadFile(filepath.Join(folder, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	return file, holds
}

// TestNothingIsLostWhileCompacting kills a process at random moments while it opens a
// file that it compacts. What is there then is opened, by one that compacts too or by
// one that does not, and must be all of it. It goes on until some were killed before the
// compacted file had the name, and some after.
func TestNothingIsLostWhileCompacting(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("MUSTERTEST_KILLS")); err == nil {
		kills = n
	}
	file, holds := dueForCompaction(t)
	whole := time.Duration(0) // how long one takes that is left alone
	midst, after := 0, 0
	n := 0
	for ; n < kills || (midst == 0 || after == 0) && n < 10*kills; n++ {
		folder := filepath.Join(t.TempDir(), strconv.Itoa(n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, "broker.db"), file)
		old := infoOf(t, folder)
		o := startOpener(t, folder)
		if begun := time.Now(); whole == 0 {
			if !o.out.Scan() {
				t.Error("the file can't be opened")
			}
			whole = time.Since(begun)
		} else {
			<-time.After(time.Duration(rand.Int64N(int64(whole) * 11 / 10)))
		}
		o.kill(t)
		_, err := os.Stat(filepath.Join(folder, "broker.compact"))
		switch {
		case err == nil:
			midst++
		case !errors.Is(err, fs.ErrNotExist):
			t.Error(err)
		case !os.SameFile(old, infoOf(t, folder)):
			after++
		}
		from := int64(killCompactFrom)
		if n%2 == 0 {
			from = 1 << 40
		}
		restore := store.CompactFrom(from, killCompactStep)
		s := open(t, folder, store.Options{})
		restore()
		if got := contents(t, s); got != holds {
			t.Fatalf("after %d kills it holds\n%s\nwant\n%s", n+1, got, holds)
		}
		closed(t, s)
		if _, err := os.Stat(filepath.Join(folder, "broker.compact")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what was begun is still there: %v", err)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed %d times, %d of them while a file was compacted, %d after; undisturbed, it takes %v", n, midst, after, whole)
	if midst == 0 || after == 0 {
		t.Errorf("of %d kills, %d were while a file was compacted and %d after", n, midst, after)
	}
}
