package broker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/local/broker"
)

func TestWhatNobodyUsesIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 5 * time.Minute
		l := newPipes()
		s, err := broker.New(broker.Options{
			Queues: []broker.Queue{{Name: "q", AutoDeleteOnIdle: idle}, {Name: "kept"}},
			Topics: []broker.Topic{
				{Name: "t", AutoDeleteOnIdle: 2 * idle, Subscriptions: []broker.Subscription{{Name: "s"}, {Name: "gone", AutoDeleteOnIdle: idle}}},
				{Name: "used", AutoDeleteOnIdle: idle, Subscriptions: []broker.Subscription{{Name: "s"}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		there := func(name string, want bool) {
			t.Helper()
			synctest.Wait()
			if _, err := s.Counts(name); errors.Is(err, broker.ErrUnknownEntity) == want {
				t.Errorf("%v: %s: %v", time.Now(), name, err)
			}
		}
		elapse(idle - time.Second)
		there("t/Subscriptions/gone", true)
		p := newPeer(t, l.dial())
		p.open()
		p.begin()
		p.receiverOf("used/Subscriptions/s", 0)
		p.receiverOf("q", 1)
		elapse(time.Second)
		there("t/Subscriptions/gone", false)
		there("t", true)
		there("q", true)
		there("used", true)
		there("kept", true)
		p.conn.Close()
		elapse(idle - time.Second)
		there("q", true)
		there("used", true)
		elapse(time.Second)
		there("q", false)
		there("used", false)
		there("used/Subscriptions/s", false)
		there("t", false)
		there("t/Subscriptions/s", false)
		there("kept", true)
		if err := s.CreateTopic(broker.Topic{Name: "t"}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
}
