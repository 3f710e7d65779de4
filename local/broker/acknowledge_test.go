package broker_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// slowly is how long a transaction takes in the tests of what is acknowledged when.
const slowly = 10 * time.Second

// slowDisk is a server whose disk is slow from some moment on, in a bubble where the
// time that something takes is exactly that of the disk.
type slowDisk struct {
	*testing.T
	server   *broker.Server
	listener *pipes
	client   *azservicebus.Client
}

func (b *slowDisk) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *slowDisk) sender() *azservicebus.Sender {
	b.Helper()
	s, err := b.client.NewSender("q", nil)
	b.must(err)
	return s
}

// message is sent to q and received from it.
func (b *slowDisk) message() (*azservicebus.Receiver, *azservicebus.ReceivedMessage) {
	b.Helper()
	send(b, b.client, "q", "a")
	r := receiver(b, b.client, nil)
	return r, receiveOne(b, r)
}

func (b *slowDisk) session() *azservicebus.SessionReceiver {
	b.Helper()
	r, err := b.client.AcceptSessionForQueue(forever(), "sessions", "s", nil)
	b.must(err)
	return r
}

// manage calls the management API.
func (b *slowDisk) manage(method, path, body string, want int) {
	b.Helper()
	w := httptest.NewRecorder()
	b.server.ManagementHandler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != want {
		b.Errorf("%s %s: status %d, want %d: %s", method, path, w.Code, want, w.Body)
	}
}

const queueEntry = `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
	`<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>`

// Nothing is answered before what it rests on is on disk, whatever it is and whoever
// did it.
func TestWhatIsAnsweredIsOnDisk(t *testing.T) {
	for name, prepare := range map[string]func(*slowDisk) func(){
		"send": func(b *slowDisk) func() {
			s := b.sender()
			return func() { b.must(s.SendMessage(forever(), &azservicebus.Message{}, nil)) }
		},
		"send a batch": func(b *slowDisk) func() {
			s := b.sender()
			batch, err := s.NewMessageBatch(forever(), nil)
			b.must(err)
			b.must(batch.AddMessage(&azservicebus.Message{}, nil))
			return func() { b.must(s.SendMessageBatch(forever(), batch, nil)) }
		},
		"send a duplicate of what is on its way": func(b *slowDisk) func() {
			once := &azservicebus.Message{MessageID: to.Ptr("x")}
			first, err := b.client.NewSender("once", nil)
			b.must(err)
			second, err := b.listener.connect(b.T, b.server).NewSender("once", nil)
			b.must(err)
			return func() {
				go func() { _ = first.SendMessage(forever(), once, nil) }()
				synctest.Wait()
				b.must(second.SendMessage(forever(), once, nil))
			}
		},
		"send to a topic": func(b *slowDisk) func() {
			s, err := b.client.NewSender("t", nil)
			b.must(err)
			return func() { b.must(s.SendMessage(forever(), &azservicebus.Message{}, nil)) }
		},
		"schedule": func(b *slowDisk) func() {
			s := b.sender()
			return func() {
				_, err := s.ScheduleMessages(forever(), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil)
				b.must(err)
			}
		},
		"schedule by a settled request": func(b *slowDisk) func() {
			p := newPeer(b.T, b.listener.dial())
			p.open()
			p.begin()
			r := openRPC(p, "q/$management", "replies")
			m := wire.Map{{Key: "message", Value: text("a")}}
			return func() {
				answer, _ := r.call("replies", operation("com.microsoft:schedule-message"), wire.Map{{Key: "messages", Value: wire.List{m}}})
				if got := status(b.T, answer); got != 200 {
					b.Errorf("status %d", got)
				}
			}
		},
		"cancel": func(b *slowDisk) func() {
			s := b.sender()
			numbers, err := s.ScheduleMessages(forever(), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil)
			b.must(err)
			return func() { b.must(s.CancelScheduledMessages(forever(), numbers, nil)) }
		},
		"complete": func(b *slowDisk) func() {
			r, m := b.message()
			return func() { b.must(r.CompleteMessage(forever(), m, nil)) }
		},
		"complete by the lock token": func(b *slowDisk) func() {
			r, m := b.message()
			return func() {
				b.must(r.CompleteMessage(forever(), &azservicebus.ReceivedMessage{LockToken: m.LockToken}, nil))
			}
		},
		"abandon": func(b *slowDisk) func() {
			r, m := b.message()
			return func() { b.must(r.AbandonMessage(forever(), m, nil)) }
		},
		"defer": func(b *slowDisk) func() {
			r, m := b.message()
			return func() { b.must(r.DeferMessage(forever(), m, nil)) }
		},
		"dead-letter": func(b *slowDisk) func() {
			r, m := b.message()
			return func() { b.must(r.DeadLetterMessage(forever(), m, nil)) }
		},
		"receive and delete": func(b *slowDisk) func() {
			send(b, b.client, "q", "a")
			r := receiver(b, b.client, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
			return func() { receiveOne(b, r) }
		},
		"receive and delete a deferred message": func(b *slowDisk) func() {
			r, m := b.message()
			b.must(r.DeferMessage(forever(), m, nil))
			deleting := receiver(b, b.client, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
			return func() {
				_, err := deleting.ReceiveDeferredMessages(forever(), []int64{*m.SequenceNumber}, nil)
				b.must(err)
			}
		},
		"receive what somebody else has just sent": func(b *slowDisk) func() {
			s, r := b.sender(), receiver(b, b.listener.connect(b.T, b.server), nil)
			return func() {
				go func() { _ = s.SendMessage(forever(), &azservicebus.Message{}, nil) }()
				receiveOne(b, r)
			}
		},
		"peek what somebody else has just sent": func(b *slowDisk) func() {
			s, r := b.sender(), receiver(b, b.listener.connect(b.T, b.server), nil)
			b.must(s.SendMessage(forever(), &azservicebus.Message{}, nil))
			_, err := r.PeekMessages(forever(), 1, nil)
			b.must(err)
			return func() {
				go func() { _ = s.SendMessage(forever(), &azservicebus.Message{}, nil) }()
				synctest.Wait()
				_, err := r.PeekMessages(forever(), 2, nil)
				b.must(err)
			}
		},
		"set a session's state": func(b *slowDisk) func() {
			r := b.session()
			return func() { b.must(r.SetSessionState(forever(), []byte("x"), nil)) }
		},
		"make a queue": func(b *slowDisk) func() {
			return func() { b.must(b.server.CreateQueue(broker.Queue{Name: "new"})) }
		},
		"make a queue over HTTP": func(b *slowDisk) func() {
			return func() { b.manage(http.MethodPut, "/new", queueEntry, http.StatusCreated) }
		},
		"make a queue that somebody else is making": func(b *slowDisk) func() {
			return func() {
				go func() { _ = b.server.CreateQueue(broker.Queue{Name: "new"}) }()
				synctest.Wait()
				b.manage(http.MethodPut, "/new", queueEntry, http.StatusConflict)
			}
		},
		"attach to a queue that somebody else is making": func(b *slowDisk) func() {
			return func() {
				go func() { _ = b.server.CreateQueue(broker.Queue{Name: "new"}) }()
				synctest.Wait()
				if _, err := b.client.AcceptSessionForQueue(forever(), "new", "s", nil); err == nil {
					b.Error("a session of a queue without any was accepted")
				}
			}
		},
		"look at a queue that somebody else is deleting": func(b *slowDisk) func() {
			return func() {
				go func() { _ = b.server.DeleteQueue("q") }()
				synctest.Wait()
				b.manage(http.MethodDelete, "/q", "", http.StatusNotFound)
			}
		},
		"add a rule": func(b *slowDisk) func() {
			return func() { b.must(b.server.CreateRule("t", "s", broker.Rule{Name: "r"})) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSlowDisk(t, func(b *slowDisk) {
				act := prepare(b)
				b.must(b.server.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Delay: slowly, Count: 1000}))
				begun := time.Now()
				if act(); time.Since(begun) < slowly {
					t.Errorf("answered after %v, before the disk had it", time.Since(begun))
				}
			})
		})
	}
}

// What rests on nothing that waits for the disk is answered at once.
func TestWhatNeedsNoDiskDoesNotWaitForIt(t *testing.T) {
	for name, prepare := range map[string]func(*slowDisk) func(){
		"renew a lock": func(b *slowDisk) func() {
			r, m := b.message()
			return func() { b.must(r.RenewMessageLock(forever(), m, nil)) }
		},
		"renew a session": func(b *slowDisk) func() {
			r := b.session()
			return func() { b.must(r.RenewSessionLock(forever(), nil)) }
		},
		"attach, and receive what is on disk": func(b *slowDisk) func() {
			send(b, b.client, "q", "a")
			return func() { receiveOne(b, receiver(b, b.listener.connect(b.T, b.server), nil)) }
		},
		"look at a queue": func(b *slowDisk) func() {
			return func() { b.manage(http.MethodGet, "/q", "", http.StatusOK) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSlowDisk(t, func(b *slowDisk) {
				act := prepare(b)
				busy, err := b.listener.connect(b.T, b.server).NewSender("other", nil)
				b.must(err)
				b.must(busy.SendMessage(forever(), &azservicebus.Message{}, nil))
				b.must(b.server.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Delay: slowly, Count: 1000}))
				go func() { _ = busy.SendMessage(forever(), &azservicebus.Message{}, nil) }()
				synctest.Wait()
				begun := time.Now()
				if act(); time.Since(begun) >= slowly {
					t.Errorf("answered after %v", time.Since(begun))
				}
			})
		})
	}
}

// Senders that are faster than the disk are not read from for a while, so that what
// waits for it stays within bounds.
func TestTheDiskIsNotOutrun(t *testing.T) {
	onSlowDisk(t, func(b *slowDisk) {
		const n = 100
		p := newPeer(b.T, b.listener.dial())
		p.open()
		p.begin()
		p.sender(0)
		b.must(p.conn.SetDeadline(time.Time{}))
		b.must(b.server.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Delay: slowly, Count: 1000}))
		go func() {
			piece := text(string(make([]byte, 60<<10)))
			for i := range uint32(n) {
				for j := range 17 { // sections of a body of 1 MiB, nearly
					tr := delivery(0, i)
					tr.Settled, tr.More = true, j < 16
					p.transfer(tr, piece)
				}
			}
		}()
		go func() { _, _ = io.Copy(io.Discard, p.conn) }()
		synctest.Wait()
		if got := counts(b.T, b.server, "q").Active; got < 32 || got > 66 {
			b.Errorf("%d messages of 1 MiB were taken while the disk had none", got)
		}
		elapse(5 * slowly)
		synctest.Wait()
		if got := counts(b.T, b.server, "q").Active; got != n {
			b.Errorf("%d messages were taken in the end, want %d", got, n)
		}
	})
}

// The channel of a session that has ended may be used at once for another: its peer
// hears of the old one's end before it hears of the new one, also while the disk is slow.
func TestANewSessionFollowsTheOneOnItsChannel(t *testing.T) {
	onSlowDisk(t, func(b *slowDisk) {
		p := newPeer(b.T, b.listener.dial())
		p.open()
		p.begin()
		p.sender(0)
		b.must(p.conn.SetDeadline(time.Time{}))
		b.must(b.server.Inject(broker.Fault{Kind: broker.FaultSlowDisk, Delay: slowly, Count: 1000}))
		var c script
		begin := &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10}
		c.frame(0, delivery(0, 0), text("a"))
		for range 2 {
			c.frame(0, &wire.End{}, nil)
			c.frame(0, begin, nil)
		}
		p.raw(c)
		expect[*wire.Disposition](p)
		for range 2 {
			expect[*wire.End](p)
			expect[*wire.Begin](p)
		}
		p.sender(0)
	})
}

func onSlowDisk(t *testing.T, f func(*slowDisk)) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{
			Data: t.TempDir(), Open: true,
			Queues: []broker.Queue{{Name: "q"}, {Name: "other"}, {Name: "sessions", RequiresSession: true}, {Name: "once", RequiresDuplicateDetection: true}},
			Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s"}}}},
		})
		f(&slowDisk{t, s, listener, listener.connect(t, s)})
		s.Calm()
	})
}
