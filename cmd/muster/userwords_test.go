package main_test

import (
	"strings"
	"testing"
)

// What a person gets to read says what to do next with the flags that they have.
func TestUserSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	l := startWith(t, adaAtHome)
	for _, c := range []struct {
		code int
		args string
		want []string
		not  string
	}{
		{0, "default " + adaName + " sms", []string{"Unchanged: nothing was written.", "Warning: DefaultMethodKept", "stronger than sms", "--mode force"}, "it is so already"},
		{0, "default " + adaName + " sms --mode only-if-none", []string{"--mode only-if-none leaves it alone"}, ""},
		{0, "set " + adaName + " --mobile +12065550107 --phone-mode add-only", []string{"NumberKept", "--phone-mode"}, ""},
		{3, "set " + adaName + " --mobile +120612 --office 0201234567", []string{"InvalidPhoneNumber", "--mobile: ", "--office: ", "--region"}, ""},
		{3, "set " + adaName + " --mobile +12065550107x12", []string{"PhoneNumberExtension", "--office"}, "column"},
		{0, "remove " + adaName + " --authenticator-named Pixle", []string{"Unchanged", `no Authenticator registration "Pixle"`}, ""},
		{0, "mfa " + adaName + " Enforced", []string{"Unchanged: it is so already"}, ""},
		{1, "show nobody@contoso.example", []string{"no such user", "object id", "#EXT#"}, "nobody@"},
		{1, "history nobody@contoso.example", []string{"no such user", "object id"}, "nobody@"},
		{2, "set " + adaName + " --mobile=", []string{"--mobile is empty", "muster user remove"}, "$.data"},
		{2, "set " + adaName, []string{"say what to set", "--sms-sign-in"}, "$.data"},
		{2, "remove " + adaName, []string{"say what to remove"}, "$.data"},
	} {
		r := muster(t, l.env(fast...), "", append([]string{"user"}, strings.Fields(c.args)...)...).expect(t, c.code)
		said := r.stdout + r.stderr
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("user %s does not say %q:\n%s", c.args, want, said)
			}
		}
		if c.not != "" && strings.Contains(said, c.not) {
			t.Errorf("user %s says %q:\n%s", c.args, c.not, said)
		}
	}
	if got := l.stats(t).Writes; got != 0 {
		t.Errorf("%d writes, want none", got)
	}
}
