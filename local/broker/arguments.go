package broker

import (
	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file reads the arguments of requests to $management. Clients differ in the
// types that they write, so whatever can be understood is.

// lockTokens reads the argument lock-tokens, an array or a list of uuids.
func lockTokens(args wire.Map) ([]queue.Token, error) {
	v, _ := args.Get("lock-tokens")
	given := elements(v)
	tokens := make([]queue.Token, len(given))
	for i, e := range given {
		id, ok := e.(wire.UUID)
		if !ok {
			return nil, argumentError{"lock-tokens must be an array of uuids"}
		}
		tokens[i] = queue.Token(id)
	}
	if len(tokens) == 0 {
		return nil, argumentError{"lock-tokens must name at least one lock"}
	}
	return tokens, nil
}

// integer reads an integer of any width.
func integer(args wire.Map, name string) (int64, error) {
	v, _ := args.Get(name)
	switch v := v.(type) {
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case uint8:
		return int64(v), nil
	case uint16:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint64:
		return int64(min(v, 1<<62)), nil
	}
	return 0, argumentError{name + " must be an integer"}
}

// text reads an argument that is a string; it is false for null too.
func text(args wire.Map, name string) (string, bool) {
	v, _ := args.Get(name)
	s, ok := v.(string)
	return s, ok
}

// elements are those of an array or a list.
func elements(v any) []any {
	switch v := v.(type) {
	case wire.Array:
		return v.Elements
	case wire.List:
		return v
	}
	return nil
}

// sequenceNumbers reads the argument sequence-numbers.
func sequenceNumbers(args wire.Map) ([]int64, error) {
	v, _ := args.Get("sequence-numbers")
	given := elements(v)
	numbers := make([]int64, len(given))
	for i, e := range given {
		n, ok := e.(int64)
		if !ok {
			return nil, argumentError{"sequence-numbers must be an array of longs"}
		}
		numbers[i] = n
	}
	if len(numbers) == 0 {
		return nil, argumentError{"sequence-numbers must name at least one message"}
	}
	return numbers, nil
}

// pageOf reads which part of a list is asked for.
func pageOf(args wire.Map) (skip, top int64, err error) {
	if skip, err = integer(args, "skip"); err != nil {
		return 0, 0, err
	}
	if top, err = integer(args, "top"); err != nil {
		return 0, 0, err
	}
	if skip < 0 || top < 1 {
		return 0, 0, argumentError{"skip must not be negative, and top at least 1"}
	}
	return skip, top, nil
}
