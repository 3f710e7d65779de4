package graphclient

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// do carries a call out: it asks the limiter, sends, decides, and sends again as
// decide says. Every request of this package goes through it. The error is an
// *Error, or that of ctx.
func (d *Directory) do(ctx context.Context, k call) (reply, error) {
	if k.fault != nil {
		return reply{}, k.fault
	}
	body, err := k.encode()
	if err != nil {
		return reply{}, err
	}
	var h history
	for {
		r, err := d.attempt(ctx, k, body, h)
		if err != nil {
			return reply{}, err
		}
		if r.err != nil && ctx.Err() != nil {
			return reply{}, interrupted(ctx, k.op)
		}
		seen := r.seen()
		s := decide(k.rule(d.client.maxTries), h, seen, time.Now(), rand.Float64())
		if s.act == succeed {
			d.client.countRedundant(k, h, seen)
			return r, nil
		}
		h = h.after(seen, s)
		landed, err := d.next(ctx, k, s, r)
		if err != nil {
			return reply{}, err
		}
		if landed {
			d.client.countRedundant(k, h, seen)
			return reply{}, nil
		}
	}
}

// countRedundant counts a write that has changed nothing as far as its last
// answer tells: what it asked for was gone or there already, or may have been
// done by an earlier attempt whose reply was lost. A POST that succeeds after
// one in doubt is not needless: had the first taken effect, it would be refused.
func (c *Client) countRedundant(k call, h history, last seen) {
	if k.writes == 0 {
		return
	}
	refused := last.kind == KindNotFound || last.kind == KindConflict || last.kind == KindInvalid
	if refused || last.kind == KindNone && h.doubt && !k.once {
		c.redundant.Add(1)
	}
}

// attempt waits for the budget, sees to a token, and sends. An error means that
// nothing was sent.
func (d *Directory) attempt(ctx context.Context, k call, body []byte, h history) (reply, error) {
	if k.pace != nil {
		if err := k.pace(ctx); err != nil {
			if ctx.Err() != nil {
				return reply{}, interrupted(ctx, k.op)
			}
			return reply{}, fmt.Errorf("%s: wait for the reports' budget: %w", k.op, err)
		}
	}
	if d.client.limiter != nil {
		if err := d.client.limiter.Wait(ctx, d.tenant, k.reads, k.writes); err != nil {
			if ctx.Err() != nil {
				return reply{}, interrupted(ctx, k.op)
			}
			return reply{}, fmt.Errorf("%s: wait for budget: %w", k.op, err)
		}
	} else if ctx.Err() != nil {
		return reply{}, interrupted(ctx, k.op)
	}
	token, err := d.client.tokens.get(ctx, d.tenant)
	if err != nil {
		if ctx.Err() != nil {
			return reply{}, interrupted(ctx, k.op)
		}
		return reply{}, tokenFailure(k.op, err)
	}
	return d.send(ctx, k, body, token, h), nil
}

// next carries a step out. When it returns false and no error, the request is to
// be sent again.
func (d *Directory) next(ctx context.Context, k call, s step, r reply) (landed bool, err error) {
	halted := s.halt && d.halt(ctx, s.after, r.header)
	if r.seen().kind == KindForbidden {
		d.client.tokens.forbidden(ctx, d.tenant, r.token)
	}
	switch {
	case s.act == giveUp, s.act == reread && k.reread == nil:
		return false, r.failure(k.op)
	case s.act == refresh:
		d.client.tokens.drop(ctx, d.tenant, r.token, r.header)
		return false, nil
	case halted:
		// The limiter holds this request back together with everybody else's.
	default:
		if err := pause(ctx, k.op, s.after); err != nil {
			return false, err
		}
	}
	if s.act != reread {
		return false, nil
	}
	landed, err = k.reread(ctx, s.reads)
	if err == nil && !landed && s.last {
		err = r.failure(k.op)
	}
	return landed, err
}

// halt counts a throttled answer and tells the limiter, if there is one.
func (d *Directory) halt(ctx context.Context, t time.Duration, h http.Header) bool {
	d.client.throttled.Add(1)
	d.client.tel.throttled(ctx, h)
	if d.client.limiter == nil {
		return false
	}
	d.client.limiter.Halt(d.tenant, t)
	return true
}

func pause(ctx context.Context, op string, t time.Duration) error {
	if t <= 0 {
		return nil
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return interrupted(ctx, op)
	case <-timer.C:
		return nil
	}
}

// read carries a GET out and decodes its reply leniently: members that are not
// known are passed over, enum values that are not known are kept.
func (d *Directory) read(ctx context.Context, k call, out any) error {
	r, err := d.do(ctx, k)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return r.unreadable(k.op)
	}
	return nil
}

// write carries out a call of whose reply only the success matters.
func (d *Directory) write(ctx context.Context, k call) error {
	_, err := d.do(ctx, k)
	return err
}
