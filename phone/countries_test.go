package phone_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/muster-mfa/muster/phone"
)

// lostPlusAmbiguous lists the regions whose example mobile, its plus lost, is
// also a number of the region as it stands.
var lostPlusAmbiguous = map[string]bool{"DE": true, "ID": true, "XK": true}

// written holds national forms that the library's own formatter gets wrong.
var written = map[string]string{"AR": "011 15-2345-6789"}

// TestParseEveryRegion takes each region's example mobile in the ways in which
// people write it. Expectations come from the number's digits, not from the
// library that Parse reads with.
func TestParseEveryRegion(t *testing.T) {
	regions := 0
	for region := range phonenumbers.GetSupportedRegions() {
		example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if example == nil {
			continue
		}
		kind := phonenumbers.GetNumberType(example)
		if kind != phonenumbers.MOBILE && kind != phonenumbers.FIXED_LINE_OR_MOBILE {
			continue
		}
		regions++
		t.Run(region, func(t *testing.T) {
			code := strconv.Itoa(int(example.GetCountryCode()))
			national := phonenumbers.GetNationalSignificantNumber(example)
			want := "+" + code + " " + national
			p := phone.Policy{Region: region}
			for name, raw := range map[string]string{
				"E.164":         "+" + code + national,
				"international": phonenumbers.Format(example, phonenumbers.INTERNATIONAL),
				"national":      cmp.Or(written[region], phonenumbers.Format(example, phonenumbers.NATIONAL)),
				"URI":           phonenumbers.Format(example, phonenumbers.RFC3966),
				"00":            "00" + code + national,
				"spreadsheet":   "=\"+" + code + national + "\"",
			} {
				got, err := p.Parse(raw, phone.Mobile)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if got.String() != want {
					t.Errorf("%s: Parse = %s, want %s", name, got, want)
				}
			}
			got, err := p.Parse(code+national, phone.Mobile)
			if reason := reasonOf(t, err); reason == phone.ReasonAmbiguous {
				if !lostPlusAmbiguous[region] {
					t.Errorf("lost plus: reason %s, want %s", reason, want)
				}
			} else if got.String() != want {
				t.Errorf("lost plus: Parse = %s, %v, want %s", got, err, want)
			}
		})
	}
	if regions < 200 {
		t.Errorf("%d regions tried, want at least 200", regions)
	}
}

// TestParseKinds takes every region's example of every kind of line as every
// use and checks the verdict against the rule in words.
func TestParseKinds(t *testing.T) {
	refused := map[phonenumbers.PhoneNumberType]string{
		phonenumbers.PREMIUM_RATE:    "mobile alternateMobile office",
		phonenumbers.SHARED_COST:     "mobile alternateMobile office",
		phonenumbers.UAN:             "mobile alternateMobile office",
		phonenumbers.PAGER:           "mobile alternateMobile office",
		phonenumbers.VOICEMAIL:       "mobile alternateMobile office",
		phonenumbers.PERSONAL_NUMBER: "mobile alternateMobile office",
		phonenumbers.TOLL_FREE:       "mobile alternateMobile",
		phonenumbers.FIXED_LINE:      "mobile",
		phonenumbers.VOIP:            "mobile",
	}
	tried := make(map[phonenumbers.PhoneNumberType]int)
	for region := range phonenumbers.GetSupportedRegions() {
		for kind, uses := range refused {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil || phonenumbers.GetNumberType(example) != kind {
				continue
			}
			tried[kind]++
			raw := phonenumbers.Format(example, phonenumbers.INTERNATIONAL)
			for _, use := range []phone.Use{phone.Mobile, phone.AlternateMobile, phone.Office} {
				_, err := phone.Policy{Region: region}.Parse(raw, use)
				if got, want := err != nil, strings.Contains(" "+uses+" ", " "+string(use)+" "); got != want {
					t.Errorf("%s, kind %d as %s: refused is %t, want %t", region, kind, use, got, want)
				}
			}
		}
	}
	for kind := range refused {
		if tried[kind] < 5 {
			t.Errorf("kind %d was tried in %d regions, want at least 5", kind, tried[kind])
		}
	}
}

func TestParseNumbersOfNoCountry(t *testing.T) {
	for code := range phonenumbers.GetSupportedGlobalNetworkCallingCodes() {
		example := phonenumbers.GetExampleNumberForNonGeoEntity(code)
		raw := phonenumbers.Format(example, phonenumbers.E164)
		_, err := phone.Policy{Region: "NL"}.Parse(raw, phone.Office)
		if got, want := reasonOf(t, err), phone.ReasonNoCountry; got != want {
			t.Errorf("+%d: reason %q, want %q", code, got, want)
		}
	}
}
