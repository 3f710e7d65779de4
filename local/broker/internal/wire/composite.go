package wire

// composite writes the described list of a composite type (part 1, section
// 1.4). The null fields at its end are written too, as Service Bus does: the client
// for Python looks for fields by their place, whether they are there or not, and
// takes a source or a target of no fields for none.
type composite struct {
	b     []byte
	start int // offset of the list's constructor
	count int // fields so far
	err   error
}

func beginComposite(b []byte, descriptor uint64) composite {
	b = AppendUlong(append(b, codeDescribed), descriptor)
	b, start := openCompound(b, codeList8)
	return composite{b: b, start: start}
}

// wrote counts a field.
func (c *composite) wrote(b []byte) {
	c.b = b
	c.count++
}

func (c *composite) null() { c.wrote(AppendNull(c.b)) }

// finish closes the list and returns the buffer.
func (c *composite) finish() ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.count == 0 {
		return append(c.b[:c.start], codeList0), nil
	}
	return closeCompound(c.b, c.start, c.count), nil
}

// add takes what an append function that can fail returned.
func (c *composite) add(b []byte, err error) {
	if err != nil {
		if c.err == nil {
			c.err = err
		}
		return
	}
	c.wrote(b)
}

func (c *composite) bool(v bool)     { c.wrote(AppendBool(c.b, v)) }
func (c *composite) uint(v uint32)   { c.wrote(AppendUint(c.b, v)) }
func (c *composite) ulong(v uint64)  { c.wrote(AppendUlong(c.b, v)) }
func (c *composite) symbol(v Symbol) { c.wrote(AppendSymbol(c.b, v)) }
func (c *composite) string(v string) { c.wrote(AppendString(c.b, v)) }
func (c *composite) ubyte(v uint8)   { c.wrote(AppendUbyte(c.b, v)) }

// boolOrNull leaves out a false that is the field's default.
func (c *composite) boolOrNull(v bool) {
	if v {
		c.bool(true)
		return
	}
	c.null()
}

func (c *composite) stringOrNull(v string) {
	if v != "" {
		c.string(v)
		return
	}
	c.null()
}

func (c *composite) symbolOrNull(v Symbol) {
	if v != "" {
		c.symbol(v)
		return
	}
	c.null()
}

func (c *composite) uintOrNull(v uint32) {
	if v != 0 {
		c.uint(v)
		return
	}
	c.null()
}

func (c *composite) binaryOrNull(v []byte) {
	if v != nil {
		c.wrote(AppendBinary(c.b, v))
		return
	}
	c.null()
}

func (c *composite) mapOrNull(v Map) {
	if v != nil {
		c.add(AppendValue(c.b, v))
		return
	}
	c.null()
}

func (c *composite) symbols(v []Symbol) {
	if len(v) != 0 {
		c.wrote(appendSymbols(c.b, v))
		return
	}
	c.null()
}

func (c *composite) value(v any) {
	if v != nil {
		c.add(AppendValue(c.b, v))
		return
	}
	c.null()
}

// state writes a delivery state or null.
func (c *composite) state(s DeliveryState) {
	if s != nil {
		c.add(s.AppendBinary(c.b))
		return
	}
	c.null()
}

func (c *composite) errorOrNull(e *Error) {
	if e != nil {
		c.add(e.AppendBinary(c.b))
		return
	}
	c.null()
}

// optional writes o with the append function of its type.
func optional[T any](c *composite, o Optional[T], write func([]byte, T) []byte) {
	if o.Set {
		c.wrote(write(c.b, o.Value))
		return
	}
	c.null()
}
