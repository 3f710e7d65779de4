package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// noCountry is libphonenumber's region code for country codes that no country
// has.
const noCountry = "001"

// reading is one way to understand digits: as a number of a numbering plan.
type reading struct {
	parsed *phonenumbers.PhoneNumber
	// kind is UNKNOWN for a number that is not valid: libphonenumber calls a
	// number valid exactly when it can tell its kind.
	kind phonenumbers.PhoneNumberType
}

// readAs reads digits, with a leading plus or as a number of the region.
func readAs(s, region string) (reading, bool) {
	parsed, err := phonenumbers.Parse(s, region)
	if err != nil {
		return reading{}, false
	}
	return reading{parsed, phonenumbers.GetNumberType(parsed)}, true
}

func (r reading) valid() bool { return r.parsed != nil && r.kind != phonenumbers.UNKNOWN }

func (r reading) digits() string {
	return strconv.Itoa(int(r.parsed.GetCountryCode())) + phonenumbers.GetNationalSignificantNumber(r.parsed)
}

func (r reading) number(ext string) Number {
	n := "+" + strconv.Itoa(int(r.parsed.GetCountryCode())) + " " + phonenumbers.GetNationalSignificantNumber(r.parsed)
	if ext != "" {
		n += "x" + ext
	}
	return Number(n)
}

// stable reports whether the number's own international form reads as the same
// number. It does not where stripping a trunk zero uncovers another one.
func (r reading) stable(t text) bool {
	digits := r.digits()
	if t.plus && t.digits == digits {
		return true
	}
	again, ok := readAs("+"+digits, "")
	return ok && again.digits() == digits
}

func (p Policy) accepts(r reading) bool {
	if r.valid() {
		return true
	}
	return p.Strictness == Possible && r.parsed != nil &&
		phonenumbers.IsPossibleNumberWithReason(r.parsed) == phonenumbers.IS_POSSIBLE
}

// read finds the one number that the digits stand for.
func (p Policy) read(t text) (reading, *Refusal) {
	if t.plus {
		return p.readInternational(t.digits)
	}
	region := p.region()
	abroad, prefixed := strings.CutPrefix(t.digits, "00")
	if region == "" {
		if prefixed {
			return p.readInternational(abroad)
		}
		return reading{}, refuse(ReasonMissingCountry, hintMissingCountry)
	}
	national, _ := readAs(t.digits, region)
	own := phonenumbers.GetCountryCodeForRegion(region)
	if own != 0 && strings.HasPrefix(t.digits, strconv.Itoa(own)) {
		return p.readLostPlus(t, national)
	}
	if p.accepts(national) {
		return national, nil
	}
	// 00 is what most of the world dials before a country code; libphonenumber
	// takes it only where the region dials it too.
	if prefixed {
		return p.readInternational(abroad)
	}
	if international, _ := readAs(t.international(), ""); international.valid() {
		return reading{}, refuse(ReasonMissingCountry, hintMissingCountry)
	}
	return reading{}, misfit(national)
}

// readLostPlus reads digits that begin with the default region's own country
// code. In most plans only one reading fits, often because the other would be
// too long. In plans of open length, such as Germany's, both can: then
// libphonenumber would silently return a fixed line for a mobile that has lost
// its plus, as its FAQ admits for Germany.
func (p Policy) readLostPlus(t text, national reading) (reading, *Refusal) {
	international, _ := readAs(t.international(), "")
	switch {
	case !international.valid():
		if p.accepts(national) {
			return national, nil
		}
		return reading{}, misfit(national)
	case !p.accepts(national) || national.digits() == international.digits():
		return international, nil
	}
	return reading{}, refuse(ReasonAmbiguous, hintAmbiguous)
}

func (p Policy) readInternational(digits string) (reading, *Refusal) {
	r, ok := readAs("+"+digits, "")
	// A number of no country is named as such even where it is not valid.
	if ok && belongsNowhere(r.parsed) || p.accepts(r) {
		return r, nil
	}
	return reading{}, misfit(r)
}

func belongsNowhere(n *phonenumbers.PhoneNumber) bool {
	return phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode())) == noCountry
}

// misfit says what is wrong with a number that fits no plan.
func misfit(r reading) *Refusal {
	if r.parsed == nil {
		return refuse(ReasonInvalid, hintInvalid)
	}
	switch phonenumbers.IsPossibleNumberWithReason(r.parsed) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return refuse(ReasonInvalid, hintTooShort)
	case phonenumbers.TOO_LONG:
		return refuse(ReasonInvalid, hintTooLong)
	}
	return refuse(ReasonInvalid, hintInvalid)
}
