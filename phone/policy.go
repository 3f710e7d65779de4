package phone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Use says what a number is for. The spellings are those of Microsoft Graph's
// phoneType, so that a messages.PhoneType converts.
type Use string

// The uses. A mobile takes text messages and calls, the other two only calls
// (Microsoft Graph, phoneAuthenticationMethod; Microsoft Entra,
// "Authentication methods: phone options").
const (
	Mobile          Use = "mobile"
	AlternateMobile Use = "alternateMobile"
	Office          Use = "office"
)

// Strictness says how much a number must fit its country's numbering plan.
type Strictness int

const (
	// Valid numbers fit the plan: length and leading digits are in use. It is
	// the default.
	Valid Strictness = iota
	// Possible numbers need only have a length that their country knows. Numbers
	// reserved for fiction pass, as do ranges newer than the plan that Muster
	// was built with; so do many mistakes. What kind of line such a number is
	// cannot be told, so it passes for every use.
	Possible
)

// String returns "valid" or "possible".
func (s Strictness) String() string {
	if s == Possible {
		return "possible"
	}
	return "valid"
}

// MarshalText writes a strictness as [Strictness.String] does.
func (s Strictness) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "valid" or "possible", so that a flag or a variable of
// the environment can set it.
func (s *Strictness) UnmarshalText(b []byte) error {
	switch strings.ToLower(string(b)) {
	case "valid":
		*s = Valid
	case "possible":
		*s = Possible
	default:
		return errors.New(`strictness must be "valid" or "possible"`)
	}
	return nil
}

// Policy says which numbers are accepted. The zero value accepts valid numbers
// that carry their country code.
type Policy struct {
	// Region is the ISO 3166-1 alpha-2 code of the country whose numbers may
	// stand without country code, such as "NL". Empty: every number must carry
	// + or 00 and its country code.
	Region string
	// Strictness is [Valid] unless said otherwise.
	Strictness Strictness
}

// Validate reports every fault of the policy at once.
func (p Policy) Validate() error {
	var faults []error
	if region := p.region(); region != "" && !phonenumbers.GetSupportedRegions()[region] {
		hint := ""
		if region == "UK" {
			hint = ": the United Kingdom's is GB"
		}
		faults = append(faults, fmt.Errorf("region %q is not an ISO 3166-1 alpha-2 code with telephone numbers%s", p.Region, hint))
	}
	if p.Strictness != Valid && p.Strictness != Possible {
		faults = append(faults, fmt.Errorf("strictness %d is neither valid nor possible", int(p.Strictness)))
	}
	return errors.Join(faults...)
}

func (p Policy) region() string { return strings.ToUpper(p.Region) }

// Parse reads raw text as a number for the use. The error is always a
// [*Refusal]. What Parse returns, Parse accepts and returns again, whatever the
// policy's region.
func (p Policy) Parse(raw string, use Use) (Number, error) {
	n, refusal := p.parse(raw, use)
	if refusal != nil {
		return "", refusal
	}
	return n, nil
}

// ParseRegistered reads raw text as a number that may be registered already. The
// directory may hold what the policy would not write, so any number with its
// country code will do, whatever line it is and whether it exists or not. The
// error is always a [*Refusal].
func (p Policy) ParseRegistered(raw string) (Number, error) {
	n, refused := p.parse(raw, Office)
	if refused == nil {
		return n, nil
	}
	t, refusal := scan(raw)
	if refusal != nil {
		return "", refusal
	}
	if t = t.key(); !t.plus {
		return "", refused
	}
	n = Number("+" + t.digits)
	if t.extension != "" {
		n += Number("x" + t.extension)
	}
	return n, nil
}

func (p Policy) parse(raw string, use Use) (Number, *Refusal) {
	t, refusal := scan(raw)
	if refusal != nil {
		return "", refusal
	}
	r, refusal := p.read(t)
	if refusal != nil {
		return "", refusal
	}
	if refusal := p.judge(r, t.extension != "", use); refusal != nil {
		return "", refusal
	}
	if !r.stable(t) {
		return "", refuse(ReasonInvalid, hintUnstable)
	}
	return r.number(t.extension), nil
}
