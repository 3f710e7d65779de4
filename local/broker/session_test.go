package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// sessionQueue are options with a queue named q that requires sessions.
func sessionQueue(lock time.Duration) broker.Options {
	return broker.Options{Queues: []broker.Queue{{Name: "q", RequiresSession: true, LockDuration: lock}}}
}

// sendIn sends bodies in a session.
func sendIn(tb testing.TB, client *azservicebus.Client, session string, bodies ...string) {
	tb.Helper()
	sender, err := client.NewSender("q", nil)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := deadline(tb)
	for _, body := range bodies {
		if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte(body), SessionID: &session}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	if err := sender.Close(ctx); err != nil {
		tb.Fatal(err)
	}
}

func acceptSession(tb testing.TB, client *azservicebus.Client, id string) *azservicebus.SessionReceiver {
	tb.Helper()
	r, err := client.AcceptSessionForQueue(deadline(tb), "q", id, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// receiveIn receives n messages of a session.
func receiveIn(tb testing.TB, r *azservicebus.SessionReceiver, n int) []*azservicebus.ReceivedMessage {
	tb.Helper()
	ctx := deadline(tb)
	var all []*azservicebus.ReceivedMessage
	for len(all) < n {
		messages, err := r.ReceiveMessages(ctx, n-len(all), nil)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, messages...)
	}
	return all
}

func bodies(messages []*azservicebus.ReceivedMessage) []string {
	var texts []string
	for _, m := range messages {
		texts = append(texts, string(m.Body))
	}
	return texts
}

func TestSessionsKeepTheirOrder(t *testing.T) {
	s := start(t, sessionQueue(0))
	client := connect(t, s)
	sendIn(t, client, "a", "a1", "a2")
	sendIn(t, client, "", "1")
	sendIn(t, client, "a", "a3")
	a := acceptSession(t, client, "a")
	if a.SessionID() != "a" || time.Until(a.LockedUntil()) < 50*time.Second || time.Until(a.LockedUntil()) > time.Minute {
		t.Errorf("session %q, locked until %v", a.SessionID(), a.LockedUntil())
	}
	messages := receiveIn(t, a, 3)
	if got := bodies(messages); !slices.Equal(got, []string{"a1", "a2", "a3"}) || *messages[0].SessionID != "a" {
		t.Errorf("received %v", got)
	}
	other, err := client.AcceptNextSessionForQueue(deadline(t), "q", nil)
	if err != nil || other.SessionID() != "" {
		t.Fatalf("the next session is %v, %v; want the one without a name", other, err)
	}
	if err := other.CompleteMessage(deadline(t), receiveIn(t, other, 1)[0], nil); err != nil {
		t.Fatal(err)
	}
	if err := a.CompleteMessage(deadline(t), messages[0], nil); err != nil {
		t.Fatal(err)
	}
	// What is given back with the session comes first, and has not failed.
	if err := a.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	a = acceptSession(t, client, "a")
	if m := receiveIn(t, a, 1)[0]; string(m.Body) != "a2" || m.DeliveryCount != 1 {
		t.Errorf("received %q with delivery count %d, want a2 with 1", m.Body, m.DeliveryCount)
	}
}

func TestASessionThatIsHeldIsRefused(t *testing.T) {
	s := start(t, sessionQueue(0))
	client, other := connect(t, s), connect(t, s)
	acceptSession(t, client, "a")
	_, err := other.AcceptSessionForQueue(deadline(t), "q", "a", nil)
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Condition != "com.microsoft:session-cannot-be-locked" {
		t.Errorf("error %v, want session-cannot-be-locked", err)
	}
}

func TestAcceptNextWaits(t *testing.T) {
	s := start(t, sessionQueue(0))
	client := connect(t, s)
	got := make(chan string, 1)
	ctx := deadline(t)
	go func() {
		r, err := client.AcceptNextSessionForQueue(ctx, "q", nil)
		if err != nil {
			t.Error(err)
			got <- ""
			return
		}
		got <- r.SessionID()
	}()
	sendIn(t, connect(t, s), "late", "x")
	if id := <-got; id != "late" {
		t.Errorf("accepted session %q", id)
	}
}

func TestAcceptNextTimesOut(t *testing.T) {
	s := start(t, sessionQueue(0))
	for _, timeout := range []any{uint32(50), int32(50), int64(-1), uint64(0)} {
		p := openPeer(t, s)
		p.begin()
		ask := acceptFrame(0, nil)
		ask.Properties = wire.Map{{Key: wire.Symbol("com.microsoft:timeout"), Value: timeout}}
		p.send(0, ask)
		if a := expect[*wire.Attach](p); a.Source != nil {
			t.Errorf("attach = %+v", a)
		}
		if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != "com.microsoft:timeout" {
			t.Errorf("detach = %+v", d)
		}
	}
}

// A receiver that gives up waiting leaves nothing behind: the next session goes
// to somebody who is there.
func TestAcceptNextThatIsGivenUp(t *testing.T) {
	s := start(t, sessionQueue(0))
	client := connect(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := client.AcceptNextSessionForQueue(ctx, "q", nil)
		gone <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	other := connect(t, s)
	sendIn(t, other, "a", "x")
	r, err := other.AcceptNextSessionForQueue(deadline(t), "q", nil)
	if err != nil || r.SessionID() != "a" {
		t.Errorf("accepted %v, %v", r, err)
	}
}

func TestALockOnASessionEnds(t *testing.T) {
	s := start(t, sessionQueue(time.Second))
	client := connect(t, s)
	sendIn(t, client, "a", "x")
	r := acceptSession(t, client, "a")
	receiveIn(t, r, 1)
	if err := r.RenewSessionLock(deadline(t), nil); err != nil || time.Until(r.LockedUntil()) <= 0 {
		t.Errorf("renewed until %v, %v", r.LockedUntil(), err)
	}
	// Another receiver has the session as soon as the lock has ended.
	other := connect(t, s)
	again, err := other.AcceptNextSessionForQueue(deadline(t), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := receiveIn(t, again, 1)[0]
	if m.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", m.DeliveryCount)
	}
	if err := again.CompleteMessage(deadline(t), m, nil); err != nil {
		t.Error(err)
	}
	wantCounts(t, s, broker.Counts{})
}

func TestSessionState(t *testing.T) {
	client := connect(t, start(t, sessionQueue(0)))
	r := acceptSession(t, client, "a")
	if state, err := r.GetSessionState(deadline(t), nil); err != nil || state != nil {
		t.Errorf("state at first: %v, %v", state, err)
	}
	if err := r.SetSessionState(deadline(t), []byte("half way"), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	r = acceptSession(t, client, "a")
	if state, err := r.GetSessionState(deadline(t), nil); err != nil || string(state) != "half way" {
		t.Errorf("state: %q, %v", state, err)
	}
	if err := r.SetSessionState(deadline(t), nil, nil); err != nil {
		t.Fatal(err)
	}
	if state, err := r.GetSessionState(deadline(t), nil); err != nil || state != nil {
		t.Errorf("state that was removed: %v, %v", state, err)
	}
}

func TestDeferredInASession(t *testing.T) {
	client := connect(t, start(t, sessionQueue(0)))
	sendIn(t, client, "a", "x")
	r := acceptSession(t, client, "a")
	m := receiveIn(t, r, 1)[0]
	if err := r.DeferMessage(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
	deferred, err := r.ReceiveDeferredMessages(deadline(t), []int64{*m.SequenceNumber}, nil)
	if err != nil || len(deferred) != 1 {
		t.Fatalf("received %v, %v", deferred, err)
	}
	if err := r.CompleteMessage(deadline(t), deferred[0], nil); err != nil {
		t.Fatal(err)
	}
}

func TestListSessions(t *testing.T) {
	client := connect(t, start(t, sessionQueue(0)))
	var want []string
	for i := range 120 {
		id := fmt.Sprintf("s%03d", i)
		want = append(want, id)
		sendIn(t, client, id, "x")
	}
	var got []string
	pager := client.NewListSessionsForQueuePager("q", nil)
	for pager.More() {
		page, err := pager.NextPage(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Sessions...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d sessions listed, want %d: %v", len(got), len(want), got)
	}
}

func TestSessionsAndNoSessionsDoNotMix(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", RequiresSession: true}, {Name: "plain"}}})
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	var refused *amqp.Error
	if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("x")}, nil); !errors.As(err, &refused) || refused.Condition != "amqp:not-allowed" {
		t.Errorf("a message without a session: %v, want not-allowed", err)
	}
	if _, err := client.AcceptSessionForQueue(deadline(t), "plain", "a", nil); !errors.As(err, &refused) || refused.Condition != "amqp:not-allowed" {
		t.Errorf("a session of a queue without: %v, want not-allowed", err)
	} else if !strings.Contains(refused.Description, "Ensure RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior") {
		t.Errorf("a session of a queue without: %q does not say what to do", refused.Description)
	}
	r := receiver(t, client, nil)
	if _, err := r.ReceiveMessages(deadline(t), 1, nil); !errors.As(err, &refused) || refused.Condition != "amqp:not-allowed" {
		t.Errorf("a receiver without a session: %v, want not-allowed", err)
	}
	// The dead-letter queue has no sessions.
	sendIn(t, client, "a", "poison")
	a := acceptSession(t, client, "a")
	if err := a.DeadLetterMessage(deadline(t), receiveIn(t, a, 1)[0], nil); err != nil {
		t.Fatal(err)
	}
	if m := receiveOne(t, deadLetters(t, client)); *m.SessionID != "a" {
		t.Errorf("dead letter of session %q", *m.SessionID)
	}
}

// acceptFrame asks for a session by a filter as some client writes it.
func acceptFrame(handle uint32, filter any) *wire.Attach {
	return &wire.Attach{Name: "s", Handle: handle, Role: wire.RoleReceiver, Source: &wire.Source{
		Address: "q", Filter: wire.Map{{Key: wire.Symbol("com.microsoft:session-filter"), Value: filter}},
	}}
}

// The answer to a session filter has the form of the question.
func TestTheSessionFilterIsEchoed(t *testing.T) {
	s := start(t, sessionQueue(0))
	for _, filter := range []any{"a", wire.Described{Descriptor: uint64(0x137000000C), Value: "b"}} {
		p := openPeer(t, s)
		p.begin()
		ask := acceptFrame(0, filter)
		ask.Source.Address = "amqps://contoso.servicebus.windows.net/Q" // as clients for Python and .NET write
		p.send(0, ask)
		a := expect[*wire.Attach](p)
		if a.Source == nil || a.Source.Address != ask.Source.Address {
			t.Fatalf("attach = %+v", a)
		}
		if got, _ := a.Source.Filter.Get("com.microsoft:session-filter"); got != filter {
			t.Errorf("filter = %v, want %v", got, filter)
		}
		if until, _ := a.Properties.Get("com.microsoft:locked-until-utc"); until == nil {
			t.Error("the end of the lock is not told")
		}
	}
	for _, filter := range []any{int32(1), strings.Repeat("x", 129)} {
		p := openPeer(t, s)
		p.begin()
		p.send(0, acceptFrame(0, filter))
		if a := expect[*wire.Attach](p); a.Source != nil {
			t.Errorf("a session was found for %v", filter)
		}
		if d := expect[*wire.Detach](p); d.Error == nil {
			t.Errorf("filter %v is no fault", filter)
		}
	}
}

// A peer that detaches while it waits for a session has an answer to its attach
// first, and the handle is free again.
func TestAnAttachThatWaitsIsTakenBack(t *testing.T) {
	p := openPeer(t, start(t, sessionQueue(0)))
	p.begin()
	for range 2 {
		p.send(0, acceptFrame(0, nil))
		p.credit(0, 0, 10, false)
		p.send(0, &wire.Detach{Handle: 0, Closed: true})
		if a := expect[*wire.Attach](p); a.Source != nil {
			t.Fatalf("attach = %+v, want none", a)
		}
		if d := expect[*wire.Detach](p); d.Error != nil {
			t.Fatalf("detach = %+v", d)
		}
	}
}
