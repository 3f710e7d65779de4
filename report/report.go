package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-mfa/muster/ratelimit"
)

// Run reads the directory and writes the report. It returns the summary, and no
// file but whole ones.
func Run(ctx context.Context, source Source, o Options) (s Summary, err error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Summary{}, fmt.Errorf("report options: %w", err)
	}
	budgets, err := ratelimit.New(ratelimit.Options{ReadsPerSecond: o.ReportsPerSecond, ReadBurst: 5})
	if err != nil {
		return Summary{}, err
	}
	b := &build{
		o: o, source: source, started: o.Now().UTC(), tally: newTally(),
		space: &workspace{parent: besides(o.paths()[0])},
		pace:  func(ctx context.Context) error { return budgets.Wait(ctx, o.Tenant, 1, 0) },
	}
	defer func() { err = errors.Join(err, b.close()) }()
	return b.run(ctx)
}

// besides is the folder for what is temporary, which may be large.
func besides(path string) string {
	if path == ToStdout {
		return os.TempDir()
	}
	return filepath.Dir(path)
}

// build is a report under way.
type build struct {
	o        Options
	source   Source
	started  time.Time
	pace     func(context.Context) error
	progress progress
	space    *workspace
	sorters  []*sorter
	drafts   drafts
	tally    *tally
}

func (b *build) sorter() *sorter {
	s := newSorter(b.space, b.o.sortMemory)
	b.sorters = append(b.sorters, s)
	return s
}

// close takes away all that is temporary.
func (b *build) close() error {
	b.drafts.discard()
	var faults []error
	for _, s := range b.sorters {
		faults = append(faults, s.close())
	}
	return errors.Join(append(faults, b.space.remove())...)
}

func (b *build) run(ctx context.Context) (Summary, error) {
	if err := b.drafts.open(b.o.paths()); err != nil {
		return Summary{}, err
	}
	var earlier *sorter
	if b.o.Earlier != "" {
		earlier = b.sorter()
		if err := readEarlier(b.o.Earlier, earlier); err != nil {
			return Summary{}, err
		}
	}
	stop := b.tellProgress()
	r, err := b.read(ctx)
	stop()
	if err != nil {
		return Summary{}, cmp.Or(interruption(ctx), err)
	}
	sorted, err := b.compose(ctx, r, earlier)
	if err != nil {
		return Summary{}, cmp.Or(interruption(ctx), err)
	}
	s := b.tally.finish(earlier != nil)
	s.Tenant, s.Generated, s.View, s.Seen, s.Parts = b.o.Tenant, b.started, b.o.View, b.progress.seen.Load(), r.parts.told()
	if err := b.write(ctx, sorted, &s); err != nil {
		return Summary{}, cmp.Or(interruption(ctx), err)
	}
	if err := b.drafts.publish(b.o.Stdout); err != nil {
		return Summary{}, err
	}
	s.Files, s.Seconds = b.o.paths(), b.o.Now().Sub(b.started).Seconds()
	return s, nil
}

// interruption is the error of a report that was ended from outside.
func interruption(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("report interrupted, nothing was written: %w", ctx.Err())
}

// compose joins what was read, compares it with an earlier report, and hands the
// rows that are shown to a sorter in the order of the report.
func (b *build) compose(ctx context.Context, r *reading, earlier *sorter) (*sorter, error) {
	compare, endCompare, err := b.comparison(earlier)
	if err != nil {
		return nil, err
	}
	sorted := b.sorter()
	var key, scratch []byte
	err = b.join(ctx, r, func(row *Row) (err error) {
		if !b.o.shows(row) {
			return nil
		}
		b.tally.row(row)
		if err := compare(row); err != nil {
			return err
		}
		key = b.o.Order.key(key[:0], row)
		scratch, err = sorted.addRow(key, row, scratch)
		return err
	})
	if err := errors.Join(err, endCompare()); err != nil {
		return nil, err
	}
	// What was joined is needed no more.
	return sorted, errors.Join(r.users.close(), r.registrations.close(), r.signIns.close())
}

// comparison returns what to do with each row, and at the end.
func (b *build) comparison(earlier *sorter) (row func(*Row) error, end func() error, err error) {
	if earlier == nil {
		return func(*Row) error { return nil }, func() error { return nil }, nil
	}
	tell, finish := func(c Change) error { b.tally.change(c); return nil }, func() error { return nil }
	if b.o.Changes != "" {
		w, err := newChangeWriter(b.drafts.of(b.o.Changes), b.o.Changes)
		if err != nil {
			return nil, nil, err
		}
		finish = w.end
		tell = func(c Change) error {
			b.tally.change(c)
			return w.write(c)
		}
	}
	rows, err := pullRows(earlier)
	if err != nil {
		return nil, nil, err
	}
	c := &comparison{earlier: rows, tell: tell}
	end = func() error {
		defer rows.stop()
		return errors.Join(c.rest(), finish())
	}
	return c.row, end, nil
}

// write writes the sorted rows into every file.
func (b *build) write(ctx context.Context, sorted *sorter, s *Summary) error {
	writers, commands, err := b.writers(s)
	if err != nil {
		return err
	}
	n := int64(0)
	for row, err := range sorted.rows() {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		for _, w := range writers {
			if err := w.row(&row); err != nil {
				return fmt.Errorf("write report: %w", err)
			}
		}
		for _, w := range commands {
			if err := w.row(&row); err != nil {
				return fmt.Errorf("write commands: %w", err)
			}
		}
		if n++; n%5000 == 0 && b.o.Progress != nil {
			p := b.told()
			p.Written, p.Rows = n, s.Users
			b.o.Progress(p)
		}
	}
	for _, w := range writers {
		if err := w.end(); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	for path, w := range commands {
		if err := w.end(); err != nil {
			return fmt.Errorf("write commands: %w", err)
		}
		if path == b.o.Commands {
			s.Commands = w.rows
		} else {
			s.PhoneRemovals, s.PhonesKept = w.rows, w.kept
		}
	}
	return nil
}

// writers begins every output.
func (b *build) writers(s *Summary) ([]writer, map[string]*commandWriter, error) {
	var writers []writer
	for _, out := range b.o.Outputs {
		w, err := b.writer(out.Format, b.drafts.of(out.Path))
		if err != nil {
			return nil, nil, err
		}
		if err := w.begin(*s); err != nil {
			return nil, nil, fmt.Errorf("write %s: %w", out.Path, err)
		}
		writers = append(writers, w)
	}
	commands := map[string]*commandWriter{}
	for _, f := range []struct {
		path string
		make func(io.Writer) (*commandWriter, error)
	}{{b.o.Commands, newDisableWriter}, {b.o.RemovePhones, newRemovalWriter}} {
		if f.path == "" {
			continue
		}
		var err error
		if commands[f.path], err = f.make(b.drafts.of(f.path)); err != nil {
			return nil, nil, err
		}
	}
	return writers, commands, nil
}

func (b *build) writer(f Format, to io.Writer) (writer, error) {
	columns := b.o.columns()
	switch f {
	case CSV:
		return newCSV(to, columns), nil
	case JSONL:
		return newJSONL(to), nil
	case HTML:
		return newPage(to, columns, b.o.PageRows), nil
	case XLSX:
		dir, err := b.space.path()
		return newXLSX(to, columns, dir), err
	}
	return nil, fmt.Errorf("unknown format %q", f)
}

// tellProgress reports while reading goes on, until it is told to stop.
func (b *build) tellProgress() (stop func()) {
	if b.o.Progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				b.o.Progress(b.told())
			case <-end:
				b.o.Progress(b.told())
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

func (b *build) told() Progress {
	p := &b.progress
	return Progress{
		Seen: p.seen.Load(), Registrations: p.registrations.Load(), SignIns: p.signIns.Load(),
		Detailed: p.detailed.Load(), Wanted: p.wanted.Load(),
	}
}
