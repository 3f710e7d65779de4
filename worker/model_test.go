package worker_test

import (
	"math/rand/v2"
	"slices"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
)

// model is what a command should lead to, told without Graph and without a plan.
type model struct {
	user    tenant.User
	writes  int  // at least needed
	refused bool // it can never work; nothing is written then
}

// expect works out the model of a command for a user.
func expect(u tenant.User, c messages.Command) model {
	after := u
	after.Authenticator = slices.DeleteFunc(slices.Clone(u.Authenticator), func(a tenant.Authenticator) bool {
		return slices.Contains(c.Authenticator.Remove, a.ID)
	})
	writes := len(u.Authenticator) - len(after.Authenticator)
	wrote := false
	for _, t := range messages.PhoneTypes {
		wanted, named := c.Phones[t]
		if have := phoneAt(&after, t); named && *have != wanted {
			*have = wanted
			writes++
			wrote = wrote || wanted != messages.Remove
		}
	}
	m := model{user: after, writes: writes}
	m.refused = after.Phones.AlternateMobile != "" && after.Phones.Mobile == "" ||
		!m.chooseDefault(u, c) || !m.chooseSMSSignIn(u, c)
	m.chooseState(u, c, wrote)
	if m.refused {
		return model{user: u, refused: true}
	}
	return m
}

// chooseDefault tells false where the default that is asked for has no method, or
// where a stronger default would be lost for a weaker one.
func (m *model) chooseDefault(u tenant.User, c messages.Command) bool {
	current := u.DefaultMethod
	if wanted := string(c.DefaultMethod); wanted != "" {
		if wanted != current {
			m.writes++
		}
		m.user.DefaultMethod = wanted
		return canHave(m.user, wanted)
	}
	if current == "" || canHave(m.user, current) {
		return true
	}
	m.user.DefaultMethod = ""
	for _, next := range []string{"push", "sms", "voiceAlternateMobile", "voiceOffice"} {
		if canHave(m.user, next) {
			m.user.DefaultMethod = next
			m.writes++
			return current != "push"
		}
	}
	if current == "voiceAlternateMobile" {
		// All goes. It can't be the last to go, since the mobile must outlive it,
		// so another has to be the default meanwhile.
		m.writes++
	}
	return true
}

func (m *model) chooseSMSSignIn(u tenant.User, c messages.Command) bool {
	renewed := m.user.Phones.Mobile != u.Phones.Mobile
	on := u.SMSSignIn
	if renewed {
		on = m.user.Phones.Mobile != "" && u.SMSSignInAllowed
	}
	m.user.SMSSignIn = on
	if c.SMSSignIn == nil || *c.SMSSignIn == on {
		return true
	}
	m.user.SMSSignIn = *c.SMSSignIn
	m.writes++
	return !*c.SMSSignIn || m.user.Phones.Mobile != "" && u.SMSSignInAllowed
}

func (m *model) chooseState(u tenant.User, c messages.Command, wrote bool) {
	wanted := string(c.PerUserMFAState)
	if wanted != "" && wanted != u.PerUserMFAState && !(wanted == "enabled" && u.PerUserMFAState == "enforced") {
		m.user.PerUserMFAState = wanted
		m.writes++
	}
	touched := wrote || m.user.PerUserMFAState != u.PerUserMFAState
	if m.user.PerUserMFAState == "enabled" && touched && (m.user.Phones != tenant.Phones{} || len(m.user.Authenticator) > 0) {
		m.user.PerUserMFAState = "enforced"
	}
}

func phoneAt(u *tenant.User, t messages.PhoneType) *string {
	switch t {
	case messages.Mobile:
		return &u.Phones.Mobile
	case messages.AlternateMobile:
		return &u.Phones.AlternateMobile
	}
	return &u.Phones.Office
}

func canHave(u tenant.User, method string) bool {
	switch method {
	case "sms", "voiceMobile":
		return u.Phones.Mobile != ""
	case "voiceAlternateMobile":
		return u.Phones.AlternateMobile != ""
	case "voiceOffice":
		return u.Phones.Office != ""
	}
	return len(u.Authenticator) > 0
}

// invention makes up users and commands, with numbers that nobody else has.
type invention struct {
	*rand.Rand
	numbers int
}

func (i *invention) chance(percent int) bool { return i.IntN(100) < percent }

func (i *invention) number() string {
	i.numbers++
	return number(i.numbers)
}

func (i *invention) user(name string) tenant.User {
	u := tenant.User{UserPrincipalName: upn(name), ID: tenant.UserID(upn(name)), SMSSignInAllowed: i.chance(30), PerUserMFAState: pick(i.Rand, "disabled", "enabled", "enforced")}
	if i.chance(60) {
		u.Phones.Mobile = i.number()
		u.SMSSignIn = u.SMSSignInAllowed && i.chance(50)
		if i.chance(40) {
			u.Phones.AlternateMobile = i.number()
		}
	}
	if i.chance(30) {
		u.Phones.Office = i.number()
	}
	for n := range i.IntN(3) {
		u.Authenticator = append(u.Authenticator, tenant.Authenticator{ID: tenant.UserID(name + "/" + string(rune('a'+n)))})
	}
	if u.PerUserMFAState == "enabled" && (u.Phones != tenant.Phones{} || len(u.Authenticator) > 0) {
		u.PerUserMFAState = "enforced"
	}
	if method := pick(i.Rand, "", "push", "sms", "voiceMobile", "voiceAlternateMobile", "voiceOffice"); canHave(u, method) && method != "" {
		u.DefaultMethod = method
	}
	return u
}

// command asks something of the user as they are. Until something is asked for,
// it asks again.
func (i *invention) command(u tenant.User) messages.Command {
	c := messages.Command{User: pick(i.Rand, u.ID, u.UserPrincipalName)}
	for len(c.Phones) == 0 && len(c.Authenticator.Remove) == 0 && c.SMSSignIn == nil && c.PerUserMFAState == "" && c.DefaultMethod == "" {
		c.Phones = messages.Phones{}
		removal := pick(i.Rand, 10, 10, 90)
		for _, t := range messages.PhoneTypes {
			switch have := *phoneAt(&u, t); {
			case i.chance(removal):
				c.Phones[t] = messages.Remove
			case i.chance(40):
				c.Phones[t] = i.number()
			case i.chance(30) && have != "":
				c.Phones[t] = have
			}
		}
		for _, a := range u.Authenticator {
			if i.chance(removal) {
				c.Authenticator.Remove = append(c.Authenticator.Remove, a.ID)
			}
		}
		if i.chance(30) {
			c.PerUserMFAState = pick(i.Rand, messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced)
		}
		if i.chance(30) {
			c.DefaultMethod = pick(i.Rand, messages.DefaultPush, messages.DefaultSMS, messages.DefaultVoiceMobile, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice)
		}
		// Whether the policy covers a user is only known of a number that is there.
		if _, renewed := c.Phones[messages.Mobile]; i.chance(30) && (u.SMSSignInAllowed || !renewed) {
			c.SMSSignIn = new(i.chance(50))
		}
	}
	return c
}
