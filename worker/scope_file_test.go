package worker_test

import (
	"os"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/worker"
)

// Every fault of a scope file is told, with its line.
func TestAFaultyScopeFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		want       []string
	}{
		{"empty", "", []string{"must hold one YAML document"}},
		{"a comment", "# nothing\n", []string{"must hold one YAML document"}},
		{"no rules", "{}", []string{"names nothing"}},
		{"no rules and no system accounts", "excludeSystemAccounts: false", []string{"names nothing"}},
		{"empty list", "exclude: []", []string{"line 1: a list of rules is wanted"}},
		{"two documents", "exclude: [{name: a, admins: true}]\n---\na: 1", []string{"must hold one YAML document"}},
		{"no YAML", "exclude:\n\t- name: a", []string{"line 2: this is not YAML"}},
		{"a list", "- name: a", []string{"line 1: a mapping is wanted here, with the keys exclude, excludeSystemAccounts, include"}},
		{"unknown key", "exclude:\n  - name: a\n    admin: true", []string{"line 3: unknown key admin; known are admins, departments, disabled", "line 2: the rule says nothing"}},
		{"key at the top", "rules: []", []string{"line 1: unknown key rules"}},
		{"a person as a key", "exclude:\n  - name: a\n    ada@contoso.example: true", []string{"line 3: unknown key; known"}},
		{"twice", "exclude: [{name: a, admins: true,\n admins: false}]", []string{"line 2: admins is given twice"}},
		{"no name", "exclude:\n  - admins: true", []string{"line 2: the rule has no name"}},
		{"empty name", "exclude:\n  - {name: '', admins: true}", []string{"line 2: a name is wanted"}},
		{"personal name", "exclude:\n  - {name: ada@contoso.example, admins: true}", []string{"line 2: a rule's name is shown"}},
		{"name of two rules", "exclude:\n  - {name: a, admins: true}\ninclude:\n  - {name: a, synced: true}", []string{"line 4: another rule has the same name"}},
		{"name of the built-in rule", "exclude: [{name: system-accounts, admins: true}]", []string{"another rule has the same name"}},
		{"only a name", "include: [{name: a}]", []string{"the rule says nothing"}},
		{"empty matcher", "include: [{name: a, users: []}]", []string{"a list with at least one entry"}},
		{"one user", "include: [{name: a, users: ada@contoso.example}]", []string{"a list with at least one entry"}},
		{"neither id nor name", "include:\n  - name: a\n    users:\n      - bob@contoso.example\n      - bob", []string{"line 5: this is neither an object id nor"}},
		{"empty user", "include: [{name: a, users: ['']}]", []string{"a text is wanted here"}},
		{"group by name", "include: [{name: a, groups: [pilots]}]", []string{"not the object id of a group"}},
		{"domain with @", "include: [{name: a, domains: ['@contoso.example']}]", []string{"not a domain"}},
		{"user type", "include: [{name: a, userTypes: [External]}]", []string{"Member or Guest"}},
		{"yes", "include: [{name: a, admins: yes}]", []string{"true or false"}},
		{"half a wave", "include: [{name: a, wave: {of: 10}}]", []string{"needs of and upTo"}},
		{"too much of a wave", "include: [{name: a, wave: {of: 3, upTo: 4}}]", []string{"upTo at most of"}},
		{"no wave", "include: [{name: a, wave: {of: 3, upTo: 0}}]", []string{"from 1 to 10000"}},
		{"wave of a number", "include: [{name: a, wave: 3}]", []string{"a mapping is wanted here, with the keys of, upTo"}},
		{"alias", "include: [{name: a, users: &x [bob@contoso.example]}, {name: b, users: *x}]", []string{"a list with at least one entry"}},
		{"several", "exclude:\n  - {name: a, admins: 1}\n  - {name: b, groups: [x]}", []string{"line 2: true", "line 3: this is not the object id"}},
	} {
		_, err := worker.ReadScope(strings.NewReader(test.file))
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error does not say %q:\n%v", test.name, want, err)
			}
		}
		if strings.Contains(err.Error(), "@contoso.example") {
			t.Errorf("%s: error repeats the file:\n%v", test.name, err)
		}
	}
	if _, err := worker.ReadScope(strings.NewReader("# " + strings.Repeat("x", 5<<20))); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a file of 5 MiB: %v", err)
	}
}

func TestTheExampleIsAScope(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../examples/scope.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := readScope(t, string(file))
	if d, _ := s.Decide(subject("svc-backup", nil)); !d.Excluded || d.Rules[0] != "service accounts" {
		t.Errorf("a service account: %+v", d)
	}
	if got := s.Permissions(); len(got) != 3 {
		t.Errorf("permissions %v, want three", got)
	}
}

// FuzzReadScope: whatever a file holds, it is a scope or it is refused with a
// text that repeats no name from it; and a scope decides about everybody.
func FuzzReadScope(f *testing.F) {
	for _, seed := range []string{
		"exclude:\n  - name: break-glass\n    users: [ada@contoso.example, 0f0f0f0f-1111-4222-8333-444444444401]\n",
		"include: [{name: wave, wave: {of: 10, upTo: 3}, disabled: false, synced: true}]\nexcludeSystemAccounts: false",
		"include: [{name: g, groups: [0f0f0f0f-1111-4222-8333-444444444401], departments: [x], domains: [y], userTypes: [guest], upnPatterns: ['*?*']}]",
		"exclude: &a [*a]", "a: !!int ada@contoso.example", "? {ada@contoso.example: 1}\n: 2", "exclude: {name: \"\\x00\"}", "%YAML 1.1\n--- []", "- - - {",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		s, err := worker.ReadScope(strings.NewReader(file))
		if err != nil {
			if strings.Contains(err.Error(), "ada@contoso.example") {
				t.Errorf("the error repeats the file: %v", err)
			}
			return
		}
		d, certain := s.Decide(subject("ada", nil))
		if !certain || d.Out && len(d.Rules) == 0 {
			t.Errorf("decided %+v, certain %v", d, certain)
		}
		s.Decide(worker.Subject{ID: subject("ada", nil).ID})
		for _, p := range s.Permissions() {
			if p == "" {
				t.Error("a permission without a name")
			}
		}
	})
}
