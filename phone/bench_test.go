package phone_test

import (
	"testing"

	"github.com/muster-mfa/muster/phone"
)

func BenchmarkParse(b *testing.B) {
	for _, bb := range []struct {
		name string
		raw  string
	}{
		{"GraphForm", "+31 612345678"},
		{"National", "06 12345678"},
		{"LostPlus", "31612345678"},
		{"Folded", "\u202a+31\u00a0612345678\u202c"},
		{"Refused", "+31 6123"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := phone.Policy{Region: "NL"}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Parse(bb.raw, phone.Mobile)
			}
		})
	}
}

func BenchmarkEqual(b *testing.B) {
	for b.Loop() {
		phone.Equal("+31 612345678", "+31612345678")
	}
}
