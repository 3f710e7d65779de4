package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = testKey(1)

func testKey(fill byte) ledger.Key {
	raw := bytes.Repeat([]byte{fill}, ledger.KeySize)
	k, err := ledger.ParseKey(encodeBase64(raw))
	if err != nil {
		panic(err)
	}
	return k
}

func record(n int) ledger.Record {
	state := "enabled"
	return ledger.Record{
		Time: time.Date(2026, 11, 21, 8, 0, n, 0, time.UTC), CommandID: fmt.Sprintf("command-%d", n),
		Tenant: "contoso.example", UserID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Run: "spring", Row: n + 2,
		Before: ledger.Values{Phones: map[string]string{"mobile": fmt.Sprintf("+1 206555%04d", n)}, PerUserMFAState: &state},
		After:  ledger.Values{Phones: map[string]string{"mobile": ""}, PerUserMFAState: &state},
	}
}

// write makes a ledger of n records and returns its name.
func write(t testing.TB, n int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ledger")
	add(t, name, 0, n)
	return name
}

func add(t testing.TB, name string, from, to int) ledger.Extent {
	t.Helper()
	f, extent, err := ledger.Open(name, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		if err := f.Append(record(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return extent
}

func read(name string, k ledger.Key) ([]ledger.Record, ledger.Extent, error) {
	var records []ledger.Record
	extent, err := ledger.ReadFile(name, k, func(r ledger.Record) error {
		records = append(records, r)
		return nil
	})
	return records, extent, err
}

func content(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	name := write(t, 3)
	add(t, name, 3, 5)
	got, extent, err := read(name, key)
	if err != nil || extent.Records != 5 || extent.Torn != 0 || extent.Size != int64(len(content(t, name))) {
		t.Fatalf("extent %+v, error %v", extent, err)
	}
	want := []ledger.Record{record(0), record(1), record(2), record(3), record(4)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v; want that nobody else may read it", info.Mode(), err)
	}
}

func TestNothingStandsInClearText(t *testing.T) {
	raw := string(content(t, write(t, 20)))
	for _, secret := range []string{"206555", "contoso", "command-", "0000-4000", "spring", "enabled", "phones"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the file holds %q", secret)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(shown, "1") || strings.Contains(shown, key.Encode()) {
		t.Errorf("the key prints as %s", shown)
	}
}

// A file that ends anywhere, as after a crash, holds every whole record, and the
// next writer goes on behind them.
func TestTheEndMayBeTorn(t *testing.T) {
	whole := content(t, write(t, 2))
	two := extentOf(t, whole)
	one := extentOf(t, content(t, write(t, 1))).Size
	for cut := one; cut < two.Size; cut++ {
		name := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, extent, err := read(name, key)
		if err != nil || len(got) != 1 || extent.Torn != cut-one {
			t.Fatalf("cut at %d: %d records, %+v, error %v", cut, len(got), extent, err)
		}
		if cut%7 != 0 {
			continue
		}
		if found := add(t, name, 7, 8); found.Torn != cut-one {
			t.Errorf("cut at %d: the writer found %d torn bytes, want %d", cut, found.Torn, cut-one)
		}
		got, extent, err = read(name, key)
		if err != nil || extent.Torn != 0 || len(got) != 2 || got[1].CommandID != "command-7" {
			t.Fatalf("cut at %d and written on: %d records, %+v, error %v", cut, len(got), extent, err)
		}
	}
}

func extentOf(t testing.TB, raw []byte) ledger.Extent {
	t.Helper()
	extent, err := ledger.Scan(bytes.NewReader(raw), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return extent
}

// A file system may make a file longer before the bytes arrive.
func TestZerosAtTheEndAreTorn(t *testing.T) {
	name := write(t, 1)
	if err := os.WriteFile(name, append(content(t, name), make([]byte, 100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, extent, err := read(name, key); err != nil || len(got) != 1 || extent.Torn != 100 {
		t.Errorf("%d records, %+v, error %v", len(got), extent, err)
	}
}

func TestABeginningThatWasCutIsBegunAgain(t *testing.T) {
	whole := content(t, write(t, 0))
	for _, cut := range []int{0, 5, 20, len(whole) - 1} {
		name := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		add(t, name, 0, 1)
		if got, _, err := read(name, key); err != nil || len(got) != 1 {
			t.Errorf("cut at %d: %d records, error %v", cut, len(got), err)
		}
	}
}

// No byte of the file but those of the last record can be changed unnoticed,
// and that one is then not taken for a record.
func TestNoByteCanBeChanged(t *testing.T) {
	whole := content(t, write(t, 2))
	for i := range whole {
		changed := slices.Clone(whole)
		changed[i] ^= 0x40
		var got int
		_, err := ledger.Scan(bytes.NewReader(changed), key, func(ledger.Record) error { got++; return nil })
		if got == 2 || err == nil && got != 1 {
			t.Errorf("byte %d of %d changed: %d records, error %v", i, len(whole), got, err)
		}
	}
}

func TestRecordsCanNotBeMoved(t *testing.T) {
	name := write(t, 0)
	begin := len(content(t, name))
	var frames [][]byte
	for i := range 4 {
		before := len(content(t, name))
		add(t, name, i, i+1)
		frames = append(frames, content(t, name)[before:])
	}
	head := content(t, name)[:begin]
	other := content(t, write(t, 0))
	for what, raw := range map[string][]byte{
		"swapped":           slices.Concat(head, frames[1], frames[0], frames[2]),
		"left out":          slices.Concat(head, frames[1], frames[2]),
		"repeated":          slices.Concat(head, frames[0], frames[0], frames[2]),
		"from another file": slices.Concat(other, frames[0], frames[1]),
	} {
		if _, err := ledger.Scan(bytes.NewReader(raw), key, nil); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s: error %v, want ErrDamaged", what, err)
		}
	}
}

func TestTheWrongKeyAndTheWrongFile(t *testing.T) {
	name := write(t, 1)
	if _, _, err := read(name, testKey(2)); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("read with another key: error %v", err)
	}
	if _, _, err := ledger.Open(name, testKey(2)); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("open with another key: error %v", err)
	}
	text := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(text, []byte("user,mobile\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.Open(text, key); !errors.Is(err, ledger.ErrNotLedger) {
		t.Errorf("open a file of users: error %v", err)
	}
	if got := string(content(t, text)); got != "user,mobile\n" {
		t.Errorf("the file of users now holds %q", got)
	}
	for _, bad := range []string{"", "AAAA", strings.Repeat("x", 44)} {
		if _, err := ledger.ParseKey(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("ParseKey(%q): error %v", bad, err)
		}
	}
	k := ledger.NewKey()
	if again, err := ledger.ParseKey(" " + k.Encode() + "\n"); err != nil || again != k || k == ledger.NewKey() {
		t.Errorf("a key does not survive its encoding, or is always the same: %v", err)
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	f, _, err := ledger.Open(name, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.Open(name, key); !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("a second writer: error %v, want ErrInUse", err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				if err := f.Append(record(100*i + j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, _, err := read(name, key)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, r := range got {
		seen[r.CommandID] = true
	}
	if len(got) != 200 || len(seen) != 200 {
		t.Errorf("%d records, %d different ones; want 200", len(got), len(seen))
	}
}

func FuzzScan(f *testing.F) {
	whole := content(f, filepath.Join("testdata", "format1.ledger"))
	f.Add(whole)
	f.Add(whole[:len(whole)-9])
	f.Add(append(slices.Clone(whole), make([]byte, 64)...))
	f.Add([]byte("muster-ledger 1\n"))
	f.Add([]byte("user,mobile\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var n uint64
		extent, err := ledger.Scan(bytes.NewReader(raw), key, func(ledger.Record) error { n++; return nil })
		if n != extent.Records || extent.Size+extent.Torn > int64(len(raw)) {
			t.Errorf("%d records of %d bytes: %+v", n, len(raw), extent)
		}
		if err == nil && extent.Size+extent.Torn != int64(len(raw)) {
			t.Errorf("%d bytes, and the extent accounts for %d and %d", len(raw), extent.Size, extent.Torn)
		}
	})
}

// A ledger that was written before stays readable: testdata/format1.ledger holds
// three records, made with the key of 32 ones.
func TestTheFormatStays(t *testing.T) {
	name := filepath.Join("testdata", "format1.ledger")
	got, extent, err := read(name, key)
	if err != nil || extent.Torn != 0 {
		t.Fatalf("%+v, error %v", extent, err)
	}
	if diff := cmp.Diff([]ledger.Record{record(0), record(1), record(2)}, got); diff != "" {
		t.Error(diff)
	}
}
