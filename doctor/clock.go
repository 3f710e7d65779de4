package doctor

import (
	"fmt"
	"time"
)

// JudgeClock compares the local clock with that of a service. Tokens and signed
// assertions are refused when the clocks differ by five minutes and more.
func JudgeClock(local, remote time.Time) Finding {
	skew := local.Sub(remote).Round(time.Second)
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	if skew.Abs() < 2*time.Second { // a Date header has whole seconds
		return good(CheckClock, "The clock agrees with that of Microsoft Graph.")
	}
	f := Finding{
		Check: CheckClock, Severity: OK, What: fmt.Sprintf("The clock is %v %s that of Microsoft Graph.", skew.Abs(), direction),
	}
	switch {
	case skew.Abs() >= 5*time.Minute:
		f.Severity = Error
	case skew.Abs() >= time.Minute:
		f.Severity = Warning
	default:
		return f
	}
	f.Why = "Tokens and the assertions of certificates are refused when the clocks differ by five minutes; expiry and Retry-After dates are misjudged."
	f.Command = "timedatectl set-ntp true (on Windows: w32tm /resync)"
	return f
}
