package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A sorter gives back what it was given, in order, however often it spills.
func TestSorterSortsWhatDoesNotFitIntoMemory(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ items, memory int }{{0, 100}, {1, 100}, {500, 1 << 20}, {5000, 4 << 10}, {3000, 40}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			space := &workspace{parent: t.TempDir()}
			s := newSorter(space, test.memory)
			var want []string
			for range test.items {
				key := fmt.Sprint(source.IntN(1000))
				value := strings.Repeat("v", source.IntN(20)) + key
				want = append(want, key+"="+value)
				if err := s.add([]byte(key), []byte(value)); err != nil {
					t.Fatal(err)
				}
			}
			last := []byte{}
			var got []string
			for it, err := range s.sorted() {
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Compare(last, it.key) > 0 {
					t.Fatalf("%q comes after %q", it.key, last)
				}
				last = append(last[:0], it.key...)
				got = append(got, string(it.key)+"="+string(it.value))
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if space.dir != "" {
				info, err := os.Stat(space.dir)
				if err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("the directory has mode %v, %v", info.Mode(), err)
				}
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
			if err := space.remove(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(space.parent); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

func TestASorterWhoseDiskIsGoneSaysSo(t *testing.T) {
	s := newSorter(&workspace{parent: "/nonexistent"}, 10)
	if err := s.add([]byte("0123456789"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.add([]byte("x"), nil); err == nil {
		t.Error("no error")
	}
}

func TestOrder(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	rows := []Row{
		{ID: "1", UserPrincipalName: "b", DisplayName: "x", PerUserMFAState: "disabled", LastPasswordChange: at(2)},
		{ID: "2", UserPrincipalName: "A", DisplayName: "x y", PerUserMFAState: "enforced", LastPasswordChange: at(1)},
		{ID: "3", UserPrincipalName: "c", DisplayName: "X", PerUserMFAState: "enabled"},
		{ID: "4", UserPrincipalName: "d", DisplayName: "", PerUserMFAState: "", LastPasswordChange: at(3)},
	}
	for order, want := range map[string]string{
		"user": "2134", "-user": "4312", "state": "2314", "-state": "4132", "name,user": "4132", "name,-user": "4312", "-name,user": "2134",
		"last-password-change": "3214", "-last-password-change": "4123", "state,user": "2314",
	} {
		o, err := ParseOrder(order)
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Clone(rows)
		slices.SortFunc(sorted, func(a, b Row) int { return bytes.Compare(o.key(nil, &a), o.key(nil, &b)) })
		got := ""
		for _, r := range sorted {
			got += r.ID
		}
		if got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
	if _, err := ParseOrder("user,sideways"); err == nil || !strings.Contains(err.Error(), "sideways") {
		t.Errorf("error %v", err)
	}
}

func TestRowsSurviveTheDisk(t *testing.T) {
	for _, r := range []Row{
		{},
		{ID: "1", Methods: []string{}, Phones: &Phones{}, DefaultMethod: "none"},
		{
			ID: "2", UserPrincipalName: "ada@contoso.example", DisplayName: "Ada \x00 ü", UserType: "Member", AccountEnabled: Yes, Synced: No,
			Licensed: Yes, Department: "Sales", PerUserMFAState: "enforced", Methods: []string{"mobilePhone", "fido2"}, DefaultMethod: "sms",
			SystemPreferred: Yes, Phones: &Phones{Mobile: "+1 2065550100"}, Admin: No, MFARegistered: Yes, MFACapable: No, Passwordless: Yes,
			SSPRRegistered: No, SSPREnabled: Yes, SSPRCapable: No, LastPasswordChange: time.Unix(-5, 0).UTC(),
			LastMFASignIn: time.Unix(1, 0).UTC(), RegistrationUpdated: time.Unix(1<<40, 0).UTC(),
		},
	} {
		r.complete()
		got, err := decodeRow(r.encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStrength(t *testing.T) {
	for want, lists := range map[Strength][][]string{
		"":        {nil},
		NoMethod:  {{}, {"email"}, {"securityQuestion", "temporaryAccessPass"}, {"somethingNew"}},
		PhoneOnly: {{"mobilePhone"}, {"officePhone", "email"}, {"MobilePhone", "temporaryAccessPass"}},
		Strong: {{"mobilePhone", "microsoftAuthenticatorPush"}, {"passKeyDeviceBoundAuthenticator"}, {"windowsHelloForBusiness"}, {"softwareOneTimePasscode"},
			{"external"}, {"platformCredential"}, {"hardwareOneTimePasscode"}, {"fido2"}, {"microsoftAuthenticatorPasswordless"}},
	} {
		for _, methods := range lists {
			if got := strengthOf(methods); got != want {
				t.Errorf("%v: %q, want %q", methods, got, want)
			}
		}
	}
}

func TestMethodsOfBothSourcesCompare(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"microsoftAuthenticatorPush", "microsoftAuthenticatorPush softwareOneTimePasscode", true},
		{"fido2", "passKeyDeviceBound", true},
		{"mobilePhone", "officePhone", false}, {"", "mobilePhone", false}, {"softwareOneTimePasscode", "", false},
	} {
		if got := sameMethods(strings.Fields(test.a), strings.Fields(test.b)); got != test.same {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
	}
}
