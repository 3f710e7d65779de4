package bulk_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

const allColumns = "UPN;Mobile;AlternateMobile;OfficePhone;PerUserMfaState;SmsSignIn;DefaultMethod\n"

// interpret reads one row under all columns.
func interpret(t testing.TB, row string) (messages.Command, *bulk.Rejection) {
	t.Helper()
	r := open(t, allColumns+row+"\n")
	return r.Detected().Header.Command(readAll(t, r)[0], phone.Policy{Region: "NL"}, bulk.Modes{})
}

func TestCommand(t *testing.T) {
	const user = "anna@contoso.example"
	for _, tt := range []struct {
		name, row string
		want      messages.Command
	}{
		{"everything", user + ";06 12345678;+31 201234567;+1 206 555 0100 x123;enabled;true;sms", messages.Command{
			User: user,
			Phones: messages.Phones{
				messages.Mobile: "+31 612345678", messages.AlternateMobile: "+31 201234567", messages.Office: "+1 2065550100x123",
			},
			PerUserMFAState: messages.MFAEnabled, SMSSignIn: new(true), DefaultMethod: messages.DefaultSMS,
		}},
		{"empty leaves alone", user + ";;;;;false;", messages.Command{User: user, SMSSignIn: new(false)}},
		{"dash removes", user + ";-;\u2013; - ;;;", messages.Command{User: user, Phones: messages.Phones{
			messages.Mobile: messages.Remove, messages.AlternateMobile: messages.Remove, messages.Office: messages.Remove,
		}}},
		{"words in any case", user + ";;;;ENFORCED;;VoiceAlternateMobile", messages.Command{
			User: user, PerUserMFAState: messages.MFAEnforced, DefaultMethod: messages.DefaultVoiceAlternateMobile,
		}},
		{"object id", "3179E48A-750B-4051-897C-87B9720928F7;-;;;;;", messages.Command{
			User: "3179e48a-750b-4051-897c-87b9720928f7", Phones: messages.Phones{messages.Mobile: messages.Remove},
		}},
		{"guest", "kim_fabrikam.example#EXT#@contoso.example;-;;;;;", messages.Command{
			User: "kim_fabrikam.example#EXT#@contoso.example", Phones: messages.Phones{messages.Mobile: messages.Remove},
		}},
		{"unseen characters around the user", "\u00a0\u200b" + user + "\u00a0;-;;;;;", messages.Command{
			User: user, Phones: messages.Phones{messages.Mobile: messages.Remove},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rejection := interpret(t, tt.row)
			if rejection != nil {
				t.Fatalf("rejected: %v", rejection)
			}
			tt.want.Row = 2
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommandSMSSignIn(t *testing.T) {
	for want, words := range map[bool][]string{
		true:  {"true", "TRUE", "yes", "Yes", "on", "1", "enabled", " True "},
		false: {"false", "FALSE", "no", "off", "0", "Disabled"},
	} {
		for _, word := range words {
			got, rejection := interpret(t, "anna@contoso.example;;;;;"+word+";")
			if rejection != nil {
				t.Errorf("%q: %v", word, rejection)
			} else if *got.SMSSignIn != want {
				t.Errorf("%q means %t, want %t", word, *got.SMSSignIn, want)
			}
		}
	}
}

func TestCommandRejects(t *testing.T) {
	const user = "anna@contoso.example"
	for _, tt := range []struct {
		name, row, reason string
		hints             []string
	}{
		{"no user", ";-;;;;;", bulk.ReasonMissingUser, []string{"UserPrincipalName: "}},
		{"unseen user", "\u00a0;-;;;;;", bulk.ReasonMissingUser, nil},
		{"display name", "Anna Jansen;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"no domain", "anna@;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"domain without dot", "anna@contoso;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"no name", "@contoso.example;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"two signs", "a@b@contoso.example;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"space inside", "anna jansen@contoso.example;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"address with name", "Anna <anna@contoso.example>;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"path", "../anna@contoso.example;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"braced id", "{3179e48a-750b-4051-897c-87b9720928f7};-;;;;;", bulk.ReasonInvalidUser, nil},
		{"id without dashes", "3179e48a750b4051897c87b9720928f7;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"over-long user", strings.Repeat("a", 300) + "@contoso.example;-;;;;;", bulk.ReasonInvalidUser, nil},
		{"bad mobile", user + ";+31 6;;;;;", phone.ReasonInvalid, []string{"Mobile: "}},
		{"scientific", user + ";3,16123E+10;;;;;", phone.ReasonScientific, nil},
		{"landline as mobile", user + ";+31 201234567;;;;;", phone.ReasonNotMobile, nil},
		{"extension on alternate", user + ";;+1 2065550100x1;;;;", phone.ReasonExtension, []string{"AlternateMobile: "}},
		{"unknown state", user + ";;;;on;;", bulk.ReasonInvalidMFAState, []string{"PerUserMfaState: "}},
		{"state can't be removed", user + ";;;;-;;", bulk.ReasonInvalidMFAState, []string{"disabled"}},
		{"sign-in neither yes nor no", user + ";;;;;maybe;", bulk.ReasonInvalidSMSSignIn, nil},
		{"sign-in can't be removed", user + ";;;;;-;", bulk.ReasonInvalidSMSSignIn, []string{"false"}},
		{"unknown default", user + ";;;;;;fido2", bulk.ReasonInvalidDefaultMethod, nil},
		{"default can't be removed", user + ";;;;;;-", bulk.ReasonInvalidDefaultMethod, []string{"cannot be removed"}},
		{"nothing", user + ";;;;;;", bulk.ReasonNothingToDo, nil},
		{"all faults", "anna;+31 6;;3E+10;x;y;z", bulk.ReasonInvalidUser,
			[]string{"UserPrincipalName: ", "; Mobile: ", "; OfficePhone: ", "; PerUserMfaState: ", "; SmsSignIn: ", "; DefaultMethod: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, rejection := interpret(t, tt.row)
			if rejection == nil {
				t.Fatal("the row is accepted")
			}
			if rejection.Reason != tt.reason {
				t.Errorf("reason %s, want %s", rejection.Reason, tt.reason)
			}
			for _, part := range tt.hints {
				if !strings.Contains(rejection.Hint, part) {
					t.Errorf("hint %q, want %q in it", rejection.Hint, part)
				}
			}
		})
	}
}

// interpretModes reads one row of modes and removals.
func interpretModes(t testing.TB, row string, modes bulk.Modes) (messages.Command, *bulk.Rejection) {
	t.Helper()
	r := open(t, "UPN,Mobile,DefaultMethod,Phone mode,Default method mode,Remove Authenticator\n"+row+"\n")
	return r.Detected().Header.Command(readAll(t, r)[0], phone.Policy{}, modes)
}

func TestCommandModes(t *testing.T) {
	const user = "anna@contoso.example"
	const number = "+31 612345678"
	numbers := messages.Phones{messages.Mobile: number}
	ofFile := bulk.Modes{Phone: messages.PhoneModeAddOnly, DefaultMethod: messages.DefaultModeForce, ProtectLastMethod: new(true)}
	for _, tt := range []struct {
		name, row string
		modes     bulk.Modes
		want      messages.Command
		reason    string
	}{
		{"of the row", user + "," + number + ",sms,REMOVE,Force,", bulk.Modes{},
			messages.Command{Phones: numbers, PhoneMode: messages.PhoneModeRemove, DefaultMethod: messages.DefaultSMS, DefaultMethodMode: messages.DefaultModeForce}, ""},
		{"of the file", user + "," + number + ",sms,,,", ofFile,
			messages.Command{Phones: numbers, PhoneMode: messages.PhoneModeAddOnly, DefaultMethod: messages.DefaultSMS, DefaultMethodMode: messages.DefaultModeForce, ProtectLastMethod: new(true)}, ""},
		{"the row goes before the file", user + "," + number + ",sms,ensure,only-if-none,", ofFile,
			messages.Command{Phones: numbers, PhoneMode: messages.PhoneModeEnsure, DefaultMethod: messages.DefaultSMS, DefaultMethodMode: messages.DefaultModeOnlyIfNone, ProtectLastMethod: new(true)}, ""},
		{"modes of what is not there", user + ",,,add-only,force,all", bulk.Modes{},
			messages.Command{Authenticator: messages.Authenticator{RemoveAll: true}}, ""},
		{"what is removed need not be a good number", user + ",+31 900 1234,,remove,,", bulk.Modes{},
			messages.Command{Phones: messages.Phones{messages.Mobile: "+319001234"}, PhoneMode: messages.PhoneModeRemove}, ""},
		{"nor by the file's mode", user + ",+31 20 123 4567,,,,", bulk.Modes{Phone: messages.PhoneModeRemove},
			messages.Command{Phones: messages.Phones{messages.Mobile: "+31 201234567"}, PhoneMode: messages.PhoneModeRemove}, ""},
		{"but what is added must", user + ",+31 20 123 4567,,,,", bulk.Modes{}, messages.Command{}, phone.ReasonNotMobile},
		{"the strongest", user + ",,,,most-secure,", bulk.Modes{}, messages.Command{DefaultMethodMode: messages.DefaultModeMostSecure}, ""},
		{"keep", user + "," + number + ",,,keep,", bulk.Modes{}, messages.Command{Phones: numbers, DefaultMethodMode: messages.DefaultModeKeep}, ""},
		{"modes alone", user + ",,,remove,keep,", bulk.Modes{}, messages.Command{}, bulk.ReasonNothingToDo},
		{"unknown phone mode", user + "," + number + ",,replace,,", bulk.Modes{}, messages.Command{}, bulk.ReasonInvalidPhoneMode},
		{"unknown default method mode", user + "," + number + ",,,always,", bulk.Modes{}, messages.Command{}, bulk.ReasonInvalidDefaultMethodMode},
		{"add-only with a removal", user + ",-,,add-only,,", bulk.Modes{}, messages.Command{}, bulk.ReasonRemovalUnderAddOnly},
		{"the file's add-only with a removal", user + ",-,,,,", ofFile, messages.Command{}, bulk.ReasonRemovalUnderAddOnly},
		{"add-only with a bad number", user + ",+31 6,,add-only,,", bulk.Modes{}, messages.Command{}, phone.ReasonInvalid},
		{"keep beside a default", user + ",,sms,,keep,", bulk.Modes{}, messages.Command{}, bulk.ReasonDefaultMethodKept},
		{"no removal", user + ",,,,,Pixel 8", bulk.Modes{}, messages.Command{}, bulk.ReasonInvalidRemoval},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rejection := interpretModes(t, tt.row, tt.modes)
			if tt.reason != "" {
				if rejection == nil || rejection.Reason != tt.reason {
					t.Errorf("rejection %v, want %s", rejection, tt.reason)
				}
				return
			}
			if rejection != nil {
				t.Fatalf("rejected: %v", rejection)
			}
			tt.want.User, tt.want.Row = user, 2
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
			got.Tenant = "contoso.example"
			if _, err := (messages.Event{ID: "1", Source: "/test", Command: got}).Structured(); err != nil {
				t.Errorf("the contract refuses the command: %v", err)
			}
		})
	}
}

func TestParseRemoval(t *testing.T) {
	const id = "6803c096-8238-42eb-9a6b-9f4ecc7ca0b8"
	for text, want := range map[string]messages.Authenticator{
		"all":                            {RemoveAll: true},
		" ALL ":                          {RemoveAll: true},
		"older than 365 days":            {RemoveOlderThanDays: 365},
		"Older  than 1 day":              {RemoveOlderThanDays: 1},
		"named Pixel 8":                  {RemoveNamed: []string{"Pixel 8"}},
		"Named all":                      {RemoveNamed: []string{"all"}},
		id:                               {Remove: []string{id}},
		"_jpuR-TGZtk6aQCLF3BQjA2":        {Remove: []string{"_jpuR-TGZtk6aQCLF3BQjA2"}},
		id + ";" + id:                    {Remove: []string{id}},
		"named a; named b ;named a; all": {RemoveNamed: []string{"a", "b"}, RemoveAll: true},
		id + "; older than 30 days":      {Remove: []string{id}, RemoveOlderThanDays: 30},
	} {
		got, err := bulk.ParseRemoval(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: error %v; (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{
		"", ";", "all;", "-", "none", "Pixel 8", "older then 365 days", "older than 0 days", "older than 36501 days", "older than 9999999 days",
		"older than a year", "older than 1 day; older than 2 days", "named", "named " + strings.Repeat("x", 129), "named a\tb", "../users/" + id,
		strings.Repeat("x", 129), "named x;short",
	} {
		if a, err := bulk.ParseRemoval(text); err == nil {
			t.Errorf("%q is taken for %+v", text, a)
		}
	}
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf("aaaaaaaaaaaaaaaa%d", i))
	}
	if _, err := bulk.ParseRemoval(strings.Join(many, ";")); err == nil {
		t.Error("more ids than a command holds are taken")
	}
}

// What is taken for a removal, the message contract takes too.
func FuzzParseRemoval(f *testing.F) {
	for _, text := range []string{"all", "older than 365 days", "named Pixel 8", "6803c096-8238-42eb-9a6b-9f4ecc7ca0b8;named \u0085", "named \xff", "named a;;b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := bulk.ParseRemoval(text)
		if err != nil {
			return
		}
		c := messages.Command{Tenant: "contoso.example", User: "anna@contoso.example", Authenticator: a}
		if _, err := (messages.Event{ID: "1", Source: "/test", Command: c}).Structured(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestCommandWithoutColumns(t *testing.T) {
	r := open(t, "Mobile,user\n-,anna@contoso.example\n")
	got, rejection := r.Detected().Header.Command(readAll(t, r)[0], phone.Policy{}, bulk.Modes{})
	if rejection != nil {
		t.Fatalf("rejected: %v", rejection)
	}
	want := messages.Command{User: "anna@contoso.example", Phones: messages.Phones{messages.Mobile: messages.Remove}, Row: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}
