package worker

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/muster-mfa/muster/messages"
)

// maxScopeFile is the largest scope file, in bytes.
const maxScopeFile = 4 << 20

// SystemAccountsRule is the name of the exclude rule that every scope has unless
// its file says excludeSystemAccounts: false.
const SystemAccountsRule = "system-accounts"

// systemAccounts are the names that Microsoft's own synchronisation gives its
// accounts in the directory (Microsoft Entra Connect: accounts and permissions;
// Cloud Sync), and those of accounts made for packages.
var systemAccounts = []string{"sync_*", "adtoaadsyncserviceaccount*", "package_*"}

// ReadScope reads a scope file, which is YAML; docs/operating.md describes it. It
// reports every fault at once, each with its line, and repeats nothing that could
// be somebody's name.
func ReadScope(r io.Reader) (*Scope, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxScopeFile+1))
	if err != nil {
		return nil, fmt.Errorf("read scope: %w", err)
	}
	if len(content) > maxScopeFile {
		return nil, fmt.Errorf("read scope: the file is larger than %d MiB", maxScopeFile>>20)
	}
	var f scopeFile
	s := f.parse(content)
	if err := errors.Join(f.faults...); err != nil {
		return nil, fmt.Errorf("read scope: %w", err)
	}
	return s, nil
}

// scopeFile is a scope file while it is read.
type scopeFile struct {
	faults []error
	names  map[string]bool // of rules
}

func (f *scopeFile) fault(n *yaml.Node, format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...))
}

func (f *scopeFile) parse(content []byte) *Scope {
	var document yaml.Node
	if err := yaml.Load(content, &document); err != nil {
		f.faults = append(f.faults, notYAML(err))
		return nil
	}
	var exclude, include []scopeRule
	system, said := true, false
	f.mapping(document.Content[0], map[string]func(*yaml.Node){
		"exclude":               func(n *yaml.Node) { exclude = f.rules(n) },
		"include":               func(n *yaml.Node) { include = f.rules(n) },
		"excludeSystemAccounts": func(n *yaml.Node) { system, said = f.boolean(n), true },
	})
	if len(f.faults) == 0 && len(exclude)+len(include) == 0 && !(said && system) {
		f.fault(&document, "the scope names nothing: give exclude or include rules")
	}
	if system {
		exclude = append(exclude, scopeRule{name: SystemAccountsRule, upnPatterns: systemAccounts})
	}
	return newScope(exclude, include)
}

// notYAML is the error of a file that is no YAML. What the library says of it may
// quote the file where it speaks of anchors and tags.
func notYAML(err error) error {
	var at *yaml.LoadError
	switch {
	case !errors.As(err, &at) || at.Mark.Line == 0:
		return errors.New("the file must hold one YAML document")
	case strings.ContainsAny(at.Message, "'\"`@"):
		return fmt.Errorf("line %d: this is not YAML", at.Mark.Line)
	}
	return fmt.Errorf("line %d: this is not YAML: %s", at.Mark.Line, at.Message)
}

// mapping hands the value of each key to its reader.
func (f *scopeFile) mapping(n *yaml.Node, readers map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		f.fault(n, "a mapping is wanted here, with the keys %s", known(readers))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read := readers[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || read == nil:
			f.fault(key, "unknown key%s; known are %s", quotedKey(key), known(readers))
		case seen[key.Value]:
			f.fault(key, "%s is given twice", key.Value)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
}

func known(readers map[string]func(*yaml.Node)) string {
	return strings.Join(slices.Sorted(maps.Keys(readers)), ", ")
}

// quotedKey repeats a key that looks like one, and nothing else that stands
// where a key should.
func quotedKey(n *yaml.Node) string {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	if n.Kind != yaml.ScalarNode || n.Value == "" || len(n.Value) > 32 || strings.ContainsFunc(n.Value, func(r rune) bool { return !letter(r) }) {
		return ""
	}
	return " " + n.Value
}

func (f *scopeFile) rules(n *yaml.Node) []scopeRule {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		f.fault(n, "a list of rules is wanted here, each with a name")
		return nil
	}
	var rules []scopeRule
	for _, item := range n.Content {
		rules = append(rules, f.rule(item))
	}
	return rules
}

func (f *scopeFile) rule(n *yaml.Node) (r scopeRule) {
	named, matchers := false, 0
	match := func(read func(*yaml.Node)) func(*yaml.Node) {
		return func(n *yaml.Node) { matchers++; read(n) }
	}
	f.mapping(n, map[string]func(*yaml.Node){
		"name":        func(n *yaml.Node) { named, r.name = true, f.name(n) },
		"users":       match(func(n *yaml.Node) { r.users, r.names = f.users(n) }),
		"upnPatterns": match(func(n *yaml.Node) { r.upnPatterns = f.list(n) }),
		"domains":     match(func(n *yaml.Node) { r.domains = f.domains(n) }),
		"userTypes":   match(func(n *yaml.Node) { r.userTypes = f.userTypes(n) }),
		"departments": match(func(n *yaml.Node) { r.departments = set(f.list(n)) }),
		"groups":      match(func(n *yaml.Node) { r.groups = f.groups(n) }),
		"disabled":    match(func(n *yaml.Node) { r.disabled = new(f.boolean(n)) }),
		"admins":      match(func(n *yaml.Node) { r.admins = new(f.boolean(n)) }),
		"synced":      match(func(n *yaml.Node) { r.synced = new(f.boolean(n)) }),
		"wave":        match(func(n *yaml.Node) { r.wave = f.wave(n) }),
	})
	switch {
	case n.Kind != yaml.MappingNode:
	case !named:
		f.fault(n, "the rule has no name")
	case matchers == 0:
		f.fault(n, "the rule says nothing of the users whom it covers")
	}
	return r
}

// name reads a rule's name. It is told in hints, which hold nothing personal.
func (f *scopeFile) name(n *yaml.Node) string {
	name := strings.TrimSpace(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || name == "":
		f.fault(n, "a name is wanted here")
	case len(name) > 64 || !messages.IsOpaque(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		f.fault(n, "a rule's name is shown in outcomes and logs: at most 64 characters of ASCII, no @, and no number as long as a phone's")
	case f.names[name] || name == SystemAccountsRule:
		f.fault(n, "another rule has the same name")
	}
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	f.names[name] = true
	return name
}

// list reads a list of texts and folds them.
func (f *scopeFile) list(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		f.fault(n, "a list with at least one entry is wanted here")
		return []string{}
	}
	texts := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		text := strings.TrimSpace(item.Value)
		if item.Kind != yaml.ScalarNode || text == "" {
			f.fault(item, "a text is wanted here")
			continue
		}
		texts = append(texts, fold(text))
	}
	return texts
}

// each checks every entry of a list.
func (f *scopeFile) each(n *yaml.Node, fits func(string) bool, otherwise string) []string {
	texts := f.list(n)
	if len(texts) != len(n.Content) {
		return texts
	}
	for i, text := range texts {
		if !fits(text) {
			f.fault(n.Content[i], "%s", otherwise)
		}
	}
	return texts
}

func (f *scopeFile) users(n *yaml.Node) (users map[string]bool, names bool) {
	isName := func(user string) bool { return !isObjectID(user) }
	list := f.each(n, func(user string) bool {
		before, after, _ := cutLast(user, '@')
		return isObjectID(user) || before != "" && after != ""
	}, "this is neither an object id nor a user principal name")
	return set(list), slices.ContainsFunc(list, isName)
}

func (f *scopeFile) groups(n *yaml.Node) []string {
	return f.each(n, isObjectID, "this is not the object id of a group")
}

func (f *scopeFile) domains(n *yaml.Node) map[string]bool {
	return set(f.each(n, func(domain string) bool { return !strings.ContainsAny(domain, "@* ") }, "this is not a domain, such as contoso.example"))
}

func (f *scopeFile) userTypes(n *yaml.Node) map[string]bool {
	return set(f.each(n, func(t string) bool { return t == "member" || t == "guest" }, "a user type is Member or Guest"))
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, text := range list {
		m[text] = true
	}
	return m
}

func (f *scopeFile) boolean(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
		f.fault(n, "true or false is wanted here")
	}
	return n.Value == "true"
}

func (f *scopeFile) wave(n *yaml.Node) *wave {
	w := wave{of: 1}
	given := 0
	f.mapping(n, map[string]func(*yaml.Node){
		"of":   func(n *yaml.Node) { given++; w.of = f.count(n) },
		"upTo": func(n *yaml.Node) { given++; w.upTo = f.count(n) },
	})
	if n.Kind == yaml.MappingNode && (given < 2 || w.upTo > w.of) {
		f.fault(n, "a wave needs of and upTo, and upTo at most of")
	}
	return &w
}

func (f *scopeFile) count(n *yaml.Node) uint64 {
	v, err := strconv.ParseUint(n.Value, 10, 32)
	if n.Kind != yaml.ScalarNode || err != nil || v < 1 || v > 10_000 {
		f.fault(n, "a number from 1 to 10000 is wanted here")
		return 1
	}
	return v
}
