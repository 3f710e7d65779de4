package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// sheet has n rows of which every seventh is rejected.
func sheet(n int) string {
	var b strings.Builder
	b.WriteString("UPN,Mobile,SmsSignIn\n")
	for i := range n {
		mobile := fmt.Sprintf("06%08d", 12345678+i)
		if i%7 == 6 {
			mobile = "3,16E+10"
		}
		fmt.Fprintf(&b, "user%d@contoso.example,%q,\n", i, mobile)
	}
	return b.String()
}

func TestLoad(t *testing.T) {
	text := "UPN,Mobile,SmsSignIn\n" +
		"anna@contoso.example,0612345678,\n" +
		"bob@contoso.example,12,\n" +
		"\n" +
		"ANNA@contoso.example,,yes\n" +
		"anna@contoso.example,-,no\n" +
		"carl@contoso.example\n"
	q := &queue{t: t}
	o := options()
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return noon }
	o.Size = int64(len(text))
	var last bulk.Progress
	o.Progress = func(p bulk.Progress) { last = p }

	got, err := bulk.Load(t.Context(), open(t, text), q, o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	checkCounts(t, got)
	want := bulk.Result{
		Rows: 5, Accepted: 3, Rejected: 2,
		ByReason:       map[string]int{phone.ReasonInvalid: 1, bulk.ReasonWrongFieldCount: 1},
		DuplicateUsers: 1, Blank: 1, LastRow: 7, Bytes: int64(len(text)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if want := (bulk.Progress{Rows: 5, Accepted: 3, Rejected: 2, Bytes: o.Size, Size: o.Size}); last != want {
		t.Errorf("last progress %+v, want %+v", last, want)
	}
	if diff := cmp.Diff([]int{2, 5, 6}, q.rows()); diff != "" {
		t.Errorf("rows sent (-want +got):\n%s", diff)
	}
	first := q.events[0]
	first.TraceParent, first.TraceState = "", ""
	if diff := cmp.Diff(messages.Event{
		ID: bulk.EventID("contoso.example", "r1", 2), Source: bulk.DefaultSource, Time: noon,
		Command: messages.Command{
			Tenant: "contoso.example", User: "anna@contoso.example", Run: "r1", Row: 2,
			Phones: messages.Phones{messages.Mobile: "+31 612345678"},
		},
	}, first); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
}

func TestLoadKeepsOrder(t *testing.T) {
	const rows = 6_000
	q := &queue{t: t}
	o := options()
	o.Workers, o.BatchRows = 8, 50
	got, err := bulk.Load(t.Context(), open(t, sheet(rows)), q, o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	checkCounts(t, got)
	if got.Rows != rows || len(q.events) != got.Accepted {
		t.Errorf("%d rows and %d events, want %d rows and %d events", got.Rows, len(q.events), rows, got.Accepted)
	}
	if !slices.IsSorted(q.rows()) {
		t.Error("rows were not sent in their order")
	}
}

func TestLoadOptions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*bulk.Options)
		want   []string
	}{
		{"nothing given", func(o *bulk.Options) { *o = bulk.Options{} }, []string{"tenant is required", "run is required", "queue is required"}},
		{"region", func(o *bulk.Options) { o.Policy.Region = "UK" }, []string{"GB"}},
		{"negative", func(o *bulk.Options) { o.Workers, o.BatchRows = -1, -1 }, []string{"workers", "batch rows"}},
		{"tenant that no command may have", func(o *bulk.Options) { o.Tenant = "contoso example" }, []string{"tenant"}},
		{"over-long run", func(o *bulk.Options) { o.Run = strings.Repeat("r", 1000) }, []string{"run"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options()
			tt.change(&o)
			_, err := bulk.Load(t.Context(), open(t, sheet(1)), &queue{t: t}, o)
			if err == nil {
				t.Fatal("Load accepts the options")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q, want %q in it", err, part)
				}
			}
		})
	}
}

// Wherever sending stops, the result counts what the queue holds, and every row
// before the first that it does not hold.
func TestLoadCountsWhatWasSent(t *testing.T) {
	full := errors.New("queue is full")
	for limit := range 40 {
		q := &queue{t: t, limit: limit, err: full}
		o := options()
		o.BatchRows = 16
		var rejects strings.Builder
		r := open(t, sheet(60))
		o.Rejects = bulk.NewRejectsWriter(&rejects, r.Detected())
		got, err := bulk.Load(t.Context(), r, q, o)
		if !errors.Is(err, full) {
			t.Fatalf("limit %d: Load = %v, want %v", limit, err, full)
		}
		checkCounts(t, got)
		if got.Accepted != limit || got.Unknown == 0 {
			t.Errorf("limit %d: %d accepted, %d unknown", limit, got.Accepted, got.Unknown)
		}
		if written := strings.Count(rejects.String(), "\n") - 1; written != got.Rejected {
			t.Errorf("limit %d: %d rejected, %d in the file", limit, got.Rejected, written)
		}
		if got.LastRow != got.Rows+1 && got.Rows > 0 {
			t.Errorf("limit %d: last row %d after %d rows", limit, got.LastRow, got.Rows)
		}
	}
}

func TestLoadInterrupted(t *testing.T) {
	stop := errors.New("told to stop")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		sends := 0
		q := &queue{t: t}
		q.before = func(sendCtx context.Context) error {
			if sends++; sends == 3 {
				cancel(stop)
				<-time.After(bulk.DefaultGrace / 2)
			}
			return sendCtx.Err()
		}
		o := options()
		o.BatchRows = 10
		got, err := bulk.Load(ctx, open(t, sheet(1000)), q, o)
		if !errors.Is(err, stop) {
			t.Fatalf("Load = %v, want %v", err, stop)
		}
		checkCounts(t, got)
		if got.Accepted != len(q.events) || got.Rows != 30 || got.LastRow != 31 || got.Unknown != 0 {
			t.Errorf("result %+v with %d events, want three whole batches", got, len(q.events))
		}
		if !strings.Contains(err.Error(), "row 31") {
			t.Errorf("error %q does not say how far the load came", err)
		}
	})
}

func TestLoadGivesUpAfterGrace(t *testing.T) {
	stop := errors.New("told to stop")
	for name, grace := range map[string]time.Duration{"default": 0, "longer": time.Minute, "none": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				began := time.Now()
				q := &queue{t: t, before: func(sendCtx context.Context) error {
					cancel(stop)
					<-sendCtx.Done()
					return context.Cause(sendCtx)
				}}
				o := options()
				o.Grace = grace
				got, err := bulk.Load(ctx, open(t, sheet(5)), q, o)
				if !errors.Is(err, stop) || got.Rows != 0 || got.Unknown != 5 {
					t.Errorf("Load = %+v, %v, want %v and five unknown commands", got, err, stop)
				}
				want := max(grace, 0)
				if grace == 0 {
					want = bulk.DefaultGrace
				}
				if took := time.Since(began); took != want {
					t.Errorf("gave up after %s, want %s", took, want)
				}
			})
		})
	}
}

func TestLoadCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := bulk.Load(ctx, open(t, sheet(5)), &queue{t: t}, options())
	if !errors.Is(err, context.Canceled) || got.Rows != 0 {
		t.Errorf("Load = %+v, %v, want nothing done and %v", got, err, context.Canceled)
	}
}

func TestLoadSettlesWhatWasReadBeforeAnError(t *testing.T) {
	broken := errors.New("share has gone")
	src := io.MultiReader(strings.NewReader(sheet(5000)), iotest.ErrReader(broken))
	r, err := bulk.NewReader(src, bulk.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{t: t}
	got, err := bulk.Load(t.Context(), r, q, options())
	if !errors.Is(err, broken) {
		t.Fatalf("Load = %v, want %v", err, broken)
	}
	checkCounts(t, got)
	if got.Rows != 5000 || len(q.events) != got.Accepted {
		t.Errorf("%d rows, %d events, want 5000 rows and %d events", got.Rows, len(q.events), got.Accepted)
	}
}

// failingWriter fails after some bytes.
type failingWriter struct{ left int }

var errDiskFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errDiskFull
	}
	return len(p), nil
}

func TestLoadRejectsFileFails(t *testing.T) {
	r := open(t, sheet(5000))
	q := &queue{t: t}
	o := options()
	o.Rejects = bulk.NewRejectsWriter(&failingWriter{left: 10_000}, r.Detected())
	got, err := bulk.Load(t.Context(), r, q, o)
	if !errors.Is(err, errDiskFull) {
		t.Fatalf("Load = %v, want %v", err, errDiskFull)
	}
	checkCounts(t, got)
	if got.Accepted != len(q.events) {
		t.Errorf("%d accepted, but the queue holds %d", got.Accepted, len(q.events))
	}
}

func TestEventID(t *testing.T) {
	id := bulk.EventID("contoso.example", "r1", 2)
	if again := bulk.EventID("contoso.example", "r1", 2); again != id {
		t.Errorf("ids %s and %s of one row", id, again)
	}
	for name, other := range map[string]string{
		"tenant": bulk.EventID("fabrikam.example", "r1", 2),
		"run":    bulk.EventID("contoso.example", "r2", 2),
		"row":    bulk.EventID("contoso.example", "r1", 3),
		"border": bulk.EventID("contoso.example", "r", 12),
	} {
		if other == id {
			t.Errorf("another %s has the same id", name)
		}
	}
}
