package main

import (
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// regions are the thirty countries of the demo, the default region first.
var regions = strings.Fields("NL BE DE AT CH LU DK NO FI SE ES PT IT FR GB IE PL CZ SK HU RO GR TR ZA IN JP US CA AU NZ")

// graphForm is the form in which the service keeps a number.
func graphForm(n *phonenumbers.PhoneNumber) string {
	return fmt.Sprintf("+%d %s", n.GetCountryCode(), phonenumbers.GetNationalSignificantNumber(n))
}

// region picks a country, the default region for about a third.
func (d *demo) region() string {
	if d.source.IntN(3) == 0 {
		return regions[0]
	}
	d.abroad++
	return regions[1+d.abroad%(len(regions)-1)]
}

// mobile makes the next mobile number of a region.
func (d *demo) mobile(region string) *phonenumbers.PhoneNumber {
	d.numbers++
	i := d.numbers
	switch region {
	case "US", "CA": // 555-0100 to 0199, reserved in every area code
		areas := strings.Fields("206 212 303 415 503 617 702 808")
		if region == "CA" {
			areas = strings.Fields("204 403 416 514 604 780 867 902")
		}
		return parse(fmt.Sprintf("+1%s55501%02d", areas[i/100%len(areas)], i%100))
	case "SE": // 070-174 06 05 to 99, reserved by PTS
		return parse(fmt.Sprintf("+467017406%02d", 5+i%95))
	case "DE": // 0176 040690 00 to 99, reserved by Bundesnetzagentur
		return parse(fmt.Sprintf("+49176040690%02d", i%100))
	case "AU": // 0491 570 156 to 159, reserved by ACMA
		return parse(fmt.Sprintf("+6149157015%d", 6+i%4))
	}
	return d.example(region, phonenumbers.MOBILE)
}

// office makes the next fixed-line number of a region.
func (d *demo) office(region string) *phonenumbers.PhoneNumber {
	if region == "US" || region == "CA" {
		return d.mobile(region)
	}
	return d.example(region, phonenumbers.FIXED_LINE)
}

// example is libphonenumber's example number with other final digits.
func (d *demo) example(region string, kind phonenumbers.PhoneNumberType) *phonenumbers.PhoneNumber {
	d.numbers++
	example := phonenumbers.GetExampleNumberForType(region, kind)
	digits := phonenumbers.Format(example, phonenumbers.E164)
	return parse(fmt.Sprintf("%s%02d", digits[:len(digits)-2], d.numbers%100))
}

// parse reads a number that this program has made.
func parse(e164 string) *phonenumbers.PhoneNumber {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		panic("made no number: " + err.Error())
	}
	return n
}

// spell writes a number as one of the many people who keep such files would.
func (d *demo) spell(n *phonenumbers.PhoneNumber) string {
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	international := phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
	if phonenumbers.GetRegionCodeForNumber(n) == regions[0] && d.source.IntN(2) == 0 {
		return d.spellNational(n)
	}
	switch d.source.IntN(12) {
	case 0, 1, 2:
		return international
	case 3, 4:
		return e164
	case 5:
		return graphForm(n)
	case 6:
		return "00" + e164[1:]
	case 7:
		return "00" + international[1:]
	case 8:
		return strings.ReplaceAll(international, " ", "-")
	case 9:
		return strings.ReplaceAll(international, " ", ".")
	case 10:
		return phonenumbers.Format(n, phonenumbers.RFC3966)
	}
	return "'" + strings.ReplaceAll(international, " ", "\u00a0")
}

// spellNational writes a number of the default region without country code.
func (d *demo) spellNational(n *phonenumbers.PhoneNumber) string {
	national := phonenumbers.Format(n, phonenumbers.NATIONAL)
	digits := "0" + phonenumbers.GetNationalSignificantNumber(n)
	switch d.source.IntN(5) {
	case 0:
		return digits
	case 1:
		return strings.Replace(national, " ", "-", 1)
	case 2:
		return strings.Join([]string{digits[:2], digits[2:4], digits[4:6], digits[6:8], digits[8:]}, " ")
	case 3:
		return "(" + digits[:2] + ") " + digits[2:]
	}
	return national
}
