package bulk_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/bulk"
)

// TestDocsListReasons keeps the page that rejects files send people to complete
// and true.
func TestDocsListReasons(t *testing.T) {
	page, err := os.ReadFile("../docs/loading.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, r := range bulk.Reasons() {
		if seen[r.Code] {
			t.Errorf("%s is listed twice", r.Code)
		}
		seen[r.Code] = true
		row := fmt.Sprintf("| `%s` | %s | %s |\n", r.Code, r.Meaning, r.Hint)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/loading.md lacks the row\n%s", row)
		}
	}
	_, table, _ := strings.Cut(string(page), "## Reasons")
	if got, want := strings.Count(table, "\n| `"), len(seen); got != want {
		t.Errorf("docs/loading.md lists %d reasons, want %d", got, want)
	}
}

// TestDocsExample loads the example of the page.
func TestDocsExample(t *testing.T) {
	page, err := os.ReadFile("../docs/loading.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```csv\n")
	example, _, _ := strings.Cut(rest, "```")
	_, got, rejects := load(t, example, "r1")
	if got.Accepted != 3 || got.Rejected != 0 {
		t.Errorf("%d accepted, %d rejected, want 3 and none:\n%s", got.Accepted, got.Rejected, rejects)
	}
}
