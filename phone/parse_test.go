package phone_test

import (
	"errors"
	"testing"

	"github.com/muster-mfa/muster/phone"
)

// reasonOf returns the reason of a refusal, and fails the test for any other
// error.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refusal *phone.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("error is %T, want *phone.Refusal", err)
	}
	if refusal.Hint == "" {
		t.Errorf("reason %s has no hint", refusal.Reason)
	}
	return refusal.Reason
}

func TestParse(t *testing.T) {
	nl, de, us, it := phone.Policy{Region: "NL"}, phone.Policy{Region: "DE"}, phone.Policy{Region: "US"}, phone.Policy{Region: "IT"}
	var anywhere phone.Policy
	for _, tt := range []struct {
		name   string
		policy phone.Policy
		raw    string
		want   phone.Number
	}{
		{"Graph form", anywhere, "+31 612345678", "+31 612345678"},
		{"E.164", anywhere, "+31612345678", "+31 612345678"},
		{"brackets and dashes", anywhere, "+1 (206) 555-0100", "+1 2065550100"},
		{"dots", us, "206.555.0100", "+1 2065550100"},
		{"slash behind the area code", de, "0170/1234567", "+49 1701234567"},
		{"bracketed country code", anywhere, "(+31) 6 12345678", "+31 612345678"},
		{"trunk zero in brackets", anywhere, "+31 (0)6 12345678", "+31 612345678"},
		{"trunk zero behind the country code", anywhere, "+310612345678", "+31 612345678"},
		{"national", nl, "06-12345678", "+31 612345678"},
		{"national that lost its zero", nl, "612345678", "+31 612345678"},
		{"international that lost its plus", nl, "31612345678", "+31 612345678"},
		{"lost plus and trunk zero", nl, "310612345678", "+31 612345678"},
		{"region in lower case", phone.Policy{Region: "nl"}, "0612345678", "+31 612345678"},
		{"00 from the region", nl, "0031612345678", "+31 612345678"},
		{"00 without region", anywhere, "0031 6 12345678", "+31 612345678"},
		{"00 where 011 is dialled", us, "0031612345678", "+31 612345678"},
		{"011", us, "011 31 6 12345678", "+31 612345678"},
		{"plus and 00", anywhere, "+0031612345678", "+31 612345678"},
		{"floating-point tail", nl, "31612345678.0", "+31 612345678"},
		{"floating-point tail with comma", nl, "31612345678,00", "+31 612345678"},
		{"formula", anywhere, `="+31612345678"`, "+31 612345678"},
		{"bare formula", anywhere, "=+31612345678", "+31 612345678"},
		{"leading apostrophe", anywhere, "'+31612345678", "+31 612345678"},
		{"curly apostrophe", anywhere, "\u2019+31612345678", "+31 612345678"},
		{"non-breaking spaces", anywhere, "\u00a0+31\u00a06\u202f12345678\u00a0", "+31 612345678"},
		{"zero-width and direction marks", anywhere, "\u202d+31\u200b612345678\u202c\ufeff", "+31 612345678"},
		{"right-to-left mark", anywhere, "\u200f+31612345678", "+31 612345678"},
		{"full-width", anywhere, "＋３１　６１２３４５６７８", "+31 612345678"},
		{"Arabic digits", anywhere, "+٣١٦١٢٣٤٥٦٧٨", "+31 612345678"},
		{"Persian digits", nl, "۰۶۱۲۳۴۵۶۷۸", "+31 612345678"},
		{"Devanagari digits", anywhere, "+९१ ८१२३४५६७८९", "+91 8123456789"},
		{"non-breaking hyphens", anywhere, "+31\u20116\u201112345678", "+31 612345678"},
		{"minus sign as dash", us, "206\u2212555\u22120100", "+1 2065550100"},
		{"tel URI", anywhere, "tel:+31-6-12345678", "+31 612345678"},
		{"tel URI in capitals", anywhere, "TEL:+31612345678", "+31 612345678"},
		{"tel URI with context", anywhere, "tel:612345678;phone-context=+31", "+31 612345678"},
		{"tel URI with domain context", nl, "tel:0612345678;phone-context=contoso.example", "+31 612345678"},
		{"Italian mobile that begins like the country code", it, "3912345678", "+39 3912345678"},
		{"Indian mobile that begins like the country code", phone.Policy{Region: "IN"}, "9123456789", "+91 9123456789"},
		{"Indian mobile that lost its plus", phone.Policy{Region: "IN"}, "919123456789", "+91 9123456789"},
		{"Brazilian area code like the country code", phone.Policy{Region: "BR"}, "55991234567", "+55 55991234567"},
		{"Austrian mobile that lost its plus", phone.Policy{Region: "AT"}, "4366012345678", "+43 66012345678"},
		{"Jersey from GB", phone.Policy{Region: "GB"}, "07797 712345", "+44 7797712345"},
		{"fixed or mobile", anywhere, "+1 206 555 5555", "+1 2065555555"},
		{"German mobile with its zero", de, "0170 1234567", "+49 1701234567"},
		{"German mobile with its plus", de, "+49 170 1234567", "+49 1701234567"},
		{"German mobile with 00", de, "0049 170 1234567", "+49 1701234567"},
		{"foreign from elsewhere", de, "+31 6 12345678", "+31 612345678"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.policy.Parse(tt.raw, phone.Mobile)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got != tt.want {
				t.Errorf("Parse = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	nl, de := phone.Policy{Region: "NL"}, phone.Policy{Region: "DE"}
	var anywhere phone.Policy
	for _, tt := range []struct {
		name   string
		policy phone.Policy
		raw    string
		want   string
	}{
		{"empty", anywhere, "", phone.ReasonInvalid},
		{"blank", anywhere, " \u00a0\u200b", phone.ReasonInvalid},
		{"plus alone", anywhere, "+", phone.ReasonInvalid},
		{"punctuation alone", anywhere, "(-)", phone.ReasonInvalid},
		{"too short", anywhere, "+31 612", phone.ReasonInvalid},
		{"too long", anywhere, "+31 61234567890123", phone.ReasonInvalid},
		{"far too long", nl, "123456123456123456123456", phone.ReasonInvalid},
		{"over-long text", nl, string(make([]byte, 1000)), phone.ReasonInvalid},
		{"not UTF-8", anywhere, "+31 612345678\xff", phone.ReasonInvalid},
		{"no such country code", anywhere, "+999 612345678", phone.ReasonInvalid},
		{"no such national number", anywhere, "+31 112345678", phone.ReasonInvalid},
		{"junk that peers write", anywhere, "+66 666666", phone.ReasonInvalid},
		{"Microsoft's own example is not in the plan", anywhere, "+1 5555551234", phone.ReasonInvalid},
		{"fictional and not in the plan", anywhere, "+44 7700 900123", phone.ReasonInvalid},
		{"vanity", phone.Policy{Region: "US"}, "1-206-FLOWERS", phone.ReasonInvalid},
		{"words", nl, "none", phone.ReasonInvalid},
		{"word with two x", nl, "Xerxes", phone.ReasonInvalid},
		{"underscore", nl, "06_12345678", phone.ReasonInvalid},
		{"superscript is no digit", anywhere, "+31 61234567\u00b2", phone.ReasonInvalid},
		{"plus inside", nl, "06+12345678", phone.ReasonInvalid},
		{"plus with trunk zero", nl, "+0612345678", phone.ReasonInvalid},
		{"emergency number", nl, "112", phone.ReasonInvalid},
		{"no country", anywhere, "0612345678", phone.ReasonMissingCountry},
		{"no country, lost plus", anywhere, "31612345678", phone.ReasonMissingCountry},
		{"another country's that lost its plus", nl, "491701234567", phone.ReasonMissingCountry},
		{"scientific", nl, "3.16123E+10", phone.ReasonScientific},
		{"scientific with comma", nl, "4,41E+11", phone.ReasonScientific},
		{"scientific without fraction", nl, "4E+11", phone.ReasonScientific},
		{"scientific in lower case", nl, "3.1612e10", phone.ReasonScientific},
		{"scientific with direction mark", nl, "\u200e3.16123E+10", phone.ReasonScientific},
		{"lost plus in an open plan", de, "491701234567", phone.ReasonAmbiguous},
		{"lost plus with spaces", de, "49 170 1234567", phone.ReasonAmbiguous},
		{"lost plus with float tail", de, "491701234567.0", phone.ReasonAmbiguous},
		{"fixed line", anywhere, "+31 20 123 4567", phone.ReasonNotMobile},
		{"internet telephony", anywhere, "+31 85 123 4567", phone.ReasonNotMobile},
		{"premium rate", anywhere, "+31 900 1234567", phone.ReasonPremiumRate},
		{"premium rate, NANP", anywhere, "+1 900 234 5678", phone.ReasonPremiumRate},
		{"shared cost", anywhere, "+44 8433 456789", phone.ReasonPremiumRate},
		{"toll-free", anywhere, "+1 800 234 5678", phone.ReasonPremiumRate},
		{"personal", anywhere, "+44 70 2412 3456", phone.ReasonPremiumRate},
		{"universal access", anywhere, "+44 55 1234 5678", phone.ReasonPremiumRate},
		{"pager", anywhere, "+44 76 4012 3456", phone.ReasonPremiumRate},
		{"voicemail", anywhere, "+49 177 99 12345678", phone.ReasonPremiumRate},
		{"+800", anywhere, "+800 1234 5678", phone.ReasonNoCountry},
		{"+808", anywhere, "+808 1234 5678", phone.ReasonNoCountry},
		{"+870 Inmarsat", anywhere, "+870 301 234 567", phone.ReasonNoCountry},
		{"+878", anywhere, "+878 10 1234567890", phone.ReasonNoCountry},
		{"+881", anywhere, "+881 6 1234 5678", phone.ReasonNoCountry},
		{"+882", anywhere, "+882 13300655", phone.ReasonNoCountry},
		{"+883", anywhere, "+883 510012345", phone.ReasonNoCountry},
		{"+979", anywhere, "+979 1 2345 6789", phone.ReasonNoCountry},
		{"+882 of no plan", anywhere, "+882 9999999", phone.ReasonNoCountry},
		{"extension on a mobile", anywhere, "+1 2065550100x123", phone.ReasonExtension},
		{"over-long extension", anywhere, "+1 2065550100x12345678", phone.ReasonExtension},
		{"two pluses", anywhere, "+31612345678 +31687654321", phone.ReasonSeveral},
		{"slash", nl, "0612345678/0687654321", phone.ReasonSeveral},
		{"slash and groups", nl, "06 12 34 56 78 / 06 87 65 43 21", phone.ReasonSeveral},
		{"semicolon", nl, "06 12345678; 06 87654321", phone.ReasonSeveral},
		{"line break", nl, "06 12 34 56 78\n06 87 65 43 21", phone.ReasonSeveral},
		{"word between", nl, "06 12 34 56 78 or 06 87 65 43 21", phone.ReasonSeveral},
		{"space between", nl, "0612345678 0687654321", phone.ReasonSeveral},
		{"second with extension", nl, "0612345678 / 0201234567 x12", phone.ReasonSeveral},
		{"masked as Entra masks", anywhere, "+XX XXXXXXX34", phone.ReasonMasked},
		{"masked with asterisks", anywhere, "+31 ******678", phone.ReasonMasked},
		{"masked with bullets", anywhere, "+31 •••••678", phone.ReasonMasked},
		{"masked with hashes", anywhere, "+31 6####5678", phone.ReasonMasked},
		{"last digits open", phone.Policy{Region: "US"}, "206 555 01xx", phone.ReasonMasked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.policy.Parse(tt.raw, phone.Mobile)
			if reason := reasonOf(t, err); reason != tt.want {
				t.Errorf("Parse = %q, reason %q, want reason %q", got, reason, tt.want)
			}
		})
	}
}

func TestParseForUse(t *testing.T) {
	const mobile, fixed, voip = "+31 612345678", "+31 201234567", "+31 851234567"
	const freephone, premium, nanp = "+1 8002345678", "+31 9001234567", "+1 2065550100"
	for _, tt := range []struct {
		name                      string
		raw                       string
		mobile, alternate, office string // reason, "" for accepted
	}{
		{"mobile", mobile, "", "", ""},
		{"fixed line", fixed, phone.ReasonNotMobile, "", ""},
		{"internet telephony", voip, phone.ReasonNotMobile, "", ""},
		{"North American", nanp, "", "", ""},
		{"toll-free", freephone, phone.ReasonPremiumRate, phone.ReasonPremiumRate, ""},
		{"premium rate", premium, phone.ReasonPremiumRate, phone.ReasonPremiumRate, phone.ReasonPremiumRate},
		{"extension", nanp + "x123", phone.ReasonExtension, phone.ReasonExtension, ""},
		{"fixed line with extension", fixed + "x1", phone.ReasonNotMobile, phone.ReasonExtension, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for use, want := range map[phone.Use]string{
				phone.Mobile: tt.mobile, phone.AlternateMobile: tt.alternate, phone.Office: tt.office,
			} {
				_, err := phone.Policy{}.Parse(tt.raw, use)
				if got := reasonOf(t, err); got != want {
					t.Errorf("as %s: reason %q, want %q", use, got, want)
				}
			}
		})
	}
	if _, err := (phone.Policy{}).Parse(mobile, "fax"); reasonOf(t, err) != phone.ReasonInvalid {
		t.Error("an unknown use is accepted")
	}
}

// The zero of an Italian fixed line belongs to the number.
func TestParseItalianLeadingZero(t *testing.T) {
	for _, raw := range []string{"+39 06 12345678", "06 12345678", "+390612345678", "390612345678"} {
		got, err := phone.Policy{Region: "IT"}.Parse(raw, phone.Office)
		if want := phone.Number("+39 0612345678"); err != nil || got != want {
			t.Errorf("Parse(%s) = %s, %v, want %s", raw, got, err, want)
		}
	}
}

func TestParseExtension(t *testing.T) {
	const want = "+1 2065550100x123"
	for _, raw := range []string{
		"+1 2065550100x123", "+1 206 555 0100 x 123", "+1 206 555 0100 X123", "+1 206-555-0100 ext. 123",
		"+1 206-555-0100, ext 123", "+1 206-555-0100 Extension: 123", "+1 206-555-0100 #123",
		"tel:+1-206-555-0100;ext=123", "+1 (206) 555-0100 extn 123", "\u200e+１ 206 555 0100 ｘ123",
	} {
		t.Run(raw, func(t *testing.T) {
			got, err := phone.Policy{}.Parse(raw, phone.Office)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got != want {
				t.Errorf("Parse = %s, want %s", got, want)
			}
		})
	}
}

// The ambiguous case must be caught for every use: as office phone, too, the
// wrong reading would be accepted.
func TestParseAmbiguousForEveryUse(t *testing.T) {
	for _, use := range []phone.Use{phone.Mobile, phone.AlternateMobile, phone.Office} {
		_, err := phone.Policy{Region: "DE"}.Parse("491701234567", use)
		if got, want := reasonOf(t, err), phone.ReasonAmbiguous; got != want {
			t.Errorf("as %s: reason %q, want %q", use, got, want)
		}
	}
}

func TestParsePossible(t *testing.T) {
	possible := phone.Policy{Region: "NL", Strictness: phone.Possible}
	for _, tt := range []struct {
		name, raw, want, reason string
	}{
		{"Microsoft's example", "+1 5555551234", "+1 5555551234", ""},
		{"British fictional", "+44 7700 900123", "+44 7700900123", ""},
		{"French fictional", "+33 6 39 98 12 34", "+33 639981234", ""},
		{"lost plus", "31612345678", "+31 612345678", ""},
		{"too short", "+44 77", "", phone.ReasonInvalid},
		{"local only", "+1 5551234", "", phone.ReasonInvalid},
		{"premium rate all the same", "+31 900 1234567", "", phone.ReasonPremiumRate},
		{"of no country all the same", "+800 12345678", "", phone.ReasonNoCountry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := possible.Parse(tt.raw, phone.Mobile)
			if reason := reasonOf(t, err); reason != tt.reason || string(got) != tt.want {
				t.Errorf("Parse = %q, reason %q, want %q, %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}

func TestParseHintsTellShortFromLong(t *testing.T) {
	_, short := phone.Policy{}.Parse("+31 612", phone.Mobile)
	_, long := phone.Policy{}.Parse("+31 6123456789", phone.Mobile)
	if short == nil || long == nil || short.Error() == long.Error() {
		t.Errorf("too short: %v; too long: %v; want two hints", short, long)
	}
}
