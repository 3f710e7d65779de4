package messages_test

import (
	"testing"

	"github.com/muster-mfa/muster/messages"
)

func TestIDsThatMayNameSomebodyAreNotOpaque(t *testing.T) {
	for id, want := range map[string]bool{
		"":                                     true,
		"joiner-4711":                          true,
		"evt_01HZX3K9QWERTY":                   true,
		"7f0c1d52-6f9e-5b4a-9d6e-123456789012": true,
		"run-2026-11/row 3":                    true,
		"noor@contoso.example":                 false,
		"mfa/noor%40contoso.example":           false,
		"+12065550100":                         false,
		"mobile:+1 (206) 555-0100":             false,
		"12065550100-update":                   false,
		"٠١٢٣٤٥٦٧":                             false,
	} {
		if got := messages.IsOpaque(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}
