package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/doctor"
	"github.com/muster-mfa/muster/worker"
)

// leastOfCapabilities are the permissions of every capability.
func leastOfCapabilities() map[string][]string {
	least := map[string][]string{}
	for _, c := range worker.Capabilities() {
		least[c.Name] = c.Permissions
	}
	for _, n := range doctor.FurtherNeeds() {
		least[n.Capability] = n.Missing(nil)
	}
	return least
}

// An application with the permissions of a capability and no others lacks nothing
// for it: what the doctor asks for, what it reads and what the tenant lets through
// agree.
func TestTheLeastPermissionsAreEnough(t *testing.T) {
	t.Parallel()
	o := startOnline(t, 1, nil)
	grant := func(t *testing.T, permissions []string) {
		a := app()
		a.Roles = permissions
		if err := o.SetApplication(a); err != nil {
			t.Fatal(err)
		}
	}
	for name, permissions := range leastOfCapabilities() {
		t.Run(name, func(t *testing.T) {
			grant(t, permissions)
			examine(t, o.env(withSecret...), 0, "--capabilities", name)
			for i, one := range permissions {
				grant(t, append(slices.Delete(slices.Clone(permissions), i, i+1), "Mail.Read"))
				code := 1
				if one != "User.Read.All" && (strings.HasPrefix(name, "report") || name == doctor.CapabilityUserShow) {
					code = 3 // a part is left out
				}
				if findings := examine(t, o.env(withSecret...), code, "--capabilities", name); !has(findings, "permission", map[int]string{1: "error", 3: "warning"}[code], "lacks "+one) {
					t.Errorf("without %s: %+v", one, findings)
				}
			}
		})
	}
}

var inCode = regexp.MustCompile("`([A-Za-z.-]+)`")

// The guide to the registration lists what the code asks for.
func TestTheRegistrationGuideListsThePermissions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/app-registration.md")
	if err != nil {
		t.Fatal(err)
	}
	least := leastOfCapabilities()
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		name := strings.Trim(cells[2], " `")
		permissions, known := least[name]
		if !known {
			continue
		}
		delete(least, name)
		var listed []string
		for _, m := range inCode.FindAllStringSubmatch(cells[3], -1) {
			listed = append(listed, m[1])
		}
		slices.Sort(listed)
		if want := slices.Sorted(slices.Values(permissions)); !slices.Equal(listed, want) {
			t.Errorf("%s: the guide lists %v, the code %v", name, listed, want)
		}
	}
	if len(least) > 0 {
		t.Errorf("the guide leaves out %v", least)
	}
}
