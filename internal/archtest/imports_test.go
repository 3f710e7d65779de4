// Package archtest holds the import rule of the project as a test.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-mfa/muster"

// allowed says, for every package of ours, which others of ours it may import. A
// package that is not here is a failure: it has no place in the design yet.
var allowed = map[string][]string{
	"messages":    nil,
	"phone":       nil,
	"graphclient": nil,
	"ratelimit":   nil,
	"ledger":      nil,
	"servicebus":  {"messages"},
	"worker":      {"messages", "phone", "graphclient"},
	"bulk":        {"messages", "phone"},
	"doctor":      {"graphclient"},
	"report":      {"graphclient", "ratelimit"},

	"local/broker":                 nil,
	"local/broker/internal/filter": nil,
	"local/broker/internal/queue":  nil,
	"local/broker/internal/store":  nil,
	"local/broker/internal/wire":   nil,
	"local/tenant":                 nil,

	"internal/telemetry": nil,
	"internal/archtest":  nil,
	"examples":           nil,
	"examples/generate":  nil,
	"cmd/muster":         {"*"},
}

// inside lists the packages that a package's own folder may hold, and that it
// may import: they are part of it.
func inside(importer, imported string) bool {
	return strings.HasPrefix(imported, importer+"/internal/") ||
		strings.Contains(importer, "/internal/") && path.Dir(imported) == path.Dir(importer)
}

// owners says which packages alone may import a module, and why.
var owners = []struct {
	module string
	owners []string
	why    string
}{
	{"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus", []string{"servicebus"}, "the client of Service Bus stays behind one package"},
	{"github.com/Azure/azure-sdk-for-go/sdk/azidentity", []string{"cmd/muster"}, "credentials live in cmd"},
	{"software.sslmate.com/src/go-pkcs12", []string{"cmd/muster"}, "credentials live in cmd"},
	{"github.com/youmark/pkcs8", []string{"cmd/muster"}, "credentials live in cmd"},
	{"github.com/nyaruka/phonenumbers", []string{"phone", "examples/generate"}, "a number is judged by one policy"},
	{"go.opentelemetry.io/otel/sdk", []string{"internal/telemetry"}, "the packages know the OpenTelemetry API alone"},
	{"github.com/spf13/", []string{"cmd/muster"}, "flags live in cmd"},
	{"golang.org/x/crypto", []string{"ledger"}, "what is kept encrypted is kept in one place"},
	{"golang.org/x/time", []string{"ratelimit"}, "budgets live in one package"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestOurImports(t *testing.T) {
	for _, p := range packages(t) {
		importer := strings.TrimPrefix(p.ImportPath, module+"/")
		may, known := allowed[importer]
		if !known {
			t.Errorf("%s has no place in the import rule: add it to the design and to this test", importer)
			continue
		}
		for _, imported := range p.Imports {
			name, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(may, name) && !slices.Contains(may, "*") && !inside(importer, name) {
				t.Errorf("%s imports %s, which the import rule does not allow", importer, name)
			}
		}
	}
}

func TestOthersImports(t *testing.T) {
	for _, p := range packages(t) {
		importer := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			for _, o := range owners {
				if strings.HasPrefix(imported, o.module) && !slices.Contains(o.owners, importer) {
					t.Errorf("%s imports %s: %s", importer, imported, o.why)
				}
			}
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	for _, p := range packages(t) {
		switch name := path.Base(p.ImportPath); name {
		case "util", "utils", "common", "types", "models", "helpers", "misc":
			t.Errorf("package %s: the name does not tell what it holds", name)
		}
	}
}
