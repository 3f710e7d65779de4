package broker

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// FuzzToken checks tokens and audiences that a peer may put to $cbs. The path of
// what an audience is understood as is understood as the same.
func FuzzToken(f *testing.F) {
	const signed = "SharedAccessSignature sr=sb%3a%2f%2fh%2fq&sig=OxE%2bXeT5Cs4sNV1fDyfAuwwFMcTnXVJcNyLWVEzTDSo%3d&se=4102444800&skn=k"
	for _, audience := range []string{"sb://h/q", "amqp://h:5672/q/$management", "", "$cbs", "sb://h/Q/$DeadLetterQueue?x", "://%zz", "q//$management/$management", "sb://h/Q/$DeadL://h/Q/et://h/terQueue?x"} {
		f.Add(signed, audience)
	}
	f.Add("SharedAccessSignature sr=%zz&sig=&se=-1&skn=k", "q")
	f.Add("SharedAccessSignature &&=&sr&se=99999999999999999999", "q")
	s, err := New(Options{Keys: []Key{{Name: "k", Value: "v"}}, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token, audience string) {
		given, err := s.checkToken(token, audience)
		var expired tokenExpiredError
		switch {
		case err == nil && given.rights == 0:
			t.Error("a token that allows nothing was taken")
		case err == nil, errors.As(err, &expired), err == errTokenMalformed, err == errTokenSignature, err == errTokenAudience:
		default:
			t.Errorf("error %T: %v", err, err)
		}
		a := parseAddress(audience)
		if again := addressOf(a.path()); again != a {
			t.Errorf("%q is %+v, whose path %q is %+v", audience, a, a.path(), again)
		}
		if !a.covers(a.path()) || !a.covers("") {
			t.Errorf("%+v does not cover itself", a)
		}
	})
}

// FuzzItems gives messages and batches to what takes them, with partitions and without.
// A message that is taken can be shown in every way, with its body as it was sent, and
// taken again.
func FuzzItems(f *testing.F) {
	for _, body := range [][]byte{nil, wire.AppendData(nil, []byte("data")), {0, 0x53, 0x77, 0x40}, {0, 0x53, 0x76, 0x45, 0, 0x53, 0x76, 0x45}} {
		full := wire.Properties{MessageID: "id", GroupID: wire.Some("s")}
		b, err := full.AppendBinary(nil)
		if err == nil {
			b, err = wire.AppendApplicationProperties(b, wire.Map{{Key: "n", Value: wire.Decimal32{1}}, {Key: "a", Value: wire.ArrayOf(int64(1))}})
		}
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(b, body...), wire.MessageFormat)
		f.Add(wire.AppendData(wire.AppendData(nil, body), append(b, body...)), wire.MessageFormatBatch)
	}
	f.Fuzz(func(t *testing.T, payload []byte, format uint32) {
		for _, where := range []placement{{}, {partitioned: true}, {partitioned: true, byID: true}} {
			all, fault := items(payload, format, where)
			if fault != nil && (fault.Condition == "" || fault.Condition == wire.CondInternalError) {
				t.Errorf("refused with %+v", fault)
			}
			for _, item := range all {
				checkItem(t, item, where)
			}
		}
	})
}

func checkItem(t *testing.T, item queue.Item, where placement) {
	t.Helper()
	kept, err := wire.Split(item.Payload)
	if err != nil {
		t.Fatalf("kept what is no message: %v", err)
	}
	m := queue.Message{Sequence: 1, Payload: item.Payload, Overlay: map[string]any{"DeadLetterReason": "r"}, DeliveryCount: 3}
	for name, show := range map[string]func(queue.Message) ([]byte, error){
		"delivered": func(m queue.Message) ([]byte, error) {
			return delivered(queue.Delivery{Message: m, Token: queue.Token{1}, LockedUntil: time.Unix(1, 0)})
		},
		"peeked":  peeked,
		"deleted": func(m queue.Message) ([]byte, error) { return delivered(queue.Delivery{Message: m}) },
	} {
		b, err := show(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := wire.Split(b)
		if err != nil || !bytes.Equal(got.Body, kept.Body) || !bytes.Equal(got.Footer, kept.Footer) {
			t.Fatalf("%s: body % x became % x, %v", name, kept.Body, got.Body, err)
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("%s breaks a receiver: %v", name, err)
		}
		if _, err := newItem(b, where); err != nil {
			t.Fatalf("%s can't be sent again: %v", name, err)
		}
	}
}

// FuzzOffer shows messages to the rules of subscriptions. Whatever can be sent can be
// offered, and what an action makes of it can be received.
func FuzzOffer(f *testing.F) {
	properties := wire.Properties{
		MessageID: uint64(7), CorrelationID: wire.UUID{1}, To: wire.Some("t"), Subject: wire.Some("l"), ReplyTo: wire.Some("r"), ContentType: wire.Some(wire.Symbol("c")),
	}
	b, err := properties.AppendBinary(nil)
	if err == nil {
		b, err = wire.AppendApplicationProperties(b, wire.Map{{Key: "n", Value: int32(1)}, {Key: "d", Value: 1.5}})
	}
	if err != nil {
		f.Fatal(err)
	}
	for _, action := range []string{
		"SET n = n + 1", "SET sys.Label = 'x'; REMOVE d", "SET sys.TimeToLive = @p", "SET sys.PartitionKey = newid()", "SET sys.ScheduledEnqueueTimeUtc = @t",
		"SET sys.MessageId = sys.CorrelationId; SET sys.To = NULL",
	} {
		f.Add(b, "n > 0 OR sys.Label LIKE '%l%'", action, "l")
	}
	f.Fuzz(func(t *testing.T, payload []byte, sql, action, label string) {
		item, err := newItem(payload, placement{})
		if err != nil {
			return
		}
		parameters := map[string]any{"@p": time.Hour, "@t": time.Unix(1, 0), "@n": int32(1)}
		o, err := newOffer(queue.Passed{Payload: item.Payload, Hops: 1, Overlay: map[string]any{"o": int64(1)}}, time.Unix(2, 0), placement{})
		if err != nil {
			t.Fatalf("sent, and can't be offered: %v", err)
		}
		correlation, err := newRule(Rule{Name: "c", Correlation: &CorrelationFilter{Label: &label, Properties: map[string]any{"n": int32(1)}}}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := correlation.filter.Matches(&o.message); err != nil {
			t.Errorf("correlation: %v", err)
		}
		r, err := newRule(Rule{Name: "r", SQL: sql, Action: action, Parameters: parameters, ActionParameters: parameters}, time.Unix(0, 0))
		if err != nil {
			return
		}
		_, _ = r.filter.Matches(&o.message)
		if r.action == nil {
			return
		}
		if changed, err := o.changed(r); err == nil {
			checkItem(t, changed, placement{})
		}
	})
}
