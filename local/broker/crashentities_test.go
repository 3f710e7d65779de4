package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/Azure/go-amqp"
)

// crashTemporary is how many queues come and go.
const crashTemporary = 4

// administer makes queues, changes and deletes them. Every queue has a name of its own
// in its metadata, with a version behind it, and a message that names it.
func (a *account) administer(ctx context.Context, session *amqp.Session, v *victim) error {
	for ctx.Err() == nil {
		name := fmt.Sprint("temporary-", rand.IntN(crashTemporary))
		is, err := v.metadata(ctx, name)
		if err != nil {
			return err
		}
		a.is(a.made, name, is)
		if is == "" {
			life, _ := a.next(name)
			if err := a.change(ctx, v, http.MethodPut, name, life+"/0", false); err != nil {
				return err
			}
			s, err := newSender(ctx, session, name)
			if err == nil {
				err = errors.Join(s.Send(ctx, crashMessage(life), nil), s.Close(ctx))
			}
			if err != nil {
				return a.protest(ctx, err)
			}
			continue
		}
		if rand.IntN(2) == 0 {
			err = a.change(ctx, v, http.MethodDelete, name, "", false)
		} else {
			_, version := a.next("version")
			life, _, _ := strings.Cut(is, "/")
			err = a.change(ctx, v, http.MethodPut, name, fmt.Sprint(life, "/", version), true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *account) change(ctx context.Context, v *victim, method, name, metadata string, update bool) error {
	done := a.set(fmt.Sprint(method, " ", update), a.made, name, metadata)
	if _, err := v.manage(ctx, method, name, metadata, update); err != nil {
		return a.protest(ctx, err)
	}
	done()
	return nil
}

// changeRules adds a rule and removes it.
func (a *account) changeRules(ctx context.Context, session *amqp.Session) error {
	c, err := newCaller(ctx, session, "topic/subscriptions/all")
	if err != nil {
		return err
	}
	for {
		a.mu.Lock()
		rules := a.variable(a.made, "rules").value
		a.mu.Unlock()
		operation, args, next := "add-rule", map[string]any{
			"rule-name": "another", "rule-description": map[string]any{"sql-filter": map[string]any{"expression": "n = 5"}},
		}, "2"
		if rules == "2" {
			operation, args, next = "remove-rule", map[string]any{"rule-name": "another"}, "1"
		}
		done := a.set(operation, a.made, "rules", next)
		if _, err := c.call(ctx, operation, args); err != nil {
			return a.protest(ctx, err)
		}
		done()
	}
}
