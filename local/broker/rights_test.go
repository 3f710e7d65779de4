package broker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestKeysGiveTheirRightsOnly(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q"}, {Name: "other"}},
		Keys: []broker.Key{
			{Name: "all", Value: "k"},
			{Name: "sender", Value: "k", Rights: broker.RightSend},
			{Name: "listener", Value: "k", Rights: broker.RightListen},
			{Name: "own", Value: "k", Entity: "q"},
		},
	})
	as := func(name string) *azservicebus.Client {
		return connectAs(t, s, strings.Replace(s.ConnectionString(), "Name=all", "Name="+name, 1), azservicebus.ClientOptions{})
	}
	sends := func(client *azservicebus.Client, queue string) error {
		sender, err := client.NewSender(queue, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil); err != nil {
			return err
		}
		return sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("a")}, nil)
	}
	receives := func(client *azservicebus.Client, queue string) error {
		r := receiverOf(t, client, queue, nil)
		if _, err := r.PeekMessages(deadline(t), 1, nil); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := r.ReceiveMessages(ctx, 1, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	}
	for _, tt := range []struct {
		key, queue     string
		sends, listens bool
	}{
		{"all", "q", true, true}, {"all", "other", true, true},
		{"sender", "q", true, false}, {"listener", "q", false, true},
		{"own", "q", true, true}, {"own", "other", false, false},
	} {
		t.Run(tt.key+" "+tt.queue, func(t *testing.T) {
			for _, do := range []struct {
				what string
				ok   bool
				err  error
			}{{"send", tt.sends, sends(as(tt.key), tt.queue)}, {"receive", tt.listens, receives(as(tt.key), tt.queue)}} {
				var fault *amqp.Error
				refused := errors.As(do.err, &fault) && fault.Condition == "amqp:unauthorized-access"
				var coded *azservicebus.Error
				refused = refused || errors.As(do.err, &coded) && coded.Code == azservicebus.CodeUnauthorizedAccess
				if (do.err == nil) != do.ok || !do.ok && !refused {
					t.Errorf("%s: %v, want it allowed: %v", do.what, do.err, do.ok)
				}
			}
		})
	}
}

func TestOnlyManagersManage(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, Keys: []broker.Key{{Name: "sender", Value: "k", Rights: broker.RightSend | broker.RightListen}}})
	_, err := administer(t, s).GetQueue(deadline(t), "q", nil)
	wantStatus(t, err, 401)
}

// PLAIN takes the place of a token, with the key's rights.
func TestPlainGivesTheRightsOfItsKey(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, Keys: []broker.Key{{Name: "sender", Value: "k", Rights: broker.RightSend}}})
	conn := dialAMQP(t, s, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("sender", "k")})
	session, err := conn.NewSession(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewSender(deadline(t), "q", nil); err != nil {
		t.Errorf("send: %v", err)
	}
	if _, err := session.NewReceiver(deadline(t), "q", nil); !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
		t.Errorf("receive: %v", err)
	}
}

func dialAMQP(t *testing.T, s *broker.Server, options *amqp.ConnOptions) *amqp.Conn {
	t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(s.ConnectionString(), "Endpoint=sb://"), ";")
	conn, err := amqp.Dial(deadline(t), "amqp://"+host, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// An open server needs neither tokens nor SASL, and makes queues by name.
func TestAnOpenServer(t *testing.T) {
	s := start(t, broker.Options{Open: true})
	session, err := dialAMQP(t, s, &amqp.ConnOptions{}).NewSession(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	const name = "a new queue, with spaces"
	sender, err := session.NewSender(deadline(t), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(deadline(t), amqp.NewMessage([]byte("a")), nil); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, name); got != (broker.Counts{Active: 1}) {
		t.Errorf("counts %+v", got)
	}
	if _, err := session.NewSender(deadline(t), "a//b", nil); !hasCondition(err, amqp.ErrCondNotFound) {
		t.Errorf("a name that can't be one: %v", err)
	}
	if _, err := administer(t, s).CreateQueue(deadline(t), "made", nil); err != nil {
		t.Error(err)
	}
	// A tool that has to name somebody may name anybody.
	dialAMQP(t, s, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("anybody", "anything")})
}

// A connection has one link to $cbs in each direction, whatever its session, and
// another once that is gone.
func TestOneLinkToCBSInEachDirection(t *testing.T) {
	conn := dialAMQP(t, start(t, oneQueue), &amqp.ConnOptions{})
	var sessions [3]*amqp.Session
	for i := range sessions {
		var err error
		if sessions[i], err = conn.NewSession(deadline(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	sends := func(i int) (*amqp.Sender, error) { return sessions[i].NewSender(deadline(t), "$cbs", nil) }
	receives := func(i int) error { _, err := sessions[i].NewReceiver(deadline(t), "$cbs", nil); return err }
	sender, err := sends(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := receives(1); err != nil {
		t.Fatal(err)
	}
	if _, err := sends(2); !hasCondition(err, amqp.ErrCondNotAllowed) {
		t.Errorf("a second sender: %v", err)
	}
	if err := receives(2); !hasCondition(err, amqp.ErrCondNotAllowed) {
		t.Errorf("a second receiver: %v", err)
	}
	if err := sender.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := sessions[1].Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := sends(2); err != nil {
		t.Errorf("a sender after the first: %v", err)
	}
	if err := receives(2); err != nil {
		t.Errorf("a receiver after the first: %v", err)
	}
}

func TestTokensOfEntraAreTakenOnlyWhereAskedFor(t *testing.T) {
	for _, accept := range []bool{false, true} {
		p := openAnonymous(t, start(t, broker.Options{Queues: oneQueue.Queues, AcceptJWT: accept}))
		p.begin()
		put := wire.Map{{Key: "operation", Value: "put-token"}, {Key: "type", Value: "jwt"}, {Key: "name", Value: "amqp://127.0.0.1/q"}}
		answer, _ := openRPC(p, "$cbs", "replies").call("replies", put, "e30.e30.x")
		want := int32(401)
		if accept {
			want = 202
		}
		if got := status(t, answer); got != want {
			t.Errorf("accepted %v: status %d, want %d", accept, got, want)
		}
	}
}
