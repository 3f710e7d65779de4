package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/phone"
)

// The files in the repository are what the program makes.
func TestFilesAreUpToDate(t *testing.T) {
	folder := t.TempDir()
	if err := run(folder, defaultSeed); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"users.csv", "directory.jsonl"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("examples/%s differs from what the program makes: run go run ./examples/generate", name)
		}
	}
}

func TestShape(t *testing.T) {
	d := newDemo(defaultSeed)
	if got := len(d.rows); got != 1000 {
		t.Errorf("%d rows, want 1000", got)
	}
	reasons := map[string]int{}
	for _, r := range d.rows {
		reasons[r.reason]++
	}
	if bad := len(d.rows) - reasons[""]; bad != 120 {
		t.Errorf("%d bad rows, want 120", bad)
	}
	for _, r := range phone.Reasons() {
		if reasons[r.Code] == 0 {
			t.Errorf("no row with reason %s", r.Code)
		}
	}
	countries := map[string]bool{}
	for _, r := range d.rows {
		for _, number := range []string{r.want.Mobile, r.want.Alternate, r.want.Office} {
			if number != "" {
				countries[phonenumbers.GetRegionCodeForNumber(parse(strings.ReplaceAll(number, " ", "")))] = true
			}
		}
	}
	for _, region := range regions {
		if !countries[region] {
			t.Errorf("no number of %s", region)
		}
	}
}

// Every cell of a good row stands for the number that was meant, and every bad
// number is refused for the reason that was meant.
func TestNumbersMeanWhatTheyShould(t *testing.T) {
	policy := phone.Policy{Region: "NL"}
	for _, r := range newDemo(defaultSeed).rows {
		for _, c := range []struct {
			use        phone.Use
			cell, want string
		}{{phone.Mobile, r.mobile, r.want.Mobile}, {phone.AlternateMobile, r.alternate, r.want.Alternate}, {phone.Office, r.office, r.want.Office}} {
			if c.cell == "" || c.cell == "-" {
				continue
			}
			got, err := policy.Parse(c.cell, c.use)
			switch refusal, refused := errors.AsType[*phone.Refusal](err); {
			case r.reason == "" && (err != nil || string(got) != c.want):
				t.Errorf("%s %q: %q, %v; want %q", c.use, c.cell, got, err, c.want)
			case strings.Contains(r.reason, "PhoneNumber") && (!refused || refusal.Reason != r.reason):
				t.Errorf("%s %q: %q, %v; want reason %s", c.use, c.cell, got, err, r.reason)
			}
		}
	}
}

// The tenant takes the directory, and holds the user of every good row but
// those who are meant to be unknown.
func TestDirectory(t *testing.T) {
	content, err := newDemo(defaultSeed).encodeUsers()
	if err != nil {
		t.Fatal(err)
	}
	users, err := tenant.ReadUsers(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.New(tenant.Options{Users: users}); err != nil {
		t.Fatal(err)
	}
	known := map[string]tenant.User{}
	for _, u := range users {
		known[u.UserPrincipalName] = u
		if u.ID != "" {
			known[u.ID] = u
		}
	}
	strangers, there, apps := 0, 0, 0
	for _, r := range newDemo(defaultSeed).rows {
		u, found := known[r.user]
		switch {
		case r.reason != "":
		case !found:
			strangers++
		case u.DefaultMethod == "push" && r.want.Mobile != "":
			apps++
		case r.want != phones{} && u.Phones == tenant.Phones{Mobile: r.want.Mobile, AlternateMobile: r.want.Alternate, Office: r.want.Office}:
			there++
		}
	}
	if strangers != unknown || apps != authenticators || there < alreadyThere {
		t.Errorf("%d unknown users, %d with Authenticator, %d whose numbers are there; want %d, %d and at least %d",
			strangers, apps, there, unknown, authenticators, alreadyThere)
	}
}

// Only the three collisions that are meant share a number for SMS sign-in.
func TestSMSSignInCollisions(t *testing.T) {
	d := newDemo(defaultSeed)
	allowed := map[string]bool{}
	numbers := map[string]map[string]bool{}
	note := func(number, name string) {
		if numbers[number] == nil {
			numbers[number] = map[string]bool{}
		}
		numbers[number][name] = true
	}
	for _, u := range d.users {
		if u.SMSSignInAllowed {
			allowed[u.Name] = true
			if u.SMSSignIn {
				note(u.Phones.Mobile, u.Name)
			}
		}
	}
	for _, r := range d.rows {
		if allowed[r.user] {
			note(r.want.Mobile, r.user)
		}
	}
	shared := 0
	for _, names := range numbers {
		if len(names) > 1 {
			shared++
		}
	}
	if shared != 3 {
		t.Errorf("%d numbers are shared by users who may sign in with them, want 3", shared)
	}
}
