package worker_test

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
)

// invention makes up users and commands, mostly with numbers that nobody else has.
type invention struct {
	*rand.Rand
	numbers int
	now     time.Time
}

func (i *invention) chance(percent int) bool { return i.IntN(100) < percent }

func (i *invention) number() string {
	if i.chance(8) {
		return pick(i.Rand, takenNumbers[:]...)
	}
	i.numbers++
	return number(i.numbers)
}

func (i *invention) user(name string) tenant.User {
	u := tenant.User{UserPrincipalName: upn(name), ID: tenant.UserID(upn(name)), SMSSignInAllowed: i.chance(30), PerUserMFAState: pick(i.Rand, "disabled", "enabled", "enforced")}
	if i.chance(60) {
		u.Phones.Mobile = i.number()
		u.SMSSignIn = natureOf(u).signsIn(u.Phones.Mobile) && i.chance(50)
		if i.chance(40) {
			u.Phones.AlternateMobile = i.number()
		}
	}
	if i.chance(30) {
		u.Phones.Office = i.number()
		if u.Phones.Mobile != "" && i.chance(20) {
			u.Phones.Office = u.Phones.Mobile
		}
	}
	if i.chance(10) {
		u.OnPremisesSyncEnabled, u.OfficeMastered = new(true), true
	}
	for n := range i.IntN(3) {
		app := tenant.Authenticator{ID: tenant.UserID(name + "/" + string(rune('a'+n))), DisplayName: pick(i.Rand, "Pixel 8", "iPhone")}
		if i.chance(80) {
			app.CreatedDateTime = i.now.AddDate(0, 0, -i.IntN(100)).Add(-time.Hour).Truncate(time.Second)
		}
		u.Authenticator = append(u.Authenticator, app)
	}
	if i.chance(30) {
		u.OtherMethods = append(u.OtherMethods, pick(i.Rand, "fido2", "softwareOath", "windowsHelloForBusiness", "email", "temporaryAccessPass"))
	}
	u.SystemPreferred = i.chance(20)
	before := worldOf(u)
	if u.PerUserMFAState == "enabled" && before.methods(natureOf(u)) > 0 {
		u.PerUserMFAState = "enforced"
	}
	if method := pick(i.Rand, "", "push", "oath", "sms", "voiceMobile", "voiceAlternateMobile", "voiceOffice"); before.can(natureOf(u), method) {
		u.DefaultMethod = method
	}
	return u
}

// command asks something of the user as they are. Until something is asked for,
// it asks again.
func (i *invention) command(name string, u tenant.User) messages.Command {
	c := messages.Command{User: name}
	for len(c.Phones) == 0 && !c.Authenticator.Removes() && c.SMSSignIn == nil && c.PerUserMFAState == "" && c.DefaultMethod == "" && c.DefaultMethodMode == "" {
		removal := pick(i.Rand, 10, 10, 90)
		i.askPhones(&c, u, removal)
		i.askApps(&c, u, removal)
		if i.chance(30) {
			c.PerUserMFAState = pick(i.Rand, messages.MFADisabled, messages.MFAEnabled, messages.MFAEnforced)
		}
		if i.chance(35) {
			c.DefaultMethod = pick(i.Rand, messages.DefaultPush, messages.DefaultOath, messages.DefaultSMS, messages.DefaultVoiceMobile, messages.DefaultVoiceAlternateMobile, messages.DefaultVoiceOffice)
			if !worldOf(u).can(natureOf(u), string(c.DefaultMethod)) && i.chance(60) {
				c.DefaultMethod = ""
				continue
			}
			c.DefaultMethodMode = pick(i.Rand, "", messages.DefaultModeOnlyIfNone, messages.DefaultModeMostSecure, messages.DefaultModeForce)
		} else if i.chance(15) {
			c.DefaultMethodMode = messages.DefaultModeMostSecure
		}
		if i.chance(30) {
			c.SMSSignIn = new(i.chance(50))
		}
	}
	if c.DefaultMethod+messages.DefaultMethod(c.DefaultMethodMode) == "" && i.chance(20) {
		c.DefaultMethodMode = messages.DefaultModeKeep
	}
	if i.chance(30) {
		c.ProtectLastMethod = new(i.chance(60))
	}
	if i.chance(25) {
		c.Expect = i.expectation(u)
	}
	return c
}

func (i *invention) askPhones(c *messages.Command, u tenant.User, removal int) {
	c.Phones, c.PhoneMode = nil, pick(i.Rand, "", "", messages.PhoneModeEnsure, messages.PhoneModeAddOnly, messages.PhoneModeRemove)
	phones := make(messages.Phones)
	held := worldOf(u).phones
	for n, t := range messages.PhoneTypes {
		switch {
		case i.chance(removal) && c.PhoneMode != messages.PhoneModeAddOnly:
			phones[t] = messages.Remove
		case i.chance(30):
			phones[t] = i.number()
		case i.chance(30) && held[n] != "":
			phones[t] = held[n]
		case i.chance(20):
			if other := pick(i.Rand, held[:]...); other != "" {
				phones[t] = other // it moves here
			}
		}
	}
	if len(phones) > 0 {
		c.Phones = phones
		return
	}
	c.PhoneMode = ""
}

func (i *invention) askApps(c *messages.Command, u tenant.User, removal int) {
	c.Authenticator = messages.Authenticator{}
	if i.chance(10) {
		c.Authenticator = pick(i.Rand,
			messages.Authenticator{RemoveAll: true}, messages.Authenticator{RemoveNamed: []string{"PIXEL 8", "none"}},
			messages.Authenticator{RemoveOlderThanDays: 50})
	}
	for _, a := range u.Authenticator {
		if i.chance(removal) {
			c.Authenticator.Remove = append(c.Authenticator.Remove, a.ID)
		}
	}
}

// expectation is right more often than not.
func (i *invention) expectation(u tenant.User) *messages.Expectation {
	right := worldOf(u)
	n := i.IntN(len(messages.PhoneTypes))
	number := right.phones[n]
	if i.chance(15) {
		number = i.number()
	}
	e := &messages.Expectation{Phones: messages.Phones{messages.PhoneTypes[n]: number}}
	if i.chance(30) {
		e.SMSSignIn = new(right.sms != i.chance(10))
	}
	if i.chance(30) {
		e.PerUserMFAState = pick(i.Rand, messages.MFAState(right.mfa), messages.MFAState(right.mfa), messages.MFADisabled)
	}
	if i.chance(30) {
		e.DefaultMethod = pick(i.Rand, messages.DefaultMethod(right.method), messages.DefaultSMS)
		if e.DefaultMethod == "" {
			e.DefaultMethod = messages.DefaultNone
		}
	}
	return e
}

// disguise writes the numbers of a command in other ways.
func (i *invention) disguise(c messages.Command) messages.Command {
	c.Phones = i.disguised(c.Phones)
	if c.Expect != nil {
		e := *c.Expect
		e.Phones = i.disguised(e.Phones)
		c.Expect = &e
	}
	return c
}

func (i *invention) disguised(phones messages.Phones) messages.Phones {
	if phones == nil {
		return nil
	}
	out := make(messages.Phones, len(phones))
	for _, t := range messages.PhoneTypes {
		if n, named := phones[t]; named {
			out[t] = pick(i.Rand, n, strings.ReplaceAll(n, " ", ""), strings.Replace(n, "555", "-555-", 1))
		}
	}
	return out
}
