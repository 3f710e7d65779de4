package filter

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// likeReference decides LIKE by the table of all prefixes of text and pattern.
func likeReference(text, pattern string, escape rune) bool {
	type part struct {
		r    rune
		kind byte
	}
	var parts []part
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			parts, escaped = append(parts, part{r, 'c'}), false
		case r == escape:
			escaped = true
		case r == '%' || r == '_':
			parts = append(parts, part{r, byte(r)})
		default:
			parts = append(parts, part{r, 'c'})
		}
	}
	runes := []rune(text)
	// fits[i] tells whether the parts so far match the first i characters.
	fits := make([]bool, len(runes)+1)
	fits[0] = true
	for _, p := range parts {
		next := make([]bool, len(fits))
		for i := range fits {
			switch {
			case p.kind == '%':
				next[i] = fits[i] || (i > 0 && next[i-1])
			case i > 0:
				next[i] = fits[i-1] && (p.kind == '_' || p.r == runes[i-1])
			}
		}
		fits = next
	}
	return fits[len(runes)]
}

func TestLikeAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func(alphabet string, most int) string {
		letters := []rune(alphabet)
		var s strings.Builder
		for range r.IntN(most + 1) {
			s.WriteRune(letters[r.IntN(len(letters))])
		}
		return s.String()
	}
	matched := 0
	for range 200_000 {
		text, patternText := random("abé%_", 9), random("abé%%_!", 7)
		if strings.HasSuffix(strings.ReplaceAll(patternText, "!!", ""), "!") {
			continue
		}
		p, err := newPattern(patternText, '!')
		if err != nil {
			t.Fatalf("%q: %v", patternText, err)
		}
		want := likeReference(text, patternText, '!')
		if got := p.matches(text); got != want {
			t.Fatalf("%q LIKE %q = %v, want %v", text, patternText, got, want)
		}
		if want {
			matched++
		}
	}
	if matched < 10_000 {
		t.Errorf("only %d of the random texts matched", matched)
	}
}

// TestLikeDoesNotBacktrack: patterns that cost a naive matcher more steps than there
// is time for are answered at once, on the longest text that a message can have.
func TestLikeDoesNotBacktrack(t *testing.T) {
	text := strings.Repeat("a", 64<<10)
	for _, patternText := range []string{
		strings.Repeat("a%", 500) + "b",
		strings.Repeat("%a", 500) + "%b%",
		strings.Repeat("%a_", 340) + "b",
		"%" + strings.Repeat("_", 500) + "b%",
	} {
		p, err := newPattern(patternText, noEscape)
		if err != nil {
			t.Fatal(err)
		}
		if p.matches(text) {
			t.Errorf("%.20q… matches", patternText)
		}
	}
}

func TestPatternFromMessageIsBounded(t *testing.T) {
	if _, err := newPattern(strings.Repeat("%_", maxPattern), noEscape); err == nil {
		t.Error("a pattern of 2,048 characters was taken")
	}
}

func TestLikeOfBrokenText(t *testing.T) {
	for _, patternText := range []string{"%_", "_%", "__", "%\ufffd%", "%"} {
		p, err := newPattern(patternText, noEscape)
		if err != nil {
			t.Fatal(err)
		}
		p.matches("\xff\xe2\x82\xff") // must end, whatever it answers
	}
}
