package doctor

import (
	"fmt"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// How long before its end a credential is worth a word.
const (
	expiresSoon = 14 * 24 * time.Hour
	expiresLate = 30 * 24 * time.Hour
)

// JudgeExpiry judges the end of one credential, a secret or a certificate, which
// the command renews.
func JudgeExpiry(what string, end, now time.Time, renew string) Finding {
	left := end.Sub(now)
	f := Finding{
		Check: CheckExpiry, Severity: OK,
		What: fmt.Sprintf("%s is good until %s, for %s.", what, end.UTC().Format(time.DateOnly), span(left)),
	}
	switch {
	case left <= 0:
		f.Severity, f.What = Error, fmt.Sprintf("%s expired on %s.", what, end.UTC().Format(time.DateOnly))
	case left < expiresSoon:
		f.Severity = Warning
	case left < expiresLate:
		f.Severity = Note
	default:
		return f
	}
	f.Why = "With an expired credential there is no token, and every tenant is paused until it is replaced."
	f.Portal, f.Command = credentialsPath, renew
	return f
}

// span tells how long something is, for people.
func span(d time.Duration) string {
	switch hours := int(d.Hours()); {
	case hours < 2:
		return "less than two hours"
	case hours < 48:
		return fmt.Sprintf("%d hours", hours)
	default:
		return fmt.Sprintf("%d days", hours/24)
	}
}

// JudgeCredentials judges the secrets and certificates that an application has,
// of which one signs in where credential is of that kind, or is the default one.
// Which of its kind is in use can't be told, so an expired one is bad only where
// none of them is left.
func JudgeCredentials(c graphclient.ApplicationCredentials, credential string, now time.Time) []Finding {
	var findings []Finding
	for _, kind := range []struct {
		name, credential, renew string
		list                    []graphclient.ApplicationCredential
	}{{"client secret", "client-secret", newSecret, c.Secrets}, {"certificate", "certificate", newCertificate, c.Certificates}} {
		var last *time.Time
		expired, endless := 0, false
		for _, one := range kind.list {
			switch {
			case one.End == nil:
				endless = true
			case last == nil || one.End.After(*last):
				last = one.End
			}
			if one.End != nil && !now.Before(*one.End) {
				expired++
			}
		}
		if last != nil && !endless {
			what := "The application's " + kind.name
			if len(kind.list) > 1 {
				what = fmt.Sprintf("The last of the application's %d %ss", len(kind.list), kind.name)
			}
			f := JudgeExpiry(what, *last, now, kind.renew)
			if f.Severity != OK && credential != kind.credential && credential != "default" {
				f.Severity, f.Why = Note, "Another kind of credential is in use, so nothing depends on it here."
			}
			findings = append(findings, f)
		}
		if expired > 0 && expired < len(kind.list) {
			findings = append(findings, Finding{
				Check: CheckExpiry, Severity: Note, What: fmt.Sprintf("%d of the application's %d %ss are expired and can be deleted.", expired, len(kind.list), kind.name),
				Why: "What is left lying about is taken for what is in use.", Portal: credentialsPath,
			})
		}
	}
	return findings
}

// JudgeCredentialsUnread judges why the application could not be read.
func JudgeCredentialsUnread(g Grantee, err error) Finding {
	f := Finding{
		Check: CheckExpiry, Severity: Note, What: "When the application's secrets and certificates expire was not seen: " + sentence(err),
		Why: "Muster can warn of an end that is near only where it may read the application.",
	}
	switch graphclient.KindOf(err) {
	case graphclient.KindForbidden:
		f.What = "When the application's secrets and certificates expire can't be seen without the permission Application.Read.All."
		f.Portal, f.Command = g.portal(), g.grant([]string{"Application.Read.All"})
	case graphclient.KindNotFound:
		f.What = "When the application's secrets and certificates expire can't be seen: it is registered in another tenant, or is a managed identity."
		f.Why = "Run muster doctor with --tenant for the application's home tenant to see it."
	}
	return f
}
