package wire

// Optional is a field that may be null or absent on the wire, which differs
// from its zero value. The zero Optional is null.
type Optional[T any] struct {
	Value T
	Set   bool
}

// Some returns the Optional that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Set: true} }

// Or returns the value, or def where there is none.
func (o Optional[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}
