package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	later := func() (*letter, *amqp.Message) {
		return a.laterLetter("later", time.Duration(30+rand.IntN(200))*time.Millisecond)
	}
	all := []crashClient{
		a.simple("plain"), a.sendBatches, a.sender("send later", "plain", sendLater, later), a.scheduleAndCancel,
		receivePlain, receivePlain, a.receiver("plain"+deadLetterQueue, (*account).buried), a.takeDeferred,
		a.simple("fetched"), a.fetch,
		a.simple("mortal"), a.receiver("mortal", (*account).bury), a.receiver("graves", (*account).completed),
		a.simple("weak"), a.receiver("weak", (*account).failed), a.receiver("weak"+deadLetterQueue, (*account).completed),
		a.sender("send briefly", "brief", sent, a.brief), a.receiver("brief", (*account).sometimes), a.receiver("brief"+deadLetterQueue, (*account).completed),
		a.sender("send in a session", "sessions", sent, a.inSession), a.receiveInSessions, a.receiveInSessions,
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

// sender sends one message after the other, of which each is made by a function with
// its letter.
func (a *account) sender(kind, queue string, change func(*letter, *fate), message func() (*letter, *amqp.Message)) crashClient {
	return func(ctx context.Context, session *amqp.Session) error {
		s, err := newSender(ctx, session, queue)
		if err != nil || a.waiting(queue) > crowd {
			return err
		}
		for {
			l, m := message()
			step := a.try(kind, []*letter{l}, change)
			if err := s.Send(ctx, m, nil); err != nil {
				return err
			}
			a.done(step)
		}
	}
}

// simple sends messages that only have an id, to the queue of their line.
func (a *account) simple(line string) crashClient {
	return a.sender("send", line, sent, func() (*letter, *amqp.Message) {
		id, _ := a.next(line)
		return a.find(line, id), crashMessage(id)
	})
}

// brief makes a message that outlives its time soon.
func (a *account) brief() (*letter, *amqp.Message) {
	id, _ := a.next("brief")
	l, lives := a.find("brief", id), time.Duration(5+rand.IntN(100))*time.Millisecond
	l.due = time.Now().Add(lives) // it counts from when the server has it, which is later
	m := crashMessage(id)
	m.Header = &amqp.MessageHeader{TTL: lives}
	return l, m
}

// inSession makes a message of one of five sessions.
func (a *account) inSession() (*letter, *amqp.Message) {
	name := fmt.Sprint("session", rand.IntN(5))
	id, n := a.next(name)
	l := a.find("sessions", id)
	l.session, l.number = name, n
	m := crashMessage(id)
	m.Properties.GroupID = &name
	return l, m
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
