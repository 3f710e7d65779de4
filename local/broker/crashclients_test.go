package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/go-amqp"
)

// A crashClient works with a server until that is gone, on a connection of its own.
// Its error is that of the connection, but for what a server must not answer.
type crashClient func(ctx context.Context, session *amqp.Session) error

// crowd is how many messages may wait in a queue before nobody sends more: all of
// them are looked at after every kill.
const crowd = 300

var second, first = amqp.ReceiverSettleModeSecond, amqp.SenderSettleModeSettled

// clients are those of one life.
func (a *account) clients(v *victim) []crashClient {
	receivePlain := a.receiver("plain", (*account).anything)
	all := []crashClient{
		a.sender("plain", "plain", func(l *letter) *amqp.Message { return crashMessage(l.id) }),
		a.sender("fetched", "fetched", func(l *letter) *amqp.Message { return crashMessage(l.id) }),
		a.sender("mortal", "mortal", func(l *letter) *amqp.Message { return crashMessage(l.id) }),
		a.sender("weak", "weak", func(l *letter) *amqp.Message { return crashMessage(l.id) }), a.receiver("weak", (*account).failed),
		a.receiver("weak"+deadLetterQueue, (*account).completed),
		a.sendBriefly, a.receiver("brief", (*account).sometimes), a.receiver("brief"+deadLetterQueue, (*account).completed),
		a.sendBatches, a.scheduleBySending, a.scheduleAndCancel, a.sendInSessions,
		receivePlain, receivePlain, a.receiver("plain"+deadLetterQueue, (*account).buried), a.takeDeferred, a.fetch,
		a.receiver("mortal", (*account).bury), a.receiver("graves", (*account).completed),
		a.receiveInSessions, a.receiveInSessions,
		a.repeater("once", "once"), a.emptier("once"),
		a.repeater("door", "room"), a.emptier("room"),
		a.repeater("topic", "topic/subscriptions/all", "topic/subscriptions/odd", "fan"),
		a.emptier("topic/subscriptions/all"), a.emptier("topic/subscriptions/odd"), a.emptier("fan"),
		func(ctx context.Context, session *amqp.Session) error { return a.administer(ctx, session, v) },
		a.changeRules,
	}
	a.mu.Lock()
	a.fetching++
	a.mu.Unlock()
	return all
}

func crashMessage(id string) *amqp.Message {
	return &amqp.Message{Properties: &amqp.MessageProperties{MessageID: id}, Data: [][]byte{make([]byte, 200)}}
}

// newSender attaches a link to send on until ctx ends. A Send whose connection goes can
// wait for ever if nobody closes its link.
func newSender(ctx context.Context, session *amqp.Session, target string) (*amqp.Sender, error) {
	s, err := session.NewSender(ctx, target, nil)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = s.Close(ctx) })
	}
	return s, err
}

// sender sends one message after the other.
func (a *account) sender(queue, line string, message func(*letter) *amqp.Message) crashClient {
	return func(ctx context.Context, session *amqp.Session) error {
		if a.waiting(queue) > crowd {
			return nil
		}
		s, err := newSender(ctx, session, queue)
		if err != nil {
			return err
		}
		for {
			id, n := a.next(line)
			l := a.find(queue, id)
			l.number = n
			step := a.try("send", []*letter{l}, sent)
			if err := s.Send(ctx, message(l), nil); err != nil {
				return err
			}
			a.done(step)
		}
	}
}

// sendBatches sends five messages at a time, all or none of which arrive.
func (a *account) sendBatches(ctx context.Context, session *amqp.Session) error {
	if a.waiting("plain") > crowd {
		return nil
	}
	s, err := newSender(ctx, session, "plain")
	if err != nil {
		return err
	}
	for {
		batch := &amqp.Message{Format: 0x80013700}
		var letters []*letter
		for range 5 {
			id, _ := a.next("batch")
			encoded, err := crashMessage(id).MarshalBinary()
			if err != nil {
				return err
			}
			batch.Data = append(batch.Data, encoded)
			letters = append(letters, a.find("plain", id))
		}
		step := a.try("send a batch", letters, sent)
		if err := s.Send(ctx, batch, nil); err != nil {
			return err
		}
		a.done(step)
	}
}

// sendBriefly sends messages that outlive their time soon.
func (a *account) sendBriefly(ctx context.Context, session *amqp.Session) error {
	s, err := newSender(ctx, session, "brief")
	if err != nil || a.waiting("brief") > crowd {
		return err
	}
	for {
		id, _ := a.next("brief")
		l, lives := a.find("brief", id), time.Duration(5+rand.IntN(100))*time.Millisecond
		l.due = time.Now().Add(lives) // it counts from when the server has it, which is later
		m := crashMessage(id)
		m.Header = &amqp.MessageHeader{TTL: lives}
		step := a.try("send briefly", []*letter{l}, sent)
		if err := s.Send(ctx, m, nil); err != nil {
			return err
		}
		a.done(step)
	}
}

// sometimes completes a message, or keeps it: a locked one does not outlive its time.
func (a *account) sometimes(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	if rand.IntN(3) > 0 {
		return a.completed(ctx, r, m, l)
	}
	return nil
}

// failed abandons a message, which is dead-lettered the second time.
func (a *account) failed(ctx context.Context, r *amqp.Receiver, m *amqp.Message, l *letter) error {
	return a.settled("fail", l, func(_ *letter, f *fate) {
		if f.fails++; f.fails == 2 {
			f.place, f.reason = dead, "MaxDeliveryCountExceeded"
		}
	}, func() error { return r.ModifyMessage(ctx, m, nil) })
}

// sendLater is the change of a letter that is scheduled.
func sendLater(_ *letter, f *fate) { *f = fate{place: scheduled} }

func (a *account) laterLetter(line string, in time.Duration) (*letter, *amqp.Message) {
	id, _ := a.next(line)
	l := a.find("plain", id)
	l.due = time.UnixMilli(time.Now().Add(in).UnixMilli())
	m := crashMessage(id)
	m.Annotations = amqp.Annotations{"x-opt-scheduled-enqueue-time": l.due}
	return l, m
}

func (a *account) scheduleBySending(ctx context.Context, session *amqp.Session) error {
	if a.waiting("plain") > crowd {
		return nil
	}
	s, err := newSender(ctx, session, "plain")
	if err != nil {
		return err
	}
	for {
		l, m := a.laterLetter("later", time.Duration(30+rand.IntN(200))*time.Millisecond)
		step := a.try("send later", []*letter{l}, sendLater)
		if err := s.Send(ctx, m, nil); err != nil {
			return err
		}
		a.done(step)
	}
}

// scheduleAndCancel schedules two messages by a request and cancels one of them.
func (a *account) scheduleAndCancel(ctx context.Context, session *amqp.Session) error {
	c, err := newCaller(ctx, session, "plain")
	if err != nil || a.waiting("plain") > crowd {
		return err
	}
	for {
		var letters []*letter
		var messages []any
		for range 2 {
			l, m := a.laterLetter("planned", time.Duration(50+rand.IntN(300))*time.Millisecond)
			encoded, err := m.MarshalBinary()
			if err != nil {
				return err
			}
			letters, messages = append(letters, l), append(messages, map[string]any{"message-id": l.id, "message": encoded})
		}
		step := a.try("schedule", letters, sendLater)
		reply, err := c.call(ctx, "schedule-message", map[string]any{"messages": messages})
		if err != nil {
			return a.protest(ctx, err)
		}
		a.done(step)
		numbers, _ := reply["sequence-numbers"].([]int64)
		if len(numbers) != 2 {
			a.errorf("scheduled as %v", reply)
			return nil
		}
		a.mu.Lock()
		for i, n := range numbers {
			a.numbered(seen{queue: "plain", id: letters[i].id, seq: n})
		}
		a.mu.Unlock()
		if step = a.tryToCancel(letters[0]); step == nil {
			continue
		}
		_, err = c.call(ctx, "cancel-scheduled-message", map[string]any{"sequence-numbers": numbers[:1]})
		switch {
		case errors.Is(err, errRefused) && !time.Now().Before(letters[0].due):
			a.refused(step)
		case err != nil:
			return a.protest(ctx, err)
		default:
			a.done(step)
		}
	}
}

// tryToCancel notes that a letter is about to be cancelled, unless that is too late.
func (a *account) tryToCancel(l *letter) *step {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.fate.place != scheduled || l.under != nil {
		return nil
	}
	l.under = &step{kind: "cancel", letters: []*letter{l}, after: []fate{{place: nowhere}}, may: true}
	return l.under
}

// protest makes a failure of what a server may not refuse.
func (a *account) protest(ctx context.Context, err error) error {
	var told *amqp.Error
	if ctx.Err() == nil && (errors.Is(err, errRefused) || errors.As(err, &told)) {
		a.errorf("the server refuses: %v", err)
	}
	return err
}

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

// crashBatch is how many messages a repeater sends at once.
const crashBatch = 40

// repeater sends batches to an entity that detects duplicates and gives its messages
// to others. Until it has an answer it sends a batch again, in the next life if need
// be; each message arrives once everywhere.
func (a *account) repeater(to string, arrive ...string) crashClient {
	return func(ctx context.Context, session *amqp.Session) error {
		for _, queue := range arrive {
			if a.waiting(queue) > crowd {
				return nil
			}
		}
		s, err := newSender(ctx, session, to)
		if err != nil {
			return err
		}
		for {
			// The longer it takes to give all of them to all, the more can come in between.
			id := func(n, i int) string { return fmt.Sprint(to, "-", n, "-", i) }
			n, letters := a.repeat(to, func(n int) (letters []*letter) {
				for i := range crashBatch {
					for _, queue := range arrive {
						if queue != "topic/subscriptions/odd" || i%2 == 1 {
							letters = append(letters, a.letter(queue, id(n, i)))
						}
					}
				}
				return letters
			})
			batch := &amqp.Message{Format: 0x80013700}
			for i := range crashBatch {
				m := crashMessage(id(n, i))
				m.ApplicationProperties = map[string]any{"n": int64(i % 2)}
				encoded, err := m.MarshalBinary()
				if err != nil {
					return err
				}
				batch.Data = append(batch.Data, encoded)
			}
			step := a.try("repeat to "+to, letters, sent)
			if err := s.Send(ctx, batch, nil); err != nil {
				return err
			}
			a.repeated(to, n)
			a.done(step)
		}
	}
}

func (a *account) sendInSessions(ctx context.Context, session *amqp.Session) error {
	if a.waiting("sessions") > crowd {
		return nil
	}
	s, err := newSender(ctx, session, "sessions")
	if err != nil {
		return err
	}
	for {
		name := fmt.Sprint("session", rand.IntN(5))
		id, n := a.next(name)
		l := a.find("sessions", id)
		l.session, l.number = name, n
		m := crashMessage(id)
		m.Properties.GroupID = &name
		step := a.try("send in a session", []*letter{l}, sent)
		if err := s.Send(ctx, m, nil); err != nil {
			return err
		}
		a.done(step)
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

// crashTemporary is how many queues come and go.
const crashTemporary = 4

// administer makes queues, changes and deletes them. Every queue has a name of its own
// in its metadata, with a version behind it, and a message that names it.
func (a *account) administer(ctx context.Context, session *amqp.Session, v *victim) error {
	for ctx.Err() == nil {
		name := fmt.Sprint("temporary-", rand.IntN(crashTemporary))
		is, err := v.metadata(ctx, name)
		if err != nil {
			return err
		}
		a.is(a.made, name, is)
		if is == "" {
			life, _ := a.next(name)
			if err := a.change(ctx, v, http.MethodPut, name, life+"/0", false); err != nil {
				return err
			}
			s, err := newSender(ctx, session, name)
			if err == nil {
				err = errors.Join(s.Send(ctx, crashMessage(life), nil), s.Close(ctx))
			}
			if err != nil {
				return a.protest(ctx, err)
			}
			continue
		}
		if rand.IntN(2) == 0 {
			err = a.change(ctx, v, http.MethodDelete, name, "", false)
		} else {
			_, version := a.next("version")
			life, _, _ := strings.Cut(is, "/")
			err = a.change(ctx, v, http.MethodPut, name, fmt.Sprint(life, "/", version), true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *account) change(ctx context.Context, v *victim, method, name, metadata string, update bool) error {
	done := a.set(fmt.Sprint(method, " ", update), a.made, name, metadata)
	if _, err := v.manage(ctx, method, name, metadata, update); err != nil {
		return a.protest(ctx, err)
	}
	done()
	return nil
}

// changeRules adds a rule and removes it.
func (a *account) changeRules(ctx context.Context, session *amqp.Session) error {
	c, err := newCaller(ctx, session, "topic/subscriptions/all")
	if err != nil {
		return err
	}
	for {
		a.mu.Lock()
		rules := a.variable(a.made, "rules").value
		a.mu.Unlock()
		operation, args, next := "add-rule", map[string]any{
			"rule-name": "another", "rule-description": map[string]any{"sql-filter": map[string]any{"expression": "n = 5"}},
		}, "2"
		if rules == "2" {
			operation, args, next = "remove-rule", map[string]any{"rule-name": "another"}, "1"
		}
		done := a.set(operation, a.made, "rules", next)
		if _, err := c.call(ctx, operation, args); err != nil {
			return a.protest(ctx, err)
		}
		done()
	}
}
