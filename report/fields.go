package report

import "time"

// The fields that rows can be both filtered and sorted by, as the command line
// names them.
var (
	flagFields = map[string]func(*Row) Flag{
		"enabled":          func(r *Row) Flag { return r.AccountEnabled },
		"synced":           func(r *Row) Flag { return r.Synced },
		"licensed":         func(r *Row) Flag { return r.Licensed },
		"admin":            func(r *Row) Flag { return r.Admin },
		"system-preferred": func(r *Row) Flag { return r.SystemPreferred },
		"mfa-registered":   func(r *Row) Flag { return r.MFARegistered },
		"mfa-capable":      func(r *Row) Flag { return r.MFACapable },
		"passwordless":     func(r *Row) Flag { return r.Passwordless },
		"sspr-registered":  func(r *Row) Flag { return r.SSPRRegistered },
		"sspr-enabled":     func(r *Row) Flag { return r.SSPREnabled },
		"sspr-capable":     func(r *Row) Flag { return r.SSPRCapable },
	}
	timeFields = map[string]func(*Row) time.Time{
		"last-password-change": func(r *Row) time.Time { return r.LastPasswordChange },
		"last-mfa-sign-in":     func(r *Row) time.Time { return r.LastMFASignIn },
		"registration-updated": func(r *Row) time.Time { return r.RegistrationUpdated },
	}
	textFields = map[string]func(*Row) string{
		"user":       func(r *Row) string { return r.UserPrincipalName },
		"name":       func(r *Row) string { return r.DisplayName },
		"department": func(r *Row) string { return r.Department },
		"type":       func(r *Row) string { return r.UserType },
		"default":    func(r *Row) string { return r.DefaultMethod },
		"id":         func(r *Row) string { return r.ID },
	}
	// rankFields have few values, here in the order of sorting.
	rankFields = map[string]rankField{
		"state":     {func(r *Row) string { return r.PerUserMFAState }, []string{"enforced", "enabled", "disabled"}},
		"strength":  {func(r *Row) string { return string(r.Strength) }, []string{string(NoMethod), string(PhoneOnly), string(Strong)}},
		"migration": {func(r *Row) string { return string(r.Migration) }, []string{string(NeedsMethod), string(NeedsStronger), string(NotKnown), string(Ready)}},
	}
)

type rankField struct {
	of    func(*Row) string
	ranks []string
}
