package broker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

// plainSession opens a connection of a plain AMQP client, in a bubble, and a session.
func plainSession(t *testing.T) (*amqp.Conn, *amqp.Session) {
	t.Helper()
	listener := newPipes()
	s := startOn(t, listener, oneQueue)
	s.ConnectionString() // once it serves
	conn, err := amqp.NewConn(forever(), listener.dial(), &amqp.ConnOptions{
		SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", "SAS_KEY_VALUE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	session, err := conn.NewSession(forever(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, session
}

// A sender that sends nothing for ten minutes is detached. One that sends now and
// then stays, and so does a receiver that waits.
func TestASenderThatSendsNothingIsDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, session := plainSession(t)
		var senders [2]*amqp.Sender
		for i := range senders {
			var err error
			if senders[i], err = session.NewSender(forever(), "q", nil); err != nil {
				t.Fatal(err)
			}
		}
		idle, busy := senders[0], senders[1]
		r, err := session.NewReceiver(forever(), "q", &amqp.ReceiverOptions{RequestedSenderSettleMode: amqp.SenderSettleModeSettled.Ptr()})
		if err != nil {
			t.Fatal(err)
		}
		sent := func() {
			t.Helper()
			if err := busy.Send(forever(), amqp.NewMessage([]byte("a")), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Receive(forever(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			elapse(140 * time.Second)
			sent()
		}
		if err := idle.Send(forever(), amqp.NewMessage([]byte("b")), nil); err != nil {
			t.Fatalf("after less than ten minutes: %v", err)
		}
		if _, err := r.Receive(forever(), nil); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			elapse(140 * time.Second)
			sent()
		}
		var link *amqp.LinkError
		err = idle.Send(forever(), amqp.NewMessage([]byte("c")), nil)
		if !errors.As(err, &link) || link.RemoteErr == nil || link.RemoteErr.Condition != amqp.ErrCondDetachForced {
			t.Errorf("after more than ten minutes: %v", err)
		}
		elapse(time.Hour)
		if err := session.Close(forever()); err != nil {
			t.Error(err)
		}
	})
}

// A connection without links is closed, sooner if it never had one.
func TestAConnectionWithoutLinksIsClosed(t *testing.T) {
	for _, tt := range []struct {
		name           string
		link           bool
		allowed, later time.Duration
	}{
		{"that never had one", false, time.Minute, 2 * time.Minute},
		{"any more", true, 5 * time.Minute, 6 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, session := plainSession(t)
				if tt.link {
					r, err := session.NewReceiver(forever(), "q", nil)
					if err != nil {
						t.Fatal(err)
					}
					elapse(time.Hour)
					if err := r.Close(forever()); err != nil {
						t.Fatalf("after an hour with a link: %v", err)
					}
				}
				begun := time.Now()
				<-conn.Done()
				if got := time.Since(begun); got < tt.allowed-30*time.Second || got > tt.later {
					t.Errorf("closed after %v, want %v", got, tt.allowed)
				}
				var closed *amqp.ConnError
				if err := conn.Err(); !errors.As(err, &closed) || closed.RemoteErr == nil || closed.RemoteErr.Condition != amqp.ErrCondConnectionForced {
					t.Errorf("closed with %v", err)
				}
			})
		})
	}
}

// The official client attaches and connects again by itself.
func TestTheClientGetsOverInactivity(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, _ *pipes, client *azservicebus.Client) {
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := sender.SendMessage(forever(), &azservicebus.Message{Body: []byte("a")}, nil); err != nil {
				t.Fatal(err)
			}
			elapse(20 * time.Minute)
		}
		wantCounts(t, s, broker.Counts{Active: 3})
	})
}
