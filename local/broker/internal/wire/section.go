package wire

// Header is the header section (part 3, section 3.2.1).
type Header struct {
	Durable       Optional[bool]   // null: false
	Priority      Optional[uint8]  // null: DefaultPriority
	TTL           Optional[uint32] // milliseconds; null: no end
	FirstAcquirer Optional[bool]   // null: false
	// DeliveryCount is how many deliveries failed before this one. It is
	// written also when it is 0, because clients exist that fail on null.
	DeliveryCount uint32
}

// DefaultPriority is what a null priority of Header stands for.
const DefaultPriority = 4

// AppendBinary appends the section. It cannot fail.
func (h *Header) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descHeader)
	optional(&c, h.Durable, AppendBool)
	optional(&c, h.Priority, AppendUbyte)
	optional(&c, h.TTL, AppendUint)
	optional(&c, h.FirstAcquirer, AppendBool)
	c.uint(h.DeliveryCount)
	return c.finish()
}

func (h *Header) decode(f *fields) {
	h.Durable = opt(f, "durable", (*fields).readBool)
	h.Priority = opt(f, "priority", (*fields).readUbyte)
	h.TTL = opt(f, "ttl", (*fields).readUint)
	h.FirstAcquirer = opt(f, "first-acquirer", (*fields).readBool)
	h.DeliveryCount = f.uint("delivery-count")
}

// Properties is the section of standard properties (part 3, section 3.2.4).
// Service Bus keeps its session id in GroupID, where "" differs from null.
type Properties struct {
	MessageID          any // nil, uint64, UUID, []byte or string
	UserID             []byte
	To                 Optional[string]
	Subject            Optional[string]
	ReplyTo            Optional[string]
	CorrelationID      any // nil, uint64, UUID, []byte or string
	ContentType        Optional[Symbol]
	ContentEncoding    Optional[Symbol]
	AbsoluteExpiryTime Optional[Timestamp]
	CreationTime       Optional[Timestamp]
	GroupID            Optional[string]
	GroupSequence      Optional[uint32]
	ReplyToGroupID     Optional[string]
}

// AppendBinary appends the section.
func (p *Properties) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descProperties)
	c.value(p.MessageID)
	c.binaryOrNull(p.UserID)
	optional(&c, p.To, AppendString)
	optional(&c, p.Subject, AppendString)
	optional(&c, p.ReplyTo, AppendString)
	c.value(p.CorrelationID)
	optional(&c, p.ContentType, AppendSymbol)
	optional(&c, p.ContentEncoding, AppendSymbol)
	optional(&c, p.AbsoluteExpiryTime, AppendTimestamp)
	optional(&c, p.CreationTime, AppendTimestamp)
	optional(&c, p.GroupID, AppendString)
	optional(&c, p.GroupSequence, AppendUint)
	optional(&c, p.ReplyToGroupID, AppendString)
	return c.finish()
}

func (p *Properties) decode(f *fields) {
	p.MessageID = f.messageID("message-id")
	p.UserID = f.binary("user-id")
	p.To = opt(f, "to", (*fields).readString)
	p.Subject = opt(f, "subject", (*fields).readString)
	p.ReplyTo = opt(f, "reply-to", (*fields).readString)
	p.CorrelationID = f.messageID("correlation-id")
	p.ContentType = opt(f, "content-type", (*fields).readSymbol)
	p.ContentEncoding = opt(f, "content-encoding", (*fields).readSymbol)
	p.AbsoluteExpiryTime = opt(f, "absolute-expiry-time", (*fields).readTimestamp)
	p.CreationTime = opt(f, "creation-time", (*fields).readTimestamp)
	p.GroupID = opt(f, "group-id", (*fields).readString)
	p.GroupSequence = opt(f, "group-sequence", (*fields).readUint)
	p.ReplyToGroupID = opt(f, "reply-to-group-id", (*fields).readString)
}

// messageID reads one of the four types that part 3, sections 3.2.11 to 3.2.14
// allow for it.
func (f *fields) messageID(field string) any {
	if !f.next() {
		return nil
	}
	code := f.d.code()
	switch codeTypes[code] {
	case TypeUlong, TypeUUID, TypeBinary, TypeString:
		return f.d.valueOf(code)
	}
	f.refuse(code, field, "a ulong, uuid, binary or string")
	return nil
}

// AppendDeliveryAnnotations appends a section of delivery annotations. Keys are
// to be of type Symbol. The error is an *EncodeError; b is then returned as it
// came, here and in the functions below.
func AppendDeliveryAnnotations(b []byte, m Map) ([]byte, error) {
	return appendSection(b, descDeliveryAnnotations, m)
}

// AppendMessageAnnotations appends a section of message annotations. Keys are
// to be of type Symbol.
func AppendMessageAnnotations(b []byte, m Map) ([]byte, error) {
	return appendSection(b, descMessageAnnotations, m)
}

// AppendApplicationProperties appends a section of application properties. Keys
// are to be of type string.
func AppendApplicationProperties(b []byte, m Map) ([]byte, error) {
	return appendSection(b, descApplicationProperties, m)
}

// AppendData appends a data section. In a message of the batch format it holds
// one complete encoded message.
func AppendData(b, data []byte) []byte {
	return AppendBinary(append(b, codeDescribed, codeSmallUlong, descData), data)
}

// AppendSequence appends an amqp-sequence section.
func AppendSequence(b []byte, l List) ([]byte, error) { return appendSection(b, descSequence, l) }

// AppendAMQPValue appends an amqp-value section.
func AppendAMQPValue(b []byte, v any) ([]byte, error) { return appendSection(b, descValue, v) }

// AppendFooter appends a footer section. Keys are to be of type Symbol.
func AppendFooter(b []byte, m Map) ([]byte, error) { return appendSection(b, descFooter, m) }

func appendSection(b []byte, descriptor byte, v any) ([]byte, error) {
	out, err := AppendValue(append(b, codeDescribed, codeSmallUlong, descriptor), v)
	if err != nil {
		return b, err
	}
	return out, nil
}
