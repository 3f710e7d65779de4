package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/go-amqp"
)

// receiver receives messages and does something with each.
func (a *account) receiver(queue string, do func(*account, context.Context, *amqp.Receiver, *amqp.Message, *letter) error) crashClient {
	return func(ctx context.Context, session *amqp.Session) error {
		r, err := session.NewReceiver(ctx, queue, &amqp.ReceiverOptions{Credit: 10, SettlementMode: &second})
		if err != nil {
			return err
		}
		for {
			m, err := r.Receive(ctx, nil)
			if err != nil {
				return err
			}
			if err := do(a, ctx, r, m, a.arrived(fateOf(queue, m))); err != nil {
				return a.protest(ctx, err)
			}
		}
	}
}

// emptying is the kind of step that an emptier takes.
const emptying = "complete many"

// emptier receives messages and completes them, many at a time.
func (a *account) emptier(queue string) crashClient {
	return func(ctx context.Context, session *amqp.Session) error {
		r, err := session.NewReceiver(ctx, queue, &amqp.ReceiverOptions{Credit: 50, SettlementMode: &second})
		if err != nil {
			return err
		}
		var settling sync.WaitGroup
		defer settling.Wait()
		for {
			m, err := r.Receive(ctx, nil)
			if err != nil {
				return err
			}
			l := a.arrived(fateOf(queue, m))
			settling.Go(func() {
				err := a.settled(emptying, l, complete, func() error { return r.AcceptMessage(ctx, m) })
				if err != nil {
					_ = a.protest(ctx, err)
				}
			})
		}
	}
}

// settled settles a letter; it can come again unless it is gone.
func (a *account) settled(kind string, l *letter, change func(*letter, *fate), settle func() error) error {
	step := a.try(kind, []*letter{l}, change)
	a.giveBack(l)
	err := settle()
	if err == nil {
		a.done(step)
	}
	return err
}

func complete(_ *letter, f *fate) { *f = fate{place: nowhere} }

func (a *account) completed(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	return a.settled("complete", l, complete, func() error { return r.AcceptMessage(ctx, m) })
}

func (a *account) released(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	return a.settled("release", l, func(*letter, *fate) {}, func() error { return r.ReleaseMessage(ctx, m) })
}

// marked are the annotations by which a settlement sets the mark.
func marked(mark int64) amqp.Annotations { return amqp.Annotations{"mark": mark} }

func (a *account) abandoned(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	mark := rand.Int64N(1 << 40)
	return a.settled("abandon", l, func(l *letter, f *fate) {
		f.mark = mark
		if f.place != dead {
			f.fails++
		}
	}, func() error { return r.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{Annotations: marked(mark)}) })
}

func (a *account) deferred(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	mark := rand.Int64N(1 << 40)
	return a.settled("defer", l, func(l *letter, f *fate) { f.place, f.mark, f.fails = aside, mark, f.fails+1 }, func() error {
		return r.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{UndeliverableHere: true, Annotations: marked(mark)})
	})
}

func deadLetter(reason string) *amqp.Error {
	return &amqp.Error{Condition: "com.microsoft:dead-letter", Info: map[string]any{"DeadLetterReason": reason}}
}

func (a *account) deadLettered(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	reason := fmt.Sprint("reason ", rand.IntN(1000))
	return a.settled("dead-letter", l, func(l *letter, f *fate) { f.place, f.reason = dead, reason }, func() error {
		return r.RejectMessage(ctx, m, deadLetter(reason))
	})
}

// anything settles a message in some way, or keeps it.
func (a *account) anything(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	switch n := rand.IntN(20); {
	case n < 9:
		return a.completed(ctx, r, m, l)
	case n < 12:
		return a.abandoned(ctx, r, m, l)
	case n < 14:
		return a.released(ctx, r, m, l)
	case n < 16:
		return a.deferred(ctx, r, m, l)
	case n < 18:
		return a.deadLettered(ctx, r, m, l)
	}
	return nil
}

// buried settles a dead letter in some way.
func (a *account) buried(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	switch rand.IntN(4) {
	case 0:
		return a.abandoned(ctx, r, m, l)
	case 1:
		return a.released(ctx, r, m, l)
	}
	return a.completed(ctx, r, m, l)
}

// bury dead-letters a message, which is forwarded in one go.
func (a *account) bury(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	step := a.try("forward a dead letter", []*letter{l, a.find("graves", l.id)}, func(l *letter, f *fate) {
		if *f = (fate{place: nowhere}); l.queue == "graves" {
			*f = fate{place: active}
		}
	})
	a.giveBack(l)
	err := r.RejectMessage(ctx, m, deadLetter("mortal"))
	if err == nil {
		a.done(step)
	}
	return err
}

// takeDeferred takes deferred messages by their numbers, and settles them by request.
func (a *account) takeDeferred(ctx context.Context, session *amqp.Session) error {
	c, err := newCaller(ctx, session, "plain")
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		l := a.pick("plain", aside)
		if l == nil {
			pause(ctx)
			continue
		}
		reply, err := c.call(ctx, "receive-by-sequence-number", map[string]any{
			"sequence-numbers": []int64{l.seq}, "receiver-settle-mode": uint32(1),
		})
		if err != nil {
			return a.protest(ctx, err)
		}
		list, _ := reply["messages"].([]any)
		entry, _ := list[0].(map[string]any)
		args := map[string]any{"lock-tokens": []amqp.UUID{entry["lock-token"].(amqp.UUID)}, "disposition-status": "completed"}
		change := complete
		if rand.IntN(2) == 0 {
			mark := rand.Int64N(1 << 40)
			args["disposition-status"], args["properties-to-modify"] = "abandoned", map[string]any{"mark": mark}
			change = func(_ *letter, f *fate) { f.mark, f.fails = mark, f.fails+1 }
		}
		err = a.settled(fmt.Sprint("deferred ", args["disposition-status"]), l, change, func() error {
			_, err := c.call(ctx, "update-disposition", args)
			return err
		})
		if err != nil {
			return a.protest(ctx, err)
		}
	}
	return nil
}

// pause lets others go on.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Millisecond):
	}
}

// fetch receives messages that are deleted at once.
func (a *account) fetch(ctx context.Context, session *amqp.Session) error {
	r, err := session.NewReceiver(ctx, "fetched", &amqp.ReceiverOptions{Credit: -1, RequestedSenderSettleMode: &first})
	if err != nil {
		return err
	}
	for {
		if err := r.IssueCredit(1); err != nil {
			return err
		}
		m, err := r.Receive(ctx, nil)
		if err != nil {
			return err
		}
		a.done(a.try("receive and delete", []*letter{a.arrived(fateOf("fetched", m))}, complete))
	}
}

const sessionFilter = "com.microsoft:session-filter"

// receiveInSessions takes one session after the other, a few messages of each, and
// leaves a state there.
func (a *account) receiveInSessions(ctx context.Context, session *amqp.Session) error {
	c, err := newCaller(ctx, session, "sessions")
	if err != nil {
		return err
	}
	for {
		r, err := session.NewReceiver(ctx, "sessions", &amqp.ReceiverOptions{
			Credit: -1, SettlementMode: &second, Filters: []amqp.LinkFilter{amqp.NewLinkFilter(sessionFilter, 0x137000000C, nil)},
		})
		if err != nil {
			return err
		}
		name, _ := r.LinkSourceFilterValue(sessionFilter).(string)
		if err := a.workOff(ctx, r, name); err != nil {
			return a.protest(ctx, err)
		}
		reply, err := c.call(ctx, "get-session-state", map[string]any{"session-id": name})
		if err != nil {
			return a.protest(ctx, err)
		}
		state, _ := reply["session-state"].([]byte)
		a.is(a.states, name, string(state))
		id, _ := a.next("state")
		value := any([]byte(id))
		if rand.IntN(4) == 0 {
			id, value = "", nil
		}
		done := a.set("set a state", a.states, name, id)
		if _, err := c.call(ctx, "set-session-state", map[string]any{"session-id": name, "session-state": value}); err != nil {
			return a.protest(ctx, err)
		}
		done()
		if err := r.Close(ctx); err != nil {
			return err
		}
	}
}

// workOff takes three messages of a session, if there are as many.
func (a *account) workOff(ctx context.Context, r *amqp.Receiver, name string) error {
	for i := range 3 {
		if err := r.IssueCredit(1); err != nil {
			return err
		}
		// The first is there, or the session would not have been given.
		brief, cancel := ctx, context.CancelFunc(func() {})
		if i > 0 {
			brief, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		}
		m, err := r.Receive(brief, nil)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		l := a.arrived(fateOf("sessions", m))
		if m.Properties.GroupID == nil || *m.Properties.GroupID != name {
			a.errorf("%s came in %s", l, name)
		}
		a.inOrder(l)
		switch rand.IntN(8) {
		case 0:
			err = a.abandoned(ctx, r, m, l)
		case 1:
			err = a.deferred(ctx, r, m, l)
		case 2:
			err = a.deadLettered(ctx, r, m, l)
		case 3:
			a.giveBack(l) // with the session
			return nil
		default:
			err = a.completed(ctx, r, m, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
