package broker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A receiver that waits learns of the end of its token, and can't go on with it.
func TestALinkEndsWithItsToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, listener *pipes, _ *azservicebus.Client) {
		endpoint, _, _ := strings.Cut(s.ConnectionString(), ";")
		token := signature(strings.TrimPrefix(endpoint, "Endpoint=")+"/q", "RootManageSharedAccessKey", "SAS_KEY_VALUE", time.Now().Add(time.Minute))
		begun := time.Now()
		client := listener.connectAs(t, endpoint+";SharedAccessSignature="+token+";UseDevelopmentEmulator=true")
		r := receiver(t, client, nil)
		if messages, err := r.ReceiveMessages(forever(), 1, nil); len(messages) != 0 || err != nil {
			t.Errorf("received %d messages, %v; want none when the link ends", len(messages), err)
		}
		if got := time.Since(begun); got < time.Minute || got > time.Minute+time.Second {
			t.Errorf("the link ended after %v, want a minute", got)
		}
		_, err := r.ReceiveMessages(forever(), 1, nil)
		wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
	})
}

// A client that renews its tokens keeps its links for hours.
func TestALinkOutlivesATokenThatIsRenewed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *broker.Server, _ *pipes, client *azservicebus.Client) {
		r := receiver(t, client, nil)
		body := make(chan string)
		go func() {
			messages, err := r.ReceiveMessages(forever(), 1, nil)
			if err != nil || len(messages) != 1 {
				t.Errorf("received %d messages, %v", len(messages), err)
				body <- ""
				return
			}
			body <- string(messages[0].Body)
		}()
		elapse(5 * time.Hour)
		send(t, client, "q", "a")
		if got := <-body; got != "a" {
			t.Errorf("received %q over the link", got)
		}
	})
}

// Each link ends when nothing allows it any more: a receiver with its token, and one
// that waits for a session. A sender goes on by the token of the namespace.
func TestEveryLinkOfATokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{
			Queues: []broker.Queue{{Name: "q"}, {Name: "sessions", RequiresSession: true}},
			Keys: []broker.Key{
				{Name: "listener", Value: "k", Rights: broker.RightListen}, {Name: "sender", Value: "k", Rights: broker.RightSend},
			},
		})
		s.ConnectionString() // once it serves
		p := newPeer(t, listener.dial())
		p.header(wire.ProtocolAMQP)
		p.send(0, &wire.Open{ContainerID: "peer", Hostname: "bus.example.com"})
		expect[*wire.Open](p)
		p.begin()
		cbs := openRPC(p, "$cbs", "")
		put := func(audience, key string, lives time.Duration) {
			answer, _ := cbs.call("", append(operation("put-token"),
				wire.Pair{Key: "type", Value: "servicebus.windows.net:sastoken"}, wire.Pair{Key: "name", Value: audience},
			), signature(audience, key, "k", time.Now().Add(lives)))
			if got := status(t, answer); got != 202 {
				t.Fatalf("token for %s: status %d", audience, got)
			}
		}
		put("amqp://bus.example.com/", "sender", time.Hour)
		put("amqp://bus.example.com/q", "listener", 10*time.Second)
		put("amqp://bus.example.com/sessions", "listener", 20*time.Second)
		begun := time.Now()
		p.sender(0)
		p.send(0, &wire.Attach{
			Name: "waits", Handle: 2, Role: wire.RoleReceiver, Target: &wire.Target{},
			Source: &wire.Source{Address: "sessions", Filter: wire.Map{{Key: wire.Symbol("com.microsoft:session-filter"), Value: nil}}},
		})
		p.send(0, &wire.Attach{Name: "receives", Handle: 1, Role: wire.RoleReceiver, Source: &wire.Source{Address: "q"}, Target: &wire.Target{}})
		expect[*wire.Attach](p)
		for _, want := range []struct {
			after  time.Duration
			handle uint32
			text   string
		}{
			{10 * time.Second, 1, "The link 'receives' is force detached. Code: RenewToken. Details: Unauthorized access. " +
				"'Listen' claim(s) are required to perform this operation. Resource: 'sb://bus.example.com/q'."},
			{20 * time.Second, 2, "Resource: 'sb://bus.example.com/sessions'."},
		} {
			if want.handle == 2 {
				if reply := expect[*wire.Attach](p); reply.Source != nil {
					t.Errorf("the receiver that waits is answered with a source")
				}
			}
			d := expect[*wire.Detach](p)
			if got := time.Since(begun); got < want.after || got > want.after+time.Second {
				t.Errorf("link %d ended after %v, want %v", want.handle, got, want.after)
			}
			if d.Handle != want.handle || !d.Closed || d.Error == nil ||
				d.Error.Condition != wire.CondDetachForced || !strings.HasSuffix(d.Error.Description, want.text) {
				t.Errorf("detach %+v of handle %d, want %q of %d", d.Error, d.Handle, want.text, want.handle)
			}
		}
		p.transfer(delivery(0, 0), text("a"))
		if got := expect[*wire.Disposition](p); got.State != (wire.Accepted{}) {
			t.Errorf("state %+v, want accepted", got.State)
		}
	})
}
