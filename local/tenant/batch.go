package tenant

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxParts is how many requests a $batch may hold (Microsoft Graph, "Combine
// multiple HTTP requests using JSON batching").
const maxParts = 20

// part is one request of a $batch.
type part struct {
	ID        *string           `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// serveBatch answers POST /$batch: 200 whatever became of the parts, unless
// the batch itself is malformed.
func (t *Tenant) serveBatch(c *call) reply {
	parts, no := c.parts()
	t.tally.count(func(s *Stats) { s.Batches++; s.Requests += int64(len(parts)) })
	if no != nil {
		return t.refuse(c, no)
	}
	b := newBatch(parts)
	var d dice
	d.source.Seed(t.seed, t.dice.key("$batch", b.signature()))
	for _, i := range b.executionOrder(&d) {
		b.replies[i] = t.answerPart(c, b, i)
	}
	order := b.indices()
	d.shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return ok(b.render(order))
}

// parts decodes and checks a $batch.
func (c *call) parts() ([]part, *refusal) {
	if c.method != http.MethodPost {
		no := badRequest("Specified HTTP method is not allowed for the request target.")
		no.status, no.allow = http.StatusMethodNotAllowed, http.MethodPost
		return nil, no
	}
	var body struct {
		Requests []part `json:"requests"`
	}
	if err := json.Unmarshal(c.body, &body); err != nil || body.Requests == nil {
		return nil, badBatch("Invalid batch payload format.")
	}
	if len(body.Requests) > maxParts {
		return nil, badBatch("Number of batch request steps exceeds the maximum value of " + strconv.Itoa(maxParts) + ".")
	}
	return body.Requests, checkParts(body.Requests)
}

func badBatch(message string) *refusal {
	return refuse(http.StatusBadRequest, "BadRequest", message)
}

// checkParts refuses ids that are missing or not unique, whatever their case,
// and dependencies on what does not come before: a part depends on earlier ones
// only, so there is no circle.
func checkParts(parts []part) *refusal {
	seen := map[string]bool{}
	for i := range parts {
		p := &parts[i]
		switch {
		case p.ID == nil || *p.ID == "":
			return badBatch("Invalid batch payload format. Every request needs an id.")
		case p.Method == "" || p.URL == "":
			return badBatch("Invalid batch payload format. Every request needs a method and a url.")
		}
		for _, on := range p.DependsOn {
			if !seen[strings.ToLower(on)] {
				return badBatch("A request depends on an id that is no request before it.")
			}
		}
		id := strings.ToLower(*p.ID)
		if seen[id] {
			return badBatch("The ids of the requests in a batch must be unique.")
		}
		seen[id] = true
	}
	return nil
}

// batch is a $batch under way.
type batch struct {
	parts   []part
	replies []reply
	index   map[string]int // lower-case id -> place
}

func newBatch(parts []part) *batch {
	b := &batch{parts: parts, replies: make([]reply, len(parts)), index: map[string]int{}}
	for i := range parts {
		b.index[strings.ToLower(*parts[i].ID)] = i
	}
	return b
}

// signature tells batches apart for the dice.
func (b *batch) signature() string {
	var s strings.Builder
	for i := range b.parts {
		s.WriteString(b.parts[i].Method + " " + b.parts[i].URL + "\n")
	}
	return s.String()
}

func (b *batch) indices() []int {
	order := make([]int, len(b.parts))
	for i := range order {
		order[i] = i
	}
	return order
}

// executionOrder is some order in which no part comes before what it depends
// on. Parts without dependencies run in parallel in the service, so no order
// among them may be relied on.
func (b *batch) executionOrder(d *dice) []int {
	waiting := b.indices()
	d.shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	done := make([]bool, len(b.parts))
	order := make([]int, 0, len(b.parts))
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(i int) bool {
			return !slices.ContainsFunc(b.parts[i].DependsOn, func(on string) bool { return !done[b.index[strings.ToLower(on)]] })
		})
		i := waiting[next]
		done[i] = true
		order = append(order, i)
		waiting = slices.Delete(waiting, next, next+1)
	}
	return order
}

// answerPart answers one part, or fails it with 424 where a part that it
// depends on has failed.
func (t *Tenant) answerPart(outer *call, b *batch, i int) reply {
	p := &b.parts[i]
	c := &call{
		method: strings.ToUpper(p.Method), version: outer.version, header: p.header, body: p.Body,
		base: outer.base, inBatch: true, caller: outer.caller, sight: sight{now: outer.sight.now},
		ids: t.requestIDs(orDefault(p.header("Client-Request-Id"), outer.ids.client)),
	}
	for _, on := range p.DependsOn {
		if b.replies[b.index[strings.ToLower(on)]].status >= http.StatusBadRequest {
			return t.refuse(c, refuse(http.StatusFailedDependency, "FailedDependency", "The request depends on one that failed."))
		}
	}
	path, query, _ := strings.Cut(p.URL, "?")
	if strings.Contains(path, "://") {
		return t.refuse(c, badBatch("The url of a request in a batch must be relative."))
	}
	path, _, _ = strings.Cut(path, "#")
	return t.answer(c, path, query)
}

// header looks into the part's headers, whatever their case.
func (p *part) header(name string) string {
	for have, value := range p.Headers {
		if strings.EqualFold(have, name) {
			return value
		}
	}
	return ""
}

// render writes the replies in the given order.
func (b *batch) render(order []int) []byte {
	out := append(make([]byte, 0, 512*len(order)+32), `{"responses":[`...)
	for n, i := range order {
		if n > 0 {
			out = append(out, ',')
		}
		out = appendPart(out, *b.parts[i].ID, &b.replies[i])
	}
	return append(out, "]}"...)
}

func appendPart(out []byte, id string, rep *reply) []byte {
	out = append(out, `{"id":`...)
	out = appendString(out, id)
	out = append(out, `,"status":`...)
	out = strconv.AppendInt(out, int64(rep.status), 10)
	out = append(out, `,"headers":{"Cache-Control":"no-cache"`...)
	if rep.body != nil {
		out = append(out, `,"Content-Type":`...)
		out = appendString(out, orDefault(rep.contentType, "application/json"))
	}
	rep.headers.each(func(name, value string) {
		out = append(out, ',')
		out = appendString(out, name)
		out = append(out, ':')
		out = appendString(out, value)
	})
	out = append(out, '}')
	if rep.body != nil {
		out = append(out, `,"body":`...)
		out = append(out, rep.body...)
	}
	return append(out, '}')
}
