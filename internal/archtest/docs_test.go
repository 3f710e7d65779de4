package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Every test that the README names as a proof must exist in the package that it
// names, and every promise but those said to be open must have one.
func TestPromisesHaveTheirTests(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "README.md"), "## What it promises")
	if !ok {
		t.Fatal("the README has no promises")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|(.*)\|(.*)\|$`).FindAllStringSubmatch(table, -1)
	if len(rows) != 10 {
		t.Fatalf("the README has %d promises, the design 10", len(rows))
	}
	for _, row := range rows {
		if proofs(row[3]) == nil && !strings.Contains(row[2], "not yet") {
			t.Errorf("promise %s names no test and does not say that it is open", row[1])
		}
		wantProofs(t, "promise "+row[1], row[3])
	}
}

// Every id of the list that Muster was planned from has a row with the test that
// proves it, or says why there is none.
func TestCoverageIsComplete(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| ([CRGEW]\d+) \|(.*)\|(.*)\|(.*)\|$`).FindAllStringSubmatch(read(t, "docs/coverage.md"), -1)
	seen := make(map[string]bool)
	for _, row := range rows {
		id, with, proof := row[1], strings.TrimSpace(row[3]), strings.TrimSpace(row[4])
		if seen[id] {
			t.Errorf("%s has two rows", id)
		}
		seen[id] = true
		if proofs(proof) == nil && !strings.HasPrefix(with, "not here:") {
			t.Errorf("%s names no test and does not say why", id)
		}
		wantProofs(t, id, proof)
	}
	for kind, last := range map[string]int{"C": 26, "R": 19, "G": 7, "E": 7, "W": 13} {
		for i := range last {
			if id := kind + strconv.Itoa(i+1); !seen[id] {
				t.Errorf("%s has no row", id)
			}
		}
	}
}

// proofs finds the tests that a text names, and the package of each:
// `TestSomething` in some/package.
func proofs(text string) [][]string {
	return regexp.MustCompile("`((?:Test|Fuzz)\\w+)`(?: in ([\\w/]+))?").FindAllStringSubmatch(text, -1)
}

// wantProofs checks that each test exists in the package that is named with it.
func wantProofs(t *testing.T, claim, text string) {
	t.Helper()
	for _, proof := range proofs(text) {
		files, err := filepath.Glob(filepath.Join(root, proof[2], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(name string) bool {
			return strings.Contains(read(t, strings.TrimPrefix(name, root)), "func "+proof[1]+"(")
		}) {
			t.Errorf("%s: %q has no %s", claim, proof[2], proof[1])
		}
	}
}

// Every reason and warning code of the packages must be explained.
func TestReasonsAreExplained(t *testing.T) {
	explained := read(t, "docs/reasons.md") + read(t, "docs/loading.md")
	count := 0
	for _, dir := range []string{"messages", "phone", "bulk", "worker"} {
		for _, code := range codes(t, dir) {
			count++
			if !strings.Contains(explained, "`"+code+"`") {
				t.Errorf("%s: reason %s is not explained in docs/reasons.md or docs/loading.md", dir, code)
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d codes were found: the search does not work any more", count)
	}
}

// A table without its rule, as after a blank line in its middle, is shown as text.
func TestTablesAreWhole(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`^\|( *:?-+:? *\|)+$`)
	tables := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		lines := strings.Split(read(t, strings.TrimPrefix(page, root)), "\n")
		fenced := false
		for i, line := range lines {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			if fenced || !strings.HasPrefix(line, "|") || i > 0 && strings.HasPrefix(lines[i-1], "|") {
				continue
			}
			if tables++; !rule.MatchString(lines[i+1]) {
				t.Errorf("%s:%d begins a table that has no rule below its first row", filepath.Base(page), i+1)
			}
		}
	}
	if tables < 20 {
		t.Errorf("only %d tables were found: the search does not work any more", tables)
	}
}

// codes are the values of the constants named Reason… and Warning….
func codes(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name := spec.Names[0].Name
			value, ok := spec.Values[0].(*ast.BasicLit)
			if ok && (strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Warning")) {
				if code, err := strconv.Unquote(value.Value); err == nil {
					found = append(found, code)
				}
			}
			return true
		})
	}
	return found
}

// Links between the documents must lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "out" || d.Name() == "bin" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(content), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
