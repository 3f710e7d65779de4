package phone_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/phone"
)

var graphForm = regexp.MustCompile(`^\+[1-9]\d{0,2} \d{2,17}(x\d{1,7})?$`)

// FuzzParse checks what Parse promises for every text: the output is in
// Graph's form and reads as itself under every policy that is as lenient, and a
// refusal has a listed reason and repeats nothing of the text.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		"+31 612345678", "0612345678", "491701234567", "3.16123E+10", "31612345678.0", `="+31612345678"`,
		"+1 2065550100x123", "tel:+1-206-555-0100;ext=123", "tel:612345678;phone-context=+31",
		"+XX XXXXXXX34", "+39 0612345678", "+0031612345678", "06 12345678 / 06 87654321", "+٣١٦١٢٣٤٥٦٧٨",
		"+54 9 11 1234 5678", "+52 1 222 123 4567", "8 912 345 67 89", "\u202a+31 612345678\u202c", "1-800-FLOWERS",
		"+4401234567890", "+7 8 912 345 67 89", "+36 06 20 123 4567", "",
	} {
		for i := range uint8(4) {
			f.Add(raw, i)
		}
	}
	policies := []phone.Policy{{}, {Region: "DE"}, {Region: "US", Strictness: phone.Possible}, {Region: "IT", Strictness: phone.Possible}}
	uses := []phone.Use{phone.Mobile, phone.AlternateMobile, phone.Office}
	f.Fuzz(func(t *testing.T, raw string, pick uint8) {
		p, use := policies[int(pick)%len(policies)], uses[int(pick)/len(policies)%len(uses)]
		got, err := p.Parse(raw, use)
		if err != nil {
			checkRefusal(t, raw, err)
			return
		}
		if !graphForm.MatchString(got.String()) {
			t.Fatalf("Parse(%q) = %q, not in Graph's form", raw, got)
		}
		for _, other := range policies {
			other.Strictness = p.Strictness
			again, err := other.Parse(got.String(), use)
			if err != nil || again != got {
				t.Fatalf("Parse(%q) = %q, which reads as %q, %v", raw, got, again, err)
			}
		}
		if !phone.Equal(got.String(), strings.ReplaceAll(got.String(), " ", "")) {
			t.Fatalf("%q does not equal itself without space", got)
		}
	})
}

func checkRefusal(t *testing.T, raw string, err error) {
	t.Helper()
	var refusal *phone.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("Parse(%q): error is %T", raw, err)
	}
	if !slices.ContainsFunc(phone.Reasons(), func(r phone.Reason) bool { return r.Code == refusal.Reason }) {
		t.Fatalf("Parse(%q): reason %q is not listed", raw, refusal.Reason)
	}
	for _, digits := range longDigits.FindAllString(raw, -1) {
		if strings.Contains(err.Error(), digits) {
			t.Fatalf("Parse(%q): %v repeats digits", raw, err)
		}
	}
}
