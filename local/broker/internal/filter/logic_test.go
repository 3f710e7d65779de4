package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// conditions of each truth.
var written = map[truth]string{no: "1=2", unknown: "missing=1", yes: "1=1"}

func truthOfExpression(t *testing.T, expression string, m *Message) truth {
	t.Helper()
	f, err := ParseSQL(expression, nil)
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	got, err := f.(sql).condition.test(m)
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	return got
}

func TestTruthTables(t *testing.T) {
	const F, U, T = no, unknown, yes
	for _, row := range []struct{ a, b, and, or truth }{
		{T, T, T, T}, {T, F, F, T}, {T, U, U, T},
		{F, T, F, T}, {F, F, F, F}, {F, U, F, U},
		{U, T, U, T}, {U, F, F, U}, {U, U, U, U},
	} {
		if got := truthOfExpression(t, written[row.a]+" AND "+written[row.b], &Message{}); got != row.and {
			t.Errorf("%d AND %d = %d, want %d", row.a, row.b, got, row.and)
		}
		if got := truthOfExpression(t, written[row.a]+" OR "+written[row.b], &Message{}); got != row.or {
			t.Errorf("%d OR %d = %d, want %d", row.a, row.b, got, row.or)
		}
	}
	for _, row := range []struct{ a, not truth }{{T, F}, {F, T}, {U, U}} {
		if got := truthOfExpression(t, "NOT "+written[row.a], &Message{}); got != row.not {
			t.Errorf("NOT %d = %d, want %d", row.a, got, row.not)
		}
	}
}

// tree is a random expression, to be written in two ways.
type tree struct {
	operator    string
	left, right *tree
	leaf        string
}

// binding is how tightly operators bind.
var binding = map[string]int{"OR": 1, "AND": 2, "NOT": 3, "=": 4, "<>": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
	"+": 5, "-": 5, "*": 6, "sign": 7, "": 8}

func randomCondition(r *rand.Rand, depth int) *tree {
	switch n := r.IntN(6); {
	case depth > 0 && n < 2:
		return &tree{operator: []string{"AND", "OR"}[n], left: randomCondition(r, depth-1), right: randomCondition(r, depth-1)}
	case depth > 0 && n == 2:
		return &tree{operator: "NOT", right: randomCondition(r, depth-1)}
	}
	operators := []string{"=", "<>", "<", "<=", ">", ">="}
	return &tree{operator: operators[r.IntN(len(operators))], left: randomNumber(r, 2), right: randomNumber(r, 2)}
}

func randomNumber(r *rand.Rand, depth int) *tree {
	switch n := r.IntN(8); {
	case depth > 0 && n < 3:
		return &tree{operator: []string{"+", "-", "*"}[n], left: randomNumber(r, depth-1), right: randomNumber(r, depth-1)}
	case depth > 0 && n == 3:
		return &tree{operator: "sign", right: randomNumber(r, depth-1)}
	}
	leaves := []string{"a", "b", "missing", "1", "2", "1.5"}
	return &tree{leaf: leaves[r.IntN(len(leaves))]}
}

// write writes the tree with all parentheses, or with those only that it needs.
func (x *tree) write(all bool) string {
	if x.leaf != "" {
		return x.leaf
	}
	operator := x.operator
	if operator == "sign" {
		operator = "-"
	}
	right := x.right.part(all, binding[x.operator], true)
	if x.left == nil {
		return operator + " " + right
	}
	return x.left.part(all, binding[x.operator], false) + " " + operator + " " + right
}

func (x *tree) part(all bool, outer int, isRight bool) string {
	inner := binding[x.operator]
	// Operators of one level bind to the left; prefixes need nothing on their right.
	if all || inner < outer || (inner == outer && isRight && x.left != nil) {
		return "(" + x.write(all) + ")"
	}
	return x.write(all)
}

func TestPrecedenceByPrintingWithFewAndWithAllParentheses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m := numbers(r)
	seen := make(map[truth]int)
	for range 5000 {
		x := randomCondition(r, 3)
		few, all := x.write(false), x.write(true)
		if len(all) > maxExpression {
			continue
		}
		got, want := truthOfExpression(t, few, m), truthOfExpression(t, all, m)
		if got != want {
			t.Fatalf("%s\nis %d, but\n%s\nis %d", few, got, all, want)
		}
		seen[want]++
	}
	for _, x := range []truth{no, unknown, yes} {
		if seen[x] < 100 {
			t.Errorf("only %d conditions of truth %d", seen[x], x)
		}
	}
}

func numbers(r *rand.Rand) *Message {
	return &Message{Application: NewProperties(wire.Map{{Key: "a", Value: int32(r.IntN(3))}, {Key: "b", Value: r.Float64() * 3}})}
}

// TestIdentitiesOfThreeValuedLogic checks laws that hold for conditions of any truth.
func TestIdentitiesOfThreeValuedLogic(t *testing.T) {
	laws := []struct{ left, right string }{
		{"NOT NOT $p", "$p"},
		{"NOT ($p AND $q)", "NOT $p OR NOT $q"},
		{"NOT ($p OR $q)", "NOT $p AND NOT $q"},
		{"$p AND $q", "$q AND $p"},
		{"$p OR $q", "$q OR $p"},
		{"$p AND ($q OR $r)", "$p AND $q OR $p AND $r"},
		{"$p OR $q AND $r", "($p OR $q) AND ($p OR $r)"},
		{"$p AND ($q AND $r)", "$p AND $q AND $r"},
		{"$p OR $p AND $q", "$p"},
		{"a IN (b, missing, 1)", "a = b OR a = missing OR a = 1"},
		{"a NOT IN (b, missing, 1)", "a <> b AND a <> missing AND a <> 1"},
		{"a < b", "b > a"},
		{"a <= b", "NOT a > b"},
		{"missing IS NULL", "NOT EXISTS(missing)"},
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m := numbers(r)
		fill := strings.NewReplacer("$p", part(r), "$q", part(r), "$r", part(r))
		for _, law := range laws {
			left, right := fill.Replace(law.left), fill.Replace(law.right)
			if a, b := truthOfExpression(t, left, m), truthOfExpression(t, right, m); a != b {
				t.Fatalf("%s\nis %d, but\n%s\nis %d", left, a, right, b)
			}
		}
	}
}

func part(r *rand.Rand) string { return fmt.Sprintf("(%s)", randomCondition(r, 1).write(false)) }
