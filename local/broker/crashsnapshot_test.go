package broker_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/go-amqp"
)

// caller sends requests to a $management node.
type caller struct {
	sender   *amqp.Sender
	receiver *amqp.Receiver
}

func newCaller(ctx context.Context, session *amqp.Session, node string) (*caller, error) {
	settled := amqp.SenderSettleModeSettled
	r, err := session.NewReceiver(ctx, node+"/$management", &amqp.ReceiverOptions{
		Credit: 10, TargetAddress: "replies", RequestedSenderSettleMode: &settled,
	})
	if err != nil {
		return nil, err
	}
	s, err := newSender(ctx, session, node+"/$management")
	return &caller{s, r}, err
}

// errRefused is the error of a request that was answered by one.
var errRefused = errors.New("refused")

// call returns the body of the reply. Without a message to tell of it is empty.
func (c *caller) call(ctx context.Context, operation string, body map[string]any) (map[string]any, error) {
	reply := "replies"
	err := c.sender.Send(ctx, &amqp.Message{
		Properties:            &amqp.MessageProperties{MessageID: operation, ReplyTo: &reply},
		ApplicationProperties: map[string]any{"operation": "com.microsoft:" + operation}, Value: body,
	}, nil)
	if err != nil {
		return nil, err
	}
	m, err := c.receiver.Receive(ctx, nil)
	if err != nil {
		return nil, err
	}
	if code, _ := m.ApplicationProperties["statusCode"].(int32); code >= 300 {
		return nil, fmt.Errorf("%s: %w: %d %v", operation, errRefused, code, m.ApplicationProperties["statusDescription"])
	}
	answer, _ := m.Value.(map[string]any)
	return answer, nil
}

// fateOf reads what a client sees of a message.
func fateOf(queue string, m *amqp.Message) seen {
	s := seen{queue: queue, fate: fate{place: active}}
	s.id, _ = m.Properties.MessageID.(string)
	s.seq, _ = m.Annotations["x-opt-sequence-number"].(int64)
	s.fate.mark, _ = m.ApplicationProperties["mark"].(int64)
	if m.Header != nil {
		s.fate.fails = int(m.Header.DeliveryCount)
	}
	switch m.Annotations["x-opt-message-state"] {
	case int32(1):
		s.fate.place = aside
	case int32(2):
		s.fate.place = scheduled
	}
	if strings.HasSuffix(queue, deadLetterQueue) {
		s.queue = strings.TrimSuffix(queue, deadLetterQueue)
		s.fate.place = dead
		s.fate.reason, _ = m.ApplicationProperties["DeadLetterReason"].(string)
	}
	return s
}

const deadLetterQueue = "/$deadletterqueue"

// browse peeks at all that is in a queue.
func browse(ctx context.Context, session *amqp.Session, queue string) ([]seen, error) {
	c, err := newCaller(ctx, session, queue)
	if err != nil {
		return nil, err
	}
	var all []seen
	for from := int64(0); ; {
		page, err := c.call(ctx, "peek-message", map[string]any{"from-sequence-number": from, "message-count": int32(1000)})
		if err != nil {
			return nil, err
		}
		list, _ := page["messages"].([]any)
		if len(list) == 0 {
			break
		}
		for _, entry := range list {
			encoded, _ := entry.(map[string]any)["message"].([]byte)
			var m amqp.Message
			if err := m.UnmarshalBinary(encoded); err != nil {
				return nil, err
			}
			s := fateOf(queue, &m)
			all, from = append(all, s), s.seq+1
		}
	}
	return all, errors.Join(c.sender.Close(ctx), c.receiver.Close(ctx))
}

// crashQueues are all queues of the server that is killed, those of subscriptions
// included; what they hold is compared.
var crashQueues = []string{
	"plain", "plain" + deadLetterQueue, "fetched", "sessions", "sessions" + deadLetterQueue, "once", "once" + deadLetterQueue,
	"door" + deadLetterQueue, "room", "mortal", "mortal" + deadLetterQueue, "graves",
	"topic/subscriptions/all", "topic/subscriptions/odd", "topic/subscriptions/far" + deadLetterQueue, "fan",
	"brief", "brief" + deadLetterQueue, "weak", "weak" + deadLetterQueue,
}

// snapshot compares all that a server has when it comes up with what is known.
func (a *account) snapshot(ctx context.Context, v *victim) {
	var all []seen
	v.connected(ctx, func(ctx context.Context, session *amqp.Session) error {
		for _, queue := range crashQueues {
			some, err := browse(ctx, session, queue)
			if err != nil {
				return fmt.Errorf("browse %s: %w", queue, err)
			}
			all = append(all, some...)
		}
		a.compare(all)
		return a.compareEntities(ctx, v, session)
	}, a.t.Error)
}

// compareEntities compares entities, what they are and what rules there are.
func (a *account) compareEntities(ctx context.Context, v *victim, session *amqp.Session) error {
	for i := range crashTemporary {
		name := fmt.Sprint("temporary-", i)
		is, err := v.metadata(ctx, name)
		if err != nil {
			return err
		}
		a.is(a.made, name, is)
		if is == "" {
			continue
		}
		inside, err := browse(ctx, session, name)
		if err != nil {
			return err
		}
		for _, m := range inside {
			// The message says to which of the queues of this name it was sent.
			if !strings.HasPrefix(is, m.id+"/") {
				a.errorf("%s is %s, and holds %s", name, is, m.id)
			}
		}
	}
	c, err := newCaller(ctx, session, "topic/subscriptions/all")
	if err != nil {
		return err
	}
	reply, err := c.call(ctx, "enumerate-rules", map[string]any{"skip": int32(0), "top": int32(100)})
	if err != nil {
		return err
	}
	rules, _ := reply["rules"].([]any)
	a.is(a.made, "rules", fmt.Sprint(len(rules)))
	return nil
}

// metadata returns the user metadata of a queue, "" where there is no such queue.
func (v *victim) metadata(ctx context.Context, name string) (string, error) {
	body, err := v.manage(ctx, http.MethodGet, name, "", false)
	if err != nil {
		return "", err
	}
	var entry struct {
		Metadata string `xml:"content>QueueDescription>UserMetadata"`
	}
	return entry.Metadata, xml.Unmarshal(body, &entry)
}

// manage calls the management API.
func (v *victim) manage(ctx context.Context, method, name, metadata string, update bool) ([]byte, error) {
	const entry = `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
		`<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"><UserMetadata>%s</UserMetadata></QueueDescription></content></entry>`
	r, err := http.NewRequestWithContext(ctx, method, "http://"+v.management+"/"+name, strings.NewReader(fmt.Sprintf(entry, metadata)))
	if err != nil {
		return nil, err
	}
	if update {
		r.Header.Set("If-Match", "*")
	}
	resp, err := v.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %w: %d %s", method, name, errRefused, resp.StatusCode, body)
	}
	return body, err
}
