package bulk_test

import (
	"strings"
	"testing"

	"github.com/muster-mfa/muster/bulk"
)

func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		options      bulk.ReaderOptions
		want         string // what is printed about the file
	}{
		{"all columns", "UserPrincipalName,Mobile,AlternateMobile,OfficePhone,PerUserMfaState,SmsSignIn,DefaultMethod", bulk.ReaderOptions{},
			"UTF-8, commas; columns: UserPrincipalName, Mobile, AlternateMobile, OfficePhone, PerUserMfaState, SmsSignIn, DefaultMethod"},
		{"case and blanks", " upn \t MOBILE", bulk.ReaderOptions{}, "UTF-8, tabs; columns: upn as UserPrincipalName, MOBILE as Mobile"},
		{"words apart", "User principal name;office_phone;sms-sign-in", bulk.ReaderOptions{},
			"UTF-8, semicolons; columns: User principal name as UserPrincipalName, office_phone as OfficePhone, sms-sign-in as SmsSignIn"},
		{"the contract's words", "user,mobile,alternateMobile,office", bulk.ReaderOptions{},
			"UTF-8, commas; columns: user as UserPrincipalName, mobile as Mobile, alternateMobile as AlternateMobile, office as OfficePhone"},
		{"invisible characters", "\u200buser,\u00a0Mobile\u00a0", bulk.ReaderOptions{}, "UTF-8, commas; columns: \u200buser as UserPrincipalName, Mobile"},
		{"a rejects file", "user,Mobile,row,reason,hint", bulk.ReaderOptions{}, "UTF-8, commas; columns: user as UserPrincipalName, Mobile; ignored: row, reason, hint"},
		{"columns beside the table", "user,Mobile,,", bulk.ReaderOptions{}, "UTF-8, commas; columns: user as UserPrincipalName, Mobile; ignored: column 3, column 4"},
		{"permitted column", "user,Mobile,Department", bulk.ReaderOptions{Ignore: []string{"department"}}, "UTF-8, commas; columns: user as UserPrincipalName, Mobile; ignored: Department"},
		{"known column left out", "user,Mobile,OfficePhone", bulk.ReaderOptions{Ignore: []string{"OfficePhone"}}, "UTF-8, commas; columns: user as UserPrincipalName, Mobile; ignored: OfficePhone"},
		{"unknown columns permitted", "user|Mobile|Department|City", bulk.ReaderOptions{IgnoreUnknown: true}, "UTF-8, pipes; columns: user as UserPrincipalName, Mobile; ignored: Department, City"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := bulk.NewReader(strings.NewReader(tt.header+"\n"), tt.options)
			if err != nil {
				t.Fatalf("NewReader: %v", err)
			}
			if got := r.Detected().String(); got != tt.want {
				t.Errorf("detected\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestHeaderRefused(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		options    bulk.ReaderOptions
		want       []string // parts of the error
		never      string   // a part that it must not have
	}{
		{"empty file", "", bulk.ReaderOptions{}, []string{"empty"}, ""},
		{"Excel's own file", "PK\x03\x04\x14\x00\x06\x00", bulk.ReaderOptions{}, []string{"workbook", "CSV UTF-8"}, ""},
		{"old Excel's own file", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", bulk.ReaderOptions{}, []string{"workbook"}, ""},
		{"blank file", "\n\n", bulk.ReaderOptions{}, []string{"empty"}, ""},
		{"misspelt", "UPN,Moblie\n", bulk.ReaderOptions{}, []string{"column 2", `"Moblie"`, "did you mean Mobile"}, ""},
		{"nothing near", "UPN,Mobile,Department\n", bulk.ReaderOptions{}, []string{"column 3", `"Department"`, "known are"}, "did you mean"},
		{"no user", "Mobile,OfficePhone\n", bulk.ReaderOptions{}, []string{"no column names the user", "UPN"}, ""},
		{"no data", "UPN\n", bulk.ReaderOptions{}, []string{"no column says what to set"}, ""},
		{"twice", "UPN,Mobile,mobile\n", bulk.ReaderOptions{}, []string{"columns 2 and 3 both mean Mobile"}, ""},
		{"two names of one", "UPN,User,Mobile\n", bulk.ReaderOptions{}, []string{"columns 1 and 2 both mean UserPrincipalName"}, ""},
		{"all at once", "Moblie,Mobile,Mobile\n", bulk.ReaderOptions{}, []string{"Moblie", "both mean", "no column names the user"}, ""},
		{"no header", "anna@contoso.example,+31 612345678\n", bulk.ReaderOptions{}, []string{"first row must hold column names"}, "612345678"},
		{"data in the header", "UPN,+31 612345678\n", bulk.ReaderOptions{}, []string{"column 2", "looks like data"}, "612345678"},
		{"user in the header", "Mobile,anna@contoso.example\n", bulk.ReaderOptions{}, []string{"column 2"}, "anna"},
		{"quote not closed", "UPN,\"Mobile\na,b\n", bulk.ReaderOptions{}, []string{"quote"}, ""},
		{"endless line", strings.Repeat("x", 100_000), bulk.ReaderOptions{}, []string{"too long"}, ""},
		{"unknown delimiter asked for", "UPN:Mobile\n", bulk.ReaderOptions{Delimiter: ':'}, []string{"delimiter"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bulk.NewReader(strings.NewReader(tt.text), tt.options)
			if err == nil {
				t.Fatal("NewReader accepts it")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q, want %q in it", err, part)
				}
			}
			if tt.never != "" && strings.Contains(err.Error(), tt.never) {
				t.Errorf("error %q repeats %q", err, tt.never)
			}
		})
	}
}
