package phone_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/phone"
)

func TestPolicyValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy phone.Policy
		want   []string // parts of the error, none for valid
	}{
		{"zero value", phone.Policy{}, nil},
		{"region", phone.Policy{Region: "NL", Strictness: phone.Possible}, nil},
		{"region in lower case", phone.Policy{Region: "nl"}, nil},
		{"unknown region", phone.Policy{Region: "XX"}, []string{`"XX"`}},
		{"region of no country", phone.Policy{Region: "001"}, []string{`"001"`}},
		{"UK", phone.Policy{Region: "UK"}, []string{"GB"}},
		{"both", phone.Policy{Region: "Netherlands", Strictness: 7}, []string{"Netherlands", "strictness 7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.Validate()
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("Validate = %v, want an error with %q", err, tt.want)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Validate = %v, want %q in it", err, part)
				}
			}
		})
	}
}

func TestStrictnessText(t *testing.T) {
	for _, want := range []phone.Strictness{phone.Valid, phone.Possible} {
		b, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := phone.Strictness(-1)
		if err := got.UnmarshalText(b); err != nil || got != want {
			t.Errorf("%s reads as %v, %v", b, got, err)
		}
	}
	var s phone.Strictness
	if err := s.UnmarshalText([]byte("lax")); err == nil {
		t.Error("an unknown strictness is accepted")
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"same", "+31 612345678", "+31 612345678", true},
		{"spaces", "+31612345678", "+31 6 12 34 56 78", true},
		{"dashes and brackets", "+1 (206) 555-0100", "+1 2065550100", true},
		{"00", "0031612345678", "+31 612345678", true},
		{"invisible", "\u200e+31 612345678", "+31\u00a0612345678", true},
		{"extension", "+1 2065550100x123", "+1 206 555 0100 ext. 123", true},
		{"possible only", "+1 5555551234", "+15555551234", true},
		{"another digit", "+31 612345678", "+31 612345679", false},
		{"another extension", "+1 2065550100x123", "+1 2065550100x124", false},
		{"extension on one side", "+1 2065550100x123", "+1 2065550100", false},
		{"extension is not digits", "+1 2065550100x123", "+1 2065550100123", false},
		{"country code missing", "612345678", "+31 612345678", false},
		{"plus missing", "31612345678", "+31 612345678", false},
		{"Italian zero", "+39 0612345678", "+39 612345678", false},
		{"masked", "+XX XXXXXXX78", "+XX XXXXXXX78", false},
		{"empty", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := phone.Equal(tt.a, tt.b); got != tt.want {
				t.Errorf("Equal(a, b) = %t, want %t", got, tt.want)
			}
			if got := phone.Equal(tt.b, tt.a); got != tt.want {
				t.Errorf("Equal(b, a) = %t, want %t", got, tt.want)
			}
		})
	}
}

// What may be registered already is read, whether the policy would write it or not,
// but not what can't be told from another number.
func TestParseRegistered(t *testing.T) {
	for _, tt := range []struct{ name, raw, want, reason string }{
		{"good", "+31 (0)6 12345678", "+31 612345678", ""},
		{"national", "0612345678", "+31 612345678", ""},
		{"landline", "+31 20 123 4567", "+31 201234567", ""},
		{"premium rate", "+31 900 1234", "+319001234", ""},
		{"no such number", "+66 666666", "+66666666", ""},
		{"00", "0066 666666", "+66666666", ""},
		{"extension", "+66 666666x12", "+66666666x12", ""},
		{"satellite", "+881 6 1234 5678", "+881612345678", ""},
		{"no country", "666666", "", phone.ReasonInvalid},
		{"hidden", "+31 ******78", "", phone.ReasonMasked},
		{"scientific", "3.16E+10", "", phone.ReasonScientific},
		{"letters", "call the desk", "", phone.ReasonInvalid},
		{"empty", "", "", phone.ReasonInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := phone.Policy{Region: "NL"}
			got, err := policy.ParseRegistered(tt.raw)
			if tt.reason != "" {
				var refusal *phone.Refusal
				if !errors.As(err, &refusal) || refusal.Reason != tt.reason {
					t.Errorf("got %q, error %v; want %s", got, err, tt.reason)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("got %q, error %v; want %q", got, err, tt.want)
			}
			again, err := phone.Policy{}.ParseRegistered(got.String())
			if again != got || err != nil {
				t.Errorf("read again it is %q, error %v", again, err)
			}
		})
	}
}

var longDigits = regexp.MustCompile(`\d{4}`)

func TestReasons(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range phone.Reasons() {
		if seen[r.Code] {
			t.Errorf("%s is listed twice", r.Code)
		}
		seen[r.Code] = true
		if r.Meaning == "" || r.Hint == "" || strings.ContainsAny(r.Meaning+r.Hint, "\n|") {
			t.Errorf("%s: meaning and hint must each be one line of text", r.Code)
		}
		if longDigits.MatchString(r.Meaning + r.Hint) {
			t.Errorf("%s: text holds what could be part of a number", r.Code)
		}
	}
	if got, want := len(seen), 10; got != want {
		t.Errorf("%d reasons, want %d", got, want)
	}
}

func TestIsMasked(t *testing.T) {
	for s, want := range map[string]bool{
		"+31 ******78":        true,
		"+1 ********01":       true,
		"+1 XXXXXXXX89":       true,
		"+31 612345678":       false,
		"+1 2065550101x12":    false,
		"+1 (206) 555 01 #12": false,
		"":                    false,
		"call the desk":       false,
	} {
		if got := phone.IsMasked(s); got != want {
			t.Errorf("IsMasked(%q) = %t, want %t", s, got, want)
		}
	}
}
