package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// Whoever is out of scope is refused by the name of the rule and left as they
// were, whether the command names them by object id or by name, against a tenant
// that misbehaves; everybody else is served.
func TestWhoIsOutOfScopeIsLeftAlone(t *testing.T) {
	t.Parallel()
	guest := "eve_partner.example#EXT#@" + domain
	users := []struct {
		user tenant.User
		rule string // "" is in scope
	}{
		{tenant.User{UserPrincipalName: upn("plain")}, "pilot"},
		{tenant.User{UserPrincipalName: upn("pilot"), Groups: []string{pilots}}, ""},
		{tenant.User{UserPrincipalName: upn("sales"), Department: "Sales"}, ""},
		{tenant.User{UserPrincipalName: upn("glass"), Groups: []string{pilots}}, "break-glass"},
		{tenant.User{UserPrincipalName: upn("boss"), Groups: []string{pilots}, Roles: []string{"Global Administrator"}}, "admins"},
		{tenant.User{UserPrincipalName: upn("keeper"), Groups: []string{pilots, admins}}, "keepers of keys"},
		{tenant.User{UserPrincipalName: upn("gone"), Groups: []string{pilots}, AccountEnabled: new(false)}, "disabled"},
		{tenant.User{UserPrincipalName: upn("svc-backup"), Groups: []string{pilots}}, "services"},
		{tenant.User{UserPrincipalName: "Sync_DC01_0123456789ab@" + domain, Groups: []string{pilots}}, worker.SystemAccountsRule},
		{tenant.User{UserPrincipalName: guest, Groups: []string{pilots}, UserType: "Guest"}, "guests"},
		{tenant.User{UserPrincipalName: "ada@other.example", Department: "Sales"}, "other domain"},
	}
	scope := readScope(t, `
exclude:
  - {name: break-glass, users: [`+upn("glass")+`]}
  - {name: admins, admins: true}
  - {name: keepers of keys, groups: [`+admins+`]}
  - {name: disabled, disabled: true}
  - {name: services, upnPatterns: ['svc-*']}
  - {name: guests, userTypes: [Guest]}
  - {name: other domain, domains: [other.example]}
include:
  - {name: pilot, groups: [`+pilots+`]}
  - {name: sales, departments: [sales]}`)
	var all []tenant.User
	for _, u := range users {
		all = append(all, u.user)
	}
	r := newRig(t, config{users: all, tenant: tenant.Options{Faults: tenant.FaultsDefault}, worker: worker.Options{Scope: scope}})
	r.foreign = append(r.foreign, guest, "Sync_DC01_0123456789ab", "ada@other.example")
	var commands []messages.Command
	for i, u := range users {
		commands = append(commands,
			messages.Command{User: u.user.UserPrincipalName, Phones: mobile(number(i))},
			messages.Command{User: tenant.UserID(u.user.UserPrincipalName), Phones: mobile(number(i))})
	}
	ids := r.publish(commands...)
	r.work()
	refused := 0
	for i, id := range ids {
		u := users[i/2]
		got := r.outcome(id)
		if u.rule == "" {
			if got.Result != messages.Applied && got.Result != messages.Unchanged {
				t.Errorf("%s: outcome %+v, want applied", u.user.UserPrincipalName, got)
			}
			continue
		}
		refused++
		if got.Result != messages.Refused || got.Reason != worker.ReasonOutOfScope || !strings.Contains(got.Detail, u.rule) || got.Writes != 0 {
			t.Errorf("%s: outcome %+v, want out of scope by %s", u.user.UserPrincipalName, got, u.rule)
		}
	}
	for _, u := range r.tenant.Snapshot() {
		for _, of := range users {
			if of.user.UserPrincipalName == u.UserPrincipalName && (u.Phones.Mobile != "") != (of.rule == "") {
				t.Errorf("%s: the directory holds a mobile: %v", u.UserPrincipalName, u.Phones.Mobile != "")
			}
		}
	}
	r.wantDeliveries(1, ids...)
	r.wantQueue(broker.Counts{DeadLettered: refused})
	r.wantDeadLetter(ids[0], worker.ReasonOutOfScope)
}

// Of a user no more is read than the decision takes, and what was decided is
// remembered.
func TestScopeReadsOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	many := make([]string, 45)
	for i := range many {
		many[i] = fmt.Sprintf("0f0f0f0f-1111-4222-8333-4444444444%02d", i)
	}
	id := tenant.UserID(upn("ada"))
	const get, groups, roles = "GET users/", "POST checkMemberGroups", "GET transitiveMemberOf"
	for _, test := range []struct {
		name, user, file string
		want             []string
	}{
		{"object id alone", id, "excludeSystemAccounts: false\nexclude: [{name: a, users: [" + pilots + "]}]", nil},
		{"properties of one named by id", id, "exclude: [{name: a, disabled: true}]", []string{get}},
		{"properties of one named by name", upn("ada"), "exclude: [{name: a, disabled: true}]", []string{get}},
		{"excluded by properties", id, "exclude: [{name: a, disabled: false}, {name: b, groups: [" + pilots + "]}, {name: c, admins: true}]", []string{get}},
		{"excluded by a group", id, "exclude: [{name: b, groups: [" + many[3] + "]}, {name: c, admins: true}]", []string{get, groups}},
		{"out of the wave", id, "excludeSystemAccounts: false\ninclude: [{name: b, groups: [" + pilots + "], wave: {of: 10000, upTo: 1}}]", nil},
		{"everything", id, "exclude: [{name: b, groups: [" + pilots + "]}, {name: c, admins: true}]", []string{get, groups, roles}},
		{"many groups", id, "excludeSystemAccounts: false\nexclude: [{name: b, groups: [" + pilots + "," + strings.Join(many[4:], ",") + "]}]", []string{groups, groups, groups}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config{
				users:  []tenant.User{{UserPrincipalName: upn("ada"), Groups: []string{many[3]}, Phones: tenant.Phones{Mobile: number(1)}}},
				worker: worker.Options{Scope: readScope(t, test.file)},
			})
			r.publish(messages.Command{User: test.user, Phones: mobile(number(1))}, messages.Command{User: id, Phones: mobile(number(1))})
			r.work()
			var got []string
			for _, q := range r.front.requests() {
				switch {
				case strings.HasSuffix(q.path, "/checkMemberGroups"):
					got = append(got, groups)
				case strings.Contains(q.path, "/transitiveMemberOf/"):
					got = append(got, roles)
				case !strings.Contains(q.path, "/authentication/"):
					got = append(got, get)
				}
			}
			if strings.Join(got, ", ") != strings.Join(test.want, ", ") {
				t.Errorf("asked %v, want %v", got, test.want)
			}
		})
	}
}

// Where the application may not read groups or roles, the tenant is paused with
// the permission named; nobody is changed meanwhile, and nobody refused.
func TestAScopeThatMayNotReadPauses(t *testing.T) {
	t.Parallel()
	for operation, missing := range map[string]string{
		"users.checkMemberGroups": "GroupMember.Read.All",
		"users.listRoles":         "RoleManagement.Read.Directory",
		"users.get":               "User.Read.All",
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			users, names := people(6)
			r := newRig(t, config{
				users:  users,
				tenant: tenant.Options{Deny: []tenant.Denial{{Operation: operation}}},
				worker: worker.Options{
					FirstPause: 10 * time.Millisecond,
					Scope:      readScope(t, "exclude: [{name: a, groups: ["+pilots+"]}, {name: b, admins: true}]"),
				},
			})
			var commands []messages.Command
			for i, name := range names {
				commands = append(commands, messages.Command{User: tenant.UserID(upn(name)), Phones: mobile(number(i))})
			}
			ids := r.publish(commands...)
			s := r.start()
			if line := r.log.await(t, "tenant paused"); !strings.Contains(line, missing) {
				t.Errorf("the log does not name %s: %s", missing, line)
			}
			if got := r.tenant.Stats().Writes; got != 0 {
				t.Errorf("%d writes before the scope was known", got)
			}
			r.tenant.Lift()
			s.wait()
			r.wantResults(messages.Applied, ids...)
			r.wantDeliveries(1, ids...)
		})
	}
}

// A user whom the tenant does not have is unknown, not out of scope.
func TestAnUnknownUserIsNotOutOfScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada")}},
		worker: worker.Options{Scope: readScope(t, "include: [{name: a, groups: ["+pilots+"], userTypes: [Member]}]")},
	})
	ids := r.publish(
		messages.Command{User: tenant.UserID(upn("nobody")), Phones: mobile(number(1))},
		messages.Command{User: upn("nobody"), Phones: mobile(number(1))})
	r.work()
	for _, id := range ids {
		r.wantDeadLetter(id, worker.ReasonUnknownUser)
	}
}
