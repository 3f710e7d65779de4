package tenant

import "strings"

// shown is the record as the caller may see it. To a person with the role
// Authentication Administrator the service shows numbers only in part
// (phoneAuthenticationMethod, "Get").
func (t *Tenant) shown(r *record) *record {
	if !t.hideNumbers {
		return r
	}
	hidden := *r
	for _, kind := range phoneTypes {
		if number := r.Phones.number(kind); number != "" {
			hidden.Phones = hidden.Phones.with(kind, hide(number))
		}
	}
	return &hidden
}

// hide writes stars for all digits but those of the country code and the last
// two: +31 *******78.
func hide(number string) string {
	code, national, _ := strings.Cut(number, " ")
	national, _, _ = strings.Cut(national, "x")
	seen := max(len(national)-2, 0)
	return code + " " + strings.Repeat("*", seen) + national[seen:]
}
