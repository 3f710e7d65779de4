package bulk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
)

// load loads a text and returns what was sent and the rejects file.
func load(t *testing.T, text, run string) (*queue, bulk.Result, string) {
	t.Helper()
	r, err := bulk.NewReader(strings.NewReader(text), bulk.ReaderOptions{Ignore: []string{"Naam"}})
	if err != nil {
		t.Fatalf("NewReader: %v", err)
	}
	var rejects strings.Builder
	o := options()
	o.Run = run
	o.Rejects = bulk.NewRejectsWriter(&rejects, r.Detected())
	q := &queue{t: t}
	got, err := bulk.Load(t.Context(), r, q, o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	checkCounts(t, got)
	return q, got, rejects.String()
}

func TestRejectsMendAndLoadAgain(t *testing.T) {
	text := "Naam;UPN;Mobile;OfficePhone\n" +
		"Anna;anna@contoso.example;0612345678;\n" +
		"\"Vries; de\";bob@contoso.example;=\"3,16E+10\";\n" +
		"\"Carl \"\"C\"\"\";carl@contoso.example;+31 201234567;+31 201234567\n" +
		"Dora;dora@contoso.example;0687654321\n"
	_, first, rejects := load(t, text, "r1")
	if first.Rejected != 3 {
		t.Fatalf("%d rejected, want 3", first.Rejected)
	}

	_, again, same := load(t, rejects, "r2")
	if again.Accepted != 1 || again.Rejected != 2 {
		t.Errorf("unmended: %d accepted, %d rejected, want 1 (its missing cell was added) and 2", again.Accepted, again.Rejected)
	}
	if got := strings.Count(strings.SplitN(same, "\n", 2)[0], "reason"); got != 1 {
		t.Errorf("the second rejects file has %d reason columns, want 1", got)
	}

	mended := strings.NewReplacer(`"=""3,16E+10"""`, "0611111111", "carl@contoso.example;+31 201234567", "carl@contoso.example;0622222222").Replace(rejects)
	q, second, _ := load(t, mended, "r2")
	if second.Rejected != 0 {
		t.Fatalf("mended: %v", second.ByReason)
	}
	got := make(map[string]messages.Phones)
	for _, e := range q.events {
		got[e.Command.User] = e.Command.Phones
	}
	if diff := cmp.Diff(map[string]messages.Phones{
		"bob@contoso.example":  {messages.Mobile: "+31 611111111"},
		"carl@contoso.example": {messages.Mobile: "+31 622222222", messages.Office: "+31 201234567"},
		"dora@contoso.example": {messages.Mobile: "+31 687654321"},
	}, got); diff != "" {
		t.Errorf("mended commands (-want +got):\n%s", diff)
	}
}

func TestRejectsFile(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"none rejected", "UPN,Mobile\n", "UPN,Mobile,row,reason,hint\n"},
		{"cells as they were", "UPN\tMobile\n \"a b\" \t=1+1\n",
			"UPN\tMobile\trow\treason\thint\n" +
				"\" \"\"a b\"\" \"\t=1+1\t2\tInvalidUser\tUserPrincipalName: give a user principal name such as anna@contoso.example, or an object id; " +
				"Mobile: a + belongs only at the very beginning\n"},
		{"too many cells are kept", "UPN,Mobile\na,b,c\n",
			"UPN,Mobile,row,reason,hint\n" +
				"a,b,c,2,WrongFieldCount,the row has 3 cells where the header has 2; look for a delimiter inside a cell that is not in quotes\n"},
		{"earlier row, reason and hint are replaced", "row,UPN,Mobile,reason,hint\n17,anna@contoso.example,,Old,old\n",
			"UPN,Mobile,row,reason,hint\nanna@contoso.example,,2,NothingToDo,\"fill in at least one cell beside the user, or delete the row\"\n"},
		{"byte order mark in, byte order mark out", "\ufeffUPN,Mobile\n", "\ufeffUPN,Mobile,row,reason,hint\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, got := load(t, tt.text, "r1")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rejects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRejectsGuardAddedColumns(t *testing.T) {
	var b strings.Builder
	w := bulk.NewRejectsWriter(&b, open(t, "UPN,Mobile\n").Detected())
	if err := w.Write(bulk.Row{Number: 2, Cells: []string{"=a", "+b"}}, bulk.Rejection{Reason: "=reason", Hint: "@hint"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Split(b.String(), "\n")[1], "=a,+b,2,'=reason,'@hint"; got != want {
		t.Errorf("row %q, want %q", got, want)
	}
}
