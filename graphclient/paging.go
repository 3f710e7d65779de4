package graphclient

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strings"
)

// page is one page of a collection.
type page[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"@odata.nextLink"`
}

// pages walks a collection page by page. After an error, which comes with a zero
// item, it ends. Pages may be empty.
func pages[T any](ctx context.Context, d *Directory, k call) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		k := k // every walk starts at the first page
		// A link that comes again would be followed for ever. Each is held against
		// one of those before it: of the 1st, 2nd, 4th, 8th page and so on, the
		// latest, which sooner or later lies in any circle (Brent's algorithm).
		mark := ""
		for n := 1; ; n++ {
			p, err := readPage[T](ctx, d, k)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range p.Value {
				if !yield(item, nil) {
					return
				}
			}
			if p.NextLink == "" {
				return
			}
			next, ok := d.client.pinned(p.NextLink)
			if !ok || next == k.next || next == mark {
				yield(zero, &Error{Op: k.op, Kind: KindTransient, Code: CodeForeignNextLink})
				return
			}
			if n&(n-1) == 0 {
				mark = next
			}
			k.next = next
		}
	}
}

func readPage[T any](ctx context.Context, d *Directory, k call) (page[T], error) {
	r, err := d.do(ctx, k)
	if err != nil {
		return page[T]{}, err
	}
	p, err := decodePage[T](r.body)
	if err != nil {
		return p, r.unreadable(k.op)
	}
	return p, nil
}

func decodePage[T any](body []byte) (page[T], error) {
	var p page[T]
	err := json.Unmarshal(body, &p)
	return p, err
}

// list collects all pages.
func list[T any](ctx context.Context, d *Directory, k call) ([]T, error) {
	var all []T
	for item, err := range pages[T](ctx, d, k) {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// pinned accepts a next link only below the endpoint: the token goes with it. The
// link is opaque and otherwise used as it is.
func (c *Client) pinned(link string) (string, bool) {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.Fragment != "" {
		return "", false
	}
	same := u.Scheme == c.endpoint.Scheme && strings.EqualFold(u.Host, c.endpoint.Host) &&
		strings.HasPrefix(u.EscapedPath(), c.endpoint.EscapedPath()+"/")
	return link, same
}
