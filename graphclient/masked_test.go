package graphclient_test

import (
	"testing"

	"github.com/muster-mfa/muster/graphclient"
)

func TestMaskNumber(t *testing.T) {
	for number, want := range map[string]string{
		"+1 2065550100": "+1 ********00", "+44 7700900123x45": "+44 ********23", "+1 ********00": "+1 ********00",
		"": "", "12": "12", "+12065550100": "+*********00",
	} {
		if got := graphclient.MaskNumber(number); got != want || graphclient.MaskNumber(got) != want {
			t.Errorf("MaskNumber(%q) = %q, want %q", number, got, want)
		}
	}
}
