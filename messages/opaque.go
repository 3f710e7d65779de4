package messages

import (
	"strings"

	"github.com/google/uuid"
)

// longestCount is how many digits in a row an opaque id may have: no phone number
// is as short (ITU-T E.164, section 6 has at most 15; the shortest national
// numbers in use have 7 with their country code).
const longestCount = 6

// IsOpaque reports whether an id that a publisher chose can be shown where no
// personal data may be: in a trace, a metric or a log. A UUID can. Another id can
// unless it holds an @, as a user principal name does, or as many digits in a row
// as a phone number has, whatever stands between them that is no letter.
func IsOpaque(id string) bool {
	if uuid.Validate(id) == nil {
		return true
	}
	if strings.Contains(id, "@") || strings.Contains(strings.ToLower(id), "%40") {
		return false
	}
	digits := 0
	for _, r := range id {
		switch {
		case '0' <= r && r <= '9':
			if digits++; digits > longestCount {
				return false
			}
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			digits = 0
		case r > 0x7f:
			// Digits of other scripts are digits too, and not worth telling apart.
			return false
		}
	}
	return true
}
