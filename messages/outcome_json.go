package messages

import (
	"math"
	"strconv"
)

var outcomeMembers = []string{
	"commandId", "tenant", "userId", "result", "reason", "detail",
	"warnings", "writes", "traceId", "run", "row",
}

var results = []Result{Applied, Unchanged, Refused, Failed}

// EncodeOutcome encodes an outcome as a structured CloudEvent on one line,
// without a newline at its end. The error is the [*DecodeError] with which
// [DecodeOutcome] would refuse it.
func EncodeOutcome(e OutcomeEvent) ([]byte, error) {
	h := header{id: e.ID, source: e.Source, time: e.Time}
	if fault := h.check(ReasonMalformedOutcome); fault != nil {
		return nil, fault
	}
	if fault := checkOutcome(&e.Outcome); fault != nil {
		return nil, fault
	}
	b := appendEnvelope(make([]byte, 0, 1024), OutcomeType, OutcomeSchemaURI, &h)
	return append(appendOutcome(b, &e.Outcome), '}'), nil
}

// DecodeOutcome reads what EncodeOutcome writes. Members of the data that it
// does not know are passed over, so that whoever reads outcomes need not be as
// new as the worker that wrote them. The error is a [*DecodeError].
func DecodeOutcome(line []byte) (OutcomeEvent, error) {
	if len(line) > MaxBody {
		return OutcomeEvent{}, tooLarge(ReasonMalformedOutcome)
	}
	r := reader{body: line, reason: ReasonMalformedOutcome, lenient: true}
	h := r.structured(OutcomeType)
	o := r.outcome()
	if r.fault == nil {
		r.fault = checkOutcome(&o)
	}
	if r.fault != nil {
		return OutcomeEvent{}, r.fault
	}
	return OutcomeEvent{ID: h.id, Source: h.source, Time: h.time, Outcome: o}, nil
}

func (r *reader) outcome() (o Outcome) {
	const word = "a string"
	for member := range r.object(outcomeMembers) {
		switch member {
		case "commandId":
			o.CommandID = r.text(word)
		case "tenant":
			o.Tenant = r.text(word)
		case "userId":
			o.UserID = r.text(word)
		case "result":
			o.Result = Result(r.text(word))
		case "reason":
			o.Reason = r.text(word)
		case "detail":
			o.Detail = r.text(word)
		case "warnings":
			for range r.elements {
				o.Warnings = append(o.Warnings, r.text(word))
			}
		case "writes":
			o.Writes = r.whole(math.MaxInt32)
		case "traceId":
			o.TraceID = r.text(word)
		case "run":
			o.Run = r.text(word)
		case "row":
			o.Row = r.whole(maxRow)
		}
	}
	return o
}

// checkOutcome returns the first fault of an outcome, nil if it has none.
func checkOutcome(o *Outcome) *DecodeError {
	k := checker{root: "$.data", reason: ReasonMalformedOutcome}
	k.line(".commandId", o.CommandID, attributeRules[attrID].limit)
	k.identifier(".tenant", o.Tenant, maxTenant)
	k.identifier(".userId", o.UserID, maxUser)
	k.required(".result", string(o.Result))
	oneOf(&k, ".result", o.Result, results)
	if o.Result == Refused || o.Result == Failed {
		k.required(".reason", o.Reason)
	}
	k.code(".reason", o.Reason)
	k.length(".detail", o.Detail, maxDetail)
	if len(o.Warnings) > maxWarnings {
		k.fail(".warnings", "must not hold more than "+strconv.Itoa(maxWarnings)+" codes")
	}
	for i, warning := range o.Warnings {
		at := ".warnings[" + strconv.Itoa(i) + "]"
		k.required(at, warning)
		k.code(at, warning)
	}
	if o.Writes < 0 || o.Writes > math.MaxInt32 {
		k.fail(".writes", "must be a whole number from 0 to "+strconv.Itoa(math.MaxInt32))
	}
	k.traceID(o.TraceID)
	k.line(".run", o.Run, maxRun)
	k.row(o.Row)
	return k.fault
}

// code checks a stable code: no spaces, so that no sentence and hence nobody's
// data slips into one.
func (k *checker) code(path, value string) {
	if len(value) > maxCode {
		k.fail(path, "must not be longer than "+strconv.Itoa(maxCode)+" characters")
	}
	for _, c := range []byte(value) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || '9' < c) && c != '.' && c != '_' && c != '-' {
			k.fail(path, "must be a code of letters, digits, points, dashes and underscores")
			return
		}
	}
}

// traceID checks a W3C trace id: 32 lower-case hexadecimal digits.
func (k *checker) traceID(value string) {
	if value == "" {
		return
	}
	hex := len(value) == 32
	for _, c := range []byte(value) {
		hex = hex && ('0' <= c && c <= '9' || 'a' <= c && c <= 'f')
	}
	if !hex {
		k.fail(".traceId", "must be 32 lower-case hexadecimal digits")
	}
}

func appendOutcome(b []byte, o *Outcome) []byte {
	b = append(b, '{')
	b = appendText(b, "commandId", o.CommandID)
	b = appendText(b, "tenant", o.Tenant)
	b = appendText(b, "userId", o.UserID)
	b = appendText(b, "result", string(o.Result))
	b = appendText(b, "reason", o.Reason)
	b = appendText(b, "detail", o.Detail)
	if len(o.Warnings) > 0 {
		b = appendTexts(b, "warnings", o.Warnings)
	}
	b = strconv.AppendInt(appendName(b, "writes"), int64(o.Writes), 10)
	b = appendText(b, "traceId", o.TraceID)
	b = appendText(b, "run", o.Run)
	b = appendNumber(b, "row", o.Row)
	return append(b, '}')
}
