package graphclient

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// batch is a batch under way. It belongs to the goroutine that called Batch.
type batch struct {
	parts     []Part
	replies   []Reply
	histories []history
	pending   []int // indices of parts to send, ascending
	maxTries  int
	answered  bool
}

// partsWait is what the parts of one reply ask for together.
type partsWait struct {
	halt      time.Duration // for the whole tenant, if anything is throttled
	throttled []http.Header // of the throttled parts
	pause     time.Duration
}

// wirePart is a part as it is sent (JSON batching, request format).
type wirePart struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers,omitempty"`
	Body      any               `json:"body,omitempty"`
	DependsOn []string          `json:"dependsOn,omitempty"`
}

// call is the request for the parts that are still to be sent.
func (b *batch) call(v Version) call {
	k := call{op: "batch", method: http.MethodPost, version: v, place: at("/$batch"), wants: true, parts: len(b.pending)}
	requests := make([]wirePart, 0, len(b.pending))
	for _, i := range b.pending {
		p := b.parts[i]
		reads, writes := cost(p.Method)
		k.reads, k.writes = k.reads+reads, k.writes+writes
		k.once = k.once || p.rule(b.maxTries).once
		requests = append(requests, b.wire(i))
	}
	k.body = map[string]any{"requests": requests}
	return k
}

func (b *batch) wire(i int) wirePart {
	p := b.parts[i]
	w := wirePart{ID: partID(i), Method: p.Method, URL: p.Path, Body: p.Body}
	if p.Method == http.MethodPost && w.Body == nil {
		w.Body = struct{}{}
	}
	if w.Body != nil {
		w.Headers = map[string]string{"Content-Type": "application/json"}
	}
	for _, on := range p.DependsOn {
		// One that is not sent along has succeeded.
		if slices.Contains(b.pending, on) {
			w.DependsOn = append(w.DependsOn, partID(on))
		}
	}
	return w
}

func partID(i int) string { return strconv.Itoa(i + 1) }

// take sorts the replies to the pending parts: each part is done, failed, or
// pending again.
func (b *batch) take(r reply, now time.Time, jitter float64) partsWait {
	var w partsWait
	answers := decodeBatch(r.body, len(b.parts))
	sent := b.pending
	b.pending = nil
	b.answered = true
	for _, i := range sent {
		a := answers[i]
		a.clientRequestID = r.clientRequestID
		b.replies[i] = Reply{StatusCode: a.status, Header: a.header, Body: a.body}
		if a.status == http.StatusFailedDependency && len(b.parts[i].DependsOn) > 0 {
			b.dependent(i, a)
			continue
		}
		s := decide(b.parts[i].rule(b.maxTries), b.histories[i], a.seen(), now, jitter)
		if a.err != nil || s.act == refresh {
			s = step{act: giveUp}
		}
		b.histories[i] = b.histories[i].after(a.seen(), s)
		if s.halt {
			w.halt = max(w.halt, s.after)
			w.throttled = append(w.throttled, a.header)
		}
		switch s.act {
		case succeed:
		case again:
			w.pause = max(w.pause, unlessHalted(s))
			b.pending = append(b.pending, i)
		default:
			b.replies[i].Err = a.failure(b.op(i))
		}
	}
	return w
}

func unlessHalted(s step) time.Duration {
	if s.halt {
		return 0
	}
	return s.after
}

// dependent settles a part that was not tried because one before it failed: it
// goes again with that one, or fails like it.
func (b *batch) dependent(i int, a reply) {
	failure := a.failure(b.op(i))
	for _, on := range b.parts[i].DependsOn {
		if slices.Contains(b.pending, on) {
			b.pending = append(b.pending, i)
			return
		}
		if kind := KindOf(b.replies[on].Err); kind != KindNone {
			failure.Kind = kind
		}
	}
	b.replies[i].Err = failure
}

func (b *batch) op(i int) string { return "batch part " + partID(i) + " (" + b.parts[i].Method + ")" }

// abandon gives the parts that have no answer yet the error that ended it all.
func (b *batch) abandon(err error) ([]Reply, error) {
	if !b.answered {
		return nil, err
	}
	for _, i := range b.pending {
		b.replies[i].Err = err
	}
	return b.replies, nil
}

var errNoAnswer = errors.New("the reply to the batch has no answer to this part, or two")

// decodeBatch reads the reply to a batch of n parts, whose answers come in any
// order. It never fails: a part without exactly one readable answer has errNoAnswer.
func decodeBatch(body []byte, n int) []reply {
	var out struct {
		Responses []json.RawMessage `json:"responses"`
	}
	// What can't be read is missing, and what is missing is noticed below.
	_ = json.Unmarshal(body, &out)
	replies, counts := make([]reply, n), make([]int, n)
	for _, raw := range out.Responses {
		var a struct {
			ID      json.RawMessage            `json:"id"`
			Status  int                        `json:"status"`
			Headers map[string]json.RawMessage `json:"headers"`
			Body    json.RawMessage            `json:"body"`
		}
		if json.Unmarshal(raw, &a) != nil {
			continue
		}
		i, err := strconv.Atoi(strings.Trim(string(a.ID), `"`))
		if err != nil || i < 1 || i > n {
			continue
		}
		counts[i-1]++
		replies[i-1] = partReply(a.Status, a.Headers, a.Body)
	}
	for i := range replies {
		if counts[i] != 1 || replies[i].status == 0 {
			replies[i] = reply{err: errNoAnswer}
		}
	}
	return replies
}

func partReply(status int, headers map[string]json.RawMessage, body json.RawMessage) reply {
	r := reply{status: status, header: http.Header{}, body: body}
	for name, value := range headers {
		r.header.Set(name, text(value))
	}
	if status < 200 || status > 299 {
		r.problem = decodeProblem(body)
	}
	return r
}
