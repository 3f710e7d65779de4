package report

import "time"

// column is one column of the tables.
type column struct {
	// name heads it in files, title on the page.
	name, title string
	// value is a string, a Flag, a []string or a time.Time.
	value func(*Row) any
	// wordy: the values are few, and come again and again.
	wordy bool
	// when tells whether the report has it; nil means always.
	when func(Options) bool
}

func (o Options) usersView() bool { return o.View == ViewUsers }
func (o Options) withSignIns() bool {
	return o.SignInDays > 0
}
func (o Options) withPhones() bool { return o.Phones != PhonesHidden }
func (o Options) withRegistrations() bool {
	return o.View == ViewUsers && !o.NoRegistrations
}

// allColumns in the order in which they stand.
var allColumns = []column{
	{name: "UserPrincipalName", title: "User", value: func(r *Row) any { return r.UserPrincipalName }},
	{name: "DisplayName", title: "Name", value: func(r *Row) any { return r.DisplayName }},
	{name: "PerUserMfaState", title: "Per-user MFA", value: func(r *Row) any { return r.PerUserMFAState }, wordy: true},
	{name: "Strength", title: "Strength", value: func(r *Row) any { return string(r.Strength) }, wordy: true},
	{name: "Migration", title: "Migration", value: func(r *Row) any { return string(r.Migration) }, wordy: true},
	{name: "MethodsRegistered", title: "Methods", value: func(r *Row) any { return r.Methods }, wordy: true},
	{name: "DefaultMethod", title: "Default", value: func(r *Row) any { return r.DefaultMethod }, wordy: true},
	{name: "SystemPreferred", title: "System-preferred", value: func(r *Row) any { return r.SystemPreferred }},
	{name: "MobilePhone", title: "Mobile", value: phone(func(p *Phones) string { return p.Mobile }), when: Options.withPhones},
	{name: "AlternateMobilePhone", title: "Alternate mobile", value: phone(func(p *Phones) string { return p.AlternateMobile }), when: Options.withPhones},
	{name: "OfficePhone", title: "Office", value: phone(func(p *Phones) string { return p.Office }), when: Options.withPhones},
	{name: "UserType", title: "Type", value: func(r *Row) any { return r.UserType }, wordy: true},
	{name: "AccountEnabled", title: "Account enabled", value: func(r *Row) any { return r.AccountEnabled }},
	{name: "OnPremisesSyncEnabled", title: "Synced", value: func(r *Row) any { return r.Synced }},
	{name: "Department", title: "Department", value: func(r *Row) any { return r.Department }, wordy: true},
	{name: "Licensed", title: "Licensed", value: func(r *Row) any { return r.Licensed }, when: Options.usersView},
	{name: "IsAdmin", title: "Admin", value: func(r *Row) any { return r.Admin }, when: Options.withRegistrations},
	{name: "IsMfaRegistered", title: "MFA registered", value: func(r *Row) any { return r.MFARegistered }, when: Options.withRegistrations},
	{name: "IsMfaCapable", title: "MFA capable", value: func(r *Row) any { return r.MFACapable }, when: Options.withRegistrations},
	{name: "IsPasswordlessCapable", title: "Passwordless", value: func(r *Row) any { return r.Passwordless }, when: Options.withRegistrations},
	{name: "IsSsprRegistered", title: "SSPR registered", value: func(r *Row) any { return r.SSPRRegistered }, when: Options.withRegistrations},
	{name: "IsSsprEnabled", title: "SSPR enabled", value: func(r *Row) any { return r.SSPREnabled }, when: Options.withRegistrations},
	{name: "IsSsprCapable", title: "SSPR capable", value: func(r *Row) any { return r.SSPRCapable }, when: Options.withRegistrations},
	{name: "LastPasswordChange", title: "Password changed", value: func(r *Row) any { return r.LastPasswordChange }},
	{name: "LastMfaSignIn", title: "Last MFA sign-in", value: func(r *Row) any { return r.LastMFASignIn }, when: Options.withSignIns},
	{name: "RegistrationUpdated", title: "Registration updated", value: func(r *Row) any { return r.RegistrationUpdated }, when: Options.withRegistrations},
	{name: "Id", title: "Object id", value: func(r *Row) any { return r.ID }},
}

func phone(of func(*Phones) string) func(*Row) any {
	return func(r *Row) any {
		if r.Phones == nil {
			return ""
		}
		return of(r.Phones)
	}
}

// columns are those of this report.
func (o Options) columns() []column {
	var chosen []column
	for _, c := range allColumns {
		if c.when == nil || c.when(o) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// asText is a value as files without types show it.
func asText(v any) string {
	switch v := v.(type) {
	case Flag:
		return v.String()
	case []string:
		return sortedList(v)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(time.RFC3339)
	case string:
		return v
	}
	return ""
}
