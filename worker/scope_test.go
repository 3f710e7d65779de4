package worker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/worker"
)

const (
	pilots = "0f0f0f0f-1111-4222-8333-444444444401"
	admins = "0f0f0f0f-1111-4222-8333-444444444402"
)

func readScope(t *testing.T, file string) *worker.Scope {
	t.Helper()
	return must(worker.ReadScope(strings.NewReader(file)))(t)
}

// subject is a user of whom everything has been read.
func subject(name string, edit func(*worker.Subject)) worker.Subject {
	u := worker.Subject{
		ID:         tenant.UserID(upn(name)),
		Properties: &worker.SubjectProperties{UserPrincipalName: upn(name), AccountEnabled: new(true), UserType: "Member", Department: "Sales"},
		Groups:     &[]string{},
		Admin:      new(false),
	}
	if edit != nil {
		edit(&u)
	}
	return u
}

func TestScopeDecides(t *testing.T) {
	t.Parallel()
	guest := func(u *worker.Subject) {
		u.Properties.UserPrincipalName = "eve_partner.example#EXT#@contoso.example"
		u.Properties.UserType = "Guest"
	}
	exclude := func(matchers string) string { return "exclude: [{name: rule, " + matchers + "}]" }
	include := func(matchers string) string { return "include: [{name: rule, " + matchers + "}]" }
	for _, test := range []struct {
		name, file string
		edit       func(*worker.Subject)
		out        bool
	}{
		{"by object id", exclude("users: [" + strings.ToUpper(tenant.UserID(upn("ada"))) + "]"), nil, true},
		{"by name", exclude("users: [" + strings.ToUpper(upn("ada")) + "]"), nil, true},
		{"another name", exclude("users: [bob@contoso.example]"), nil, false},
		{"pattern before the @", exclude("upnPatterns: ['ADA*']"), nil, true},
		{"pattern is for the whole of it", exclude("upnPatterns: ['ada']"), nil, false},
		{"pattern with @", exclude("upnPatterns: ['*@contoso.example']"), nil, true},
		{"pattern with ?", exclude("upnPatterns: ['a?a.*']"), nil, true},
		{"guest by pattern", exclude("upnPatterns: ['*#EXT#']"), guest, true},
		{"guest by type", exclude("userTypes: [Guest]"), guest, true},
		{"member by type", exclude("userTypes: [Guest]"), nil, false},
		{"no type is a member", exclude("userTypes: [Member]"), func(u *worker.Subject) { u.Properties.UserType = "" }, true},
		{"domain", exclude("domains: [Contoso.Example]"), nil, true},
		{"a domain is not its subdomains", exclude("domains: [contoso.example]"), func(u *worker.Subject) { u.Properties.UserPrincipalName = "a@lab.contoso.example" }, false},
		{"department", exclude("departments: [sales]"), nil, true},
		{"synced", exclude("synced: true"), func(u *worker.Subject) { u.Properties.OnPremisesSyncEnabled = true }, true},
		{"cloud only", exclude("synced: false"), nil, true},
		{"disabled", exclude("disabled: true"), func(u *worker.Subject) { u.Properties.AccountEnabled = new(false) }, true},
		{"enabled", exclude("disabled: true"), nil, false},
		{"unknown whether disabled", exclude("disabled: true"), func(u *worker.Subject) { u.Properties.AccountEnabled = nil }, true},
		{"unknown whether enabled", include("disabled: false"), func(u *worker.Subject) { u.Properties.AccountEnabled = nil }, true},
		{"admin", exclude("admins: true"), func(u *worker.Subject) { u.Admin = new(true) }, true},
		{"no admin", exclude("admins: true"), nil, false},
		{"in a group", exclude("groups: [" + strings.ToUpper(pilots) + "]"), func(u *worker.Subject) { u.Groups = &[]string{pilots} }, true},
		{"in another group", exclude("groups: [" + pilots + "]"), func(u *worker.Subject) { u.Groups = &[]string{admins} }, false},
		{"all matchers of a rule", exclude("domains: [contoso.example], userTypes: [Guest]"), nil, false},
		{"included", include("groups: [" + pilots + "]"), func(u *worker.Subject) { u.Groups = &[]string{pilots} }, false},
		{"not included", include("groups: [" + pilots + "]"), nil, true},
		{"any include rule will do", "include: [{name: one, domains: [other.example]}, {name: two, departments: [Sales]}]", nil, false},
		{"exclusion wins", "include: [{name: one, domains: [contoso.example]}]\nexclude: [{name: rule, departments: [Sales]}]", nil, true},
		{"whole wave", include("wave: {of: 10, upTo: 10}"), nil, false},
		{"synchronisation account", include("domains: [contoso.example]"), func(u *worker.Subject) { u.Properties.UserPrincipalName = "Sync_DC01_0123456789ab@contoso.example" }, true},
		{"package account", include("domains: [contoso.example]"), func(u *worker.Subject) { u.Properties.UserPrincipalName = "package_7d1@contoso.example" }, true},
		{"system accounts wanted", "excludeSystemAccounts: false\n" + include("domains: [contoso.example]"), func(u *worker.Subject) { u.Properties.UserPrincipalName = "package_7d1@contoso.example" }, false},
		{"system accounts alone", "excludeSystemAccounts: true", nil, false},
	} {
		d, certain := readScope(t, test.file).Decide(subject("ada", test.edit))
		if d.Out != test.out || !certain {
			t.Errorf("%s: out %v (certain %v), want %v", test.name, d.Out, certain, test.out)
		}
	}
}

func TestScopeNamesTheRule(t *testing.T) {
	t.Parallel()
	s := readScope(t, `
exclude:
  - {name: break-glass, users: [`+upn("ada")+`]}
include:
  - {name: pilot, groups: [`+pilots+`]}
  - {name: first wave, wave: {of: 1000, upTo: 1}}`)
	if d, _ := s.Decide(subject("ada", nil)); !d.Excluded || !slices.Equal(d.Rules, []string{"break-glass"}) {
		t.Errorf("excluded: %+v", d)
	}
	if d, _ := s.Decide(subject("bob", nil)); d.Excluded || !slices.Equal(d.Rules, []string{"pilot", "first wave"}) {
		t.Errorf("not included: %+v", d)
	}
	system := subject("bob", func(u *worker.Subject) { u.Properties.UserPrincipalName = "Sync_x@contoso.example" })
	if d, _ := s.Decide(system); !slices.Equal(d.Rules, []string{worker.SystemAccountsRule}) {
		t.Errorf("system account: %+v", d)
	}
}

// A larger upTo keeps everybody who is in, waves are of about the same size, and
// the parts never change from one version to the next.
func TestWavesGrow(t *testing.T) {
	t.Parallel()
	const of, users = 10, 5000
	source := rand.NewChaCha8([32]byte{7})
	ids := make([]string, users)
	for i := range ids {
		ids[i] = must(uuid.NewRandomFromReader(source))(t).String()
	}
	before := map[string]bool{}
	for upTo := 1; upTo <= of; upTo++ {
		s := readScope(t, fmt.Sprintf("excludeSystemAccounts: false\ninclude: [{name: wave, wave: {of: %d, upTo: %d}}]", of, upTo))
		now := map[string]bool{}
		for _, id := range ids {
			d, certain := s.Decide(worker.Subject{ID: id})
			if !certain {
				t.Fatal("a wave is known by the object id alone")
			}
			now[id] = !d.Out
			if before[id] && !now[id] {
				t.Errorf("upTo %d: %s dropped out", upTo, id)
			}
		}
		in := 0
		for _, is := range now {
			if is {
				in++
			}
		}
		if want := users * upTo / of; in < want-users/40 || in > want+users/40 {
			t.Errorf("upTo %d of %d takes %d of %d users", upTo, of, in, users)
		}
		before = now
	}
	for id, part := range map[string]int{"00000000-0000-0000-0000-000000000000": 8, "6e7b768e-07e2-4810-8459-485f84f8f204": 0} {
		for upTo := 1; upTo <= of; upTo++ {
			s := readScope(t, fmt.Sprintf("excludeSystemAccounts: false\ninclude: [{name: wave, wave: {of: %d, upTo: %d}}]", of, upTo))
			if d, _ := s.Decide(worker.Subject{ID: strings.ToUpper(id)}); d.Out != (upTo <= part) {
				t.Errorf("%s is out of %d parts: %v; its part was %d", id, upTo, d.Out, part)
			}
		}
	}
}

// Reading more never turns a certain decision, whatever the rules: what is
// decided from little is what all would have decided.
func TestReadingMoreChangesNoDecision(t *testing.T) {
	t.Parallel()
	matchers := []string{
		"users: [" + upn("ada") + "]", "users: [" + tenant.UserID(upn("ada")) + "]", "upnPatterns: ['a*']", "userTypes: [Guest]", "disabled: true",
		"admins: true", "admins: false", "groups: [" + pilots + "]", "groups: [" + admins + "]", "synced: true", "wave: {of: 2, upTo: 1}",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		file := fmt.Sprintf("excludeSystemAccounts: %v\n", random.IntN(2) == 0)
		for _, kind := range []string{"exclude", "include"} {
			file += kind + ":\n"
			for n := range 1 + random.IntN(2) {
				file += fmt.Sprintf("  - {name: %s %d, %s}\n", kind, n, ruleOf(random, matchers))
			}
		}
		s := readScope(t, file)
		name := []string{"ada", "bob", "package_1"}[random.IntN(3)]
		all := subject(name, func(u *worker.Subject) {
			u.Properties.AccountEnabled = []*bool{new(true), new(false), nil}[random.IntN(3)]
			u.Properties.OnPremisesSyncEnabled = random.IntN(2) == 0
			u.Properties.UserType = []string{"", "Member", "Guest"}[random.IntN(3)]
			u.Groups = []*[]string{{}, {pilots}, {pilots, admins}}[random.IntN(3)]
			u.Admin = new(random.IntN(2) == 0)
		})
		want, certain := s.Decide(all)
		if !certain {
			t.Fatalf("uncertain although all is read\n%s", file)
		}
		some := worker.Subject{ID: all.ID}
		for _, read := range random.Perm(3) {
			if got, certain := s.Decide(some); certain && (got.Out != want.Out) {
				t.Fatalf("decided %+v from %+v, and %+v from all\n%s", got, some, want, file)
			}
			switch read {
			case 0:
				some.Properties = all.Properties
			case 1:
				some.Groups = all.Groups
			case 2:
				some.Admin = all.Admin
			}
		}
	}
}

func ruleOf(random *rand.Rand, matchers []string) string {
	chosen := random.Perm(len(matchers))[:1+random.IntN(2)]
	first := matchers[chosen[0]]
	key, _, _ := strings.Cut(first, ":")
	if len(chosen) == 2 && !strings.HasPrefix(matchers[chosen[1]], key+":") {
		return first + ", " + matchers[chosen[1]]
	}
	return first
}

func TestScopePermissions(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"exclude: [{name: a, disabled: true}]":                                    {"User.Read.All"},
		"exclude: [{name: a, groups: [" + pilots + "]}]":                          {"User.Read.All", "GroupMember.Read.All"},
		"exclude: [{name: a, admins: true}]":                                      {"User.Read.All", "RoleManagement.Read.Directory"},
		"include: [{name: a, groups: [" + pilots + "]}, {name: b, admins: true}]": {"User.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory"},
	} {
		if got := readScope(t, file).Permissions(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
}
