package graphclient

import "testing"

// A token is Microsoft's to shape: whatever it is, reading it ends well, and what
// is read is sorted.
func FuzzReadAccess(f *testing.F) {
	f.Add("e30.eyJ0aWQiOiJ0IiwiYXBwaWQiOiJhIiwicm9sZXMiOlsiQiIsIkEiXSwiZXhwIjoxfQ.x")
	f.Add("e30.eyJzY3AiOiJCIEEifQ.x")
	f.Add("opaque")
	f.Add("a.!.c")
	f.Add("e30.eyJyb2xlcyI6MX0.x")
	f.Fuzz(func(t *testing.T, token string) {
		a := readAccess(token)
		for i := 1; i < len(a.Permissions); i++ {
			if a.Permissions[i-1] > a.Permissions[i] {
				t.Errorf("not sorted: %q", a.Permissions)
			}
		}
	})
}
