package phone_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/muster-mfa/muster/phone"
)

// TestParseIsIdempotent draws digits around real country codes, where stripping
// prefixes twice would show, and parses what Parse accepts once more.
func TestParseIsIdempotent(t *testing.T) {
	const draws, seed = 20_000, 7
	random := rand.New(rand.NewPCG(seed, seed))
	var codes []int
	for code := range 1000 {
		if phonenumbers.GetRegionCodeForCountryCode(code) != "ZZ" {
			codes = append(codes, code)
		}
	}
	accepted := 0
	for range draws {
		raw := "+" + strconv.Itoa(codes[random.IntN(len(codes))])
		for range 5 + random.IntN(9) {
			raw += strconv.Itoa(random.IntN(10))
		}
		p := phone.Policy{Strictness: phone.Strictness(random.IntN(2))}
		got, err := p.Parse(raw, phone.Office)
		if err != nil {
			continue
		}
		accepted++
		p.Region = "DE"
		if again, err := p.Parse(got.String(), phone.Office); err != nil || again != got {
			t.Errorf("Parse(%s) = %s, which reads as %s, %v", raw, got, again, err)
		}
	}
	if accepted < draws/20 {
		t.Errorf("%d of %d draws were accepted: too few to say anything", accepted, draws)
	}
}
