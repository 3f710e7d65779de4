package worker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

const (
	one   = "+1 2065550101"
	two   = "+1 2065550102"
	three = "+1 2065550103"

	// hidden is how Graph shows number one to those who may not see it.
	hidden = "+1 ********01"

	addOnly    = messages.PhoneModeAddOnly
	removeMode = messages.PhoneModeRemove
	keep       = messages.DefaultModeKeep
	onlyIfNone = messages.DefaultModeOnlyIfNone
	mostSecure = messages.DefaultModeMostSecure
	force      = messages.DefaultModeForce
)

// noon is the time of the plans.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

type phones = map[messages.PhoneType]worker.Phone

func state(edit func(*worker.State)) worker.State {
	s := worker.State{Phones: make(phones)}
	if edit != nil {
		edit(&s)
	}
	return s
}

func has(t messages.PhoneType, number string) func(*worker.State) {
	return func(s *worker.State) {
		s.Phones[t] = worker.Phone{Number: number, SMSSignIn: worker.SMSNotAllowedByPolicy}
	}
}

func all(edits ...func(*worker.State)) worker.State {
	return state(func(s *worker.State) {
		for _, edit := range edits {
			edit(s)
		}
	})
}

func defaults(m messages.DefaultMethod) func(*worker.State) {
	return func(s *worker.State) { s.Default = m }
}

func authenticators(ids ...string) func(*worker.State) {
	return func(s *worker.State) {
		for _, id := range ids {
			s.Authenticator = append(s.Authenticator, worker.Registration{ID: id})
		}
	}
}

func registered(rs ...worker.Registration) func(*worker.State) {
	return func(s *worker.State) { s.Authenticator = append(s.Authenticator, rs...) }
}

func others(kinds ...graphclient.MethodType) func(*worker.State) {
	return func(s *worker.State) { s.Other = kinds }
}

func mfa(m messages.MFAState) func(*worker.State) {
	return func(s *worker.State) { s.MFAState = m }
}

func systemPreferred(s *worker.State) { s.SystemPreferred = true }

var (
	pixel   = worker.Registration{ID: "pixel", Name: "Pixel 8", Created: noon.AddDate(0, 0, -31)}
	iphone  = worker.Registration{ID: "iphone", Name: "iPhone", Created: noon.AddDate(0, 0, -1)}
	undated = worker.Registration{ID: "undated", Name: "Nexus"}
)

func expectMobile(number string) *messages.Expectation {
	return &messages.Expectation{Phones: messages.Phones{messages.Mobile: number}}
}

// removing asks for the removal of registrations by id.
func removing(ids ...string) messages.Authenticator { return messages.Authenticator{Remove: ids} }

func sms(to worker.SMSState) func(*worker.State) {
	return func(s *worker.State) { s.Phones[messages.Mobile] = worker.Phone{Number: one, SMSSignIn: to} }
}

type numbers = map[messages.PhoneType]phone.Number

func TestMakePlan(t *testing.T) {
	yes, no := true, false
	add := func(p messages.PhoneType, n phone.Number) worker.Step {
		return worker.Step{Kind: worker.AddPhone, Phone: p, Number: n}
	}
	change := func(p messages.PhoneType, n phone.Number) worker.Step {
		return worker.Step{Kind: worker.ChangePhone, Phone: p, Number: n}
	}
	remove := func(p messages.PhoneType) worker.Step { return worker.Step{Kind: worker.DeletePhone, Phone: p} }
	drop := func(id string) worker.Step { return worker.Step{Kind: worker.DeleteAuthenticator, MethodID: id} }
	setDefault := func(m messages.DefaultMethod) worker.Step {
		return worker.Step{Kind: worker.SetDefault, Default: m}
	}
	for _, test := range []struct {
		name    string
		is      worker.State
		wanted  worker.Wanted
		steps   []worker.Step
		recheck bool
		reason  string
		warning string // the only one
	}{
		{name: "a new mobile is added", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}, steps: []worker.Step{add(messages.Mobile, one)}},
		{name: "the same mobile is left alone", is: all(has(messages.Mobile, one)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}},
		{name: "formatting does not make a difference", is: all(has(messages.Mobile, "+12065550101")), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}},
		{name: "another mobile is changed in place", is: all(has(messages.Mobile, one)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}}, steps: []worker.Step{change(messages.Mobile, two)}},
		{name: "an extension makes a difference", is: all(has(messages.Office, one)), wanted: worker.Wanted{Phones: numbers{messages.Office: one + "x12"}}, steps: []worker.Step{change(messages.Office, one+"x12")}},
		{
			name: "mobile before alternate before office", is: state(nil),
			wanted: worker.Wanted{Phones: numbers{messages.Office: three, messages.AlternateMobile: two, messages.Mobile: one}},
			steps:  []worker.Step{add(messages.Mobile, one), add(messages.AlternateMobile, two), add(messages.Office, three)},
		},
		{name: "an alternate alone needs a mobile", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.AlternateMobile: two}}, reason: worker.ReasonAlternateNeedsMobile},
		{
			name: "an alternate needs a mobile that stays", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove, messages.AlternateMobile: two}}, reason: worker.ReasonAlternateNeedsMobile,
		},
		{
			name: "alternate removed before mobile", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two), has(messages.Office, three)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove, messages.AlternateMobile: messages.Remove, messages.Office: messages.Remove}},
			steps:  []worker.Step{remove(messages.AlternateMobile), remove(messages.Office), remove(messages.Mobile)},
		},
		{
			name: "a mobile stays while there is an alternate", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}}, reason: worker.ReasonMobileNeededByAlternate,
		},
		{
			name: "the alternate becomes the mobile", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two, messages.AlternateMobile: messages.Remove}},
			steps:  []worker.Step{change(messages.Mobile, two), remove(messages.AlternateMobile)},
		},
		{name: "what is not there needs no removal", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Office: messages.Remove}}},
		{
			name: "the default is set after its phone is added", is: all(defaults(messages.DefaultPush), authenticators("a")),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}, DefaultMethod: messages.DefaultSMS, DefaultMethodMode: force},
			steps:  []worker.Step{add(messages.Mobile, one), setDefault(messages.DefaultSMS)},
		},
		{
			name: "a stronger default is left alone", is: all(defaults(messages.DefaultPush), authenticators("a")),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}, steps: []worker.Step{add(messages.Mobile, one)},
		},
		{
			name: "a default needs its method", is: state(nil),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultVoiceOffice}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "push needs an authenticator", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultPush}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "a default that the same command removes", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, DefaultMethod: messages.DefaultSMS}, reason: worker.ReasonDefaultMethodUnavailable,
		},
		{
			name: "another default before the default's phone goes", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}},
			steps:  []worker.Step{setDefault(messages.DefaultVoiceOffice), remove(messages.Mobile)},
		},
		{
			name: "the authenticator is the first choice", is: all(has(messages.Mobile, one), has(messages.Office, two), authenticators("a"), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}},
			steps:  []worker.Step{setDefault(messages.DefaultPush), remove(messages.Mobile)},
		},
		{
			name: "the last method may go with its default", is: all(has(messages.Mobile, one), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}},
			steps:  []worker.Step{{Kind: worker.DeletePhone, Phone: messages.Mobile, Default: messages.DefaultSMS}},
		},
		{
			name: "a phone does not take over from the authenticator unasked", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{Authenticator: removing("a")}, reason: worker.ReasonDefaultMethodProtected,
		},
		{
			name: "a phone takes over from the authenticator when told to", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{Authenticator: removing("a"), DefaultMethod: messages.DefaultSMS, DefaultMethodMode: force},
			steps:  []worker.Step{setDefault(messages.DefaultSMS), {Kind: worker.DeleteAuthenticator, MethodID: "a"}},
		},
		{
			name: "one of two authenticators leaves the default alone", is: all(authenticators("a", "b"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{Authenticator: removing("a", "gone")}, steps: []worker.Step{{Kind: worker.DeleteAuthenticator, MethodID: "a"}},
		},
		{
			name: "add-only adds", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{PhoneMode: addOnly, Phones: numbers{messages.Mobile: one, messages.Office: two}}, steps: []worker.Step{add(messages.Office, two)},
		},
		{
			name: "add-only leaves another number alone", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{PhoneMode: addOnly, Phones: numbers{messages.Mobile: two, messages.AlternateMobile: three}},
			steps:  []worker.Step{add(messages.AlternateMobile, three)}, warning: worker.WarningNumberKept,
		},
		{
			name: "remove mode removes the number named", is: all(has(messages.Mobile, "+12065550101")),
			wanted: worker.Wanted{PhoneMode: removeMode, Phones: numbers{messages.Mobile: one}}, steps: []worker.Step{remove(messages.Mobile)},
		},
		{
			name: "remove mode leaves another number alone", is: all(has(messages.Mobile, one), has(messages.Office, three)),
			wanted: worker.Wanted{PhoneMode: removeMode, Phones: numbers{messages.Mobile: two, messages.Office: messages.Remove}},
			steps:  []worker.Step{remove(messages.Office)}, warning: worker.WarningNumberKept,
		},
		{name: "remove mode finds nothing", is: state(nil), wanted: worker.Wanted{PhoneMode: removeMode, Phones: numbers{messages.Mobile: two}}},
		{
			name: "a number goes to another type before it goes here", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove, messages.Office: one}},
			steps:  []worker.Step{add(messages.Office, one), remove(messages.Mobile)},
		},
		{
			name: "a number moves on before another takes its place", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two, messages.AlternateMobile: one}},
			steps:  []worker.Step{add(messages.AlternateMobile, one), change(messages.Mobile, two)},
		},
		{
			name: "numbers move in a chain", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: three, messages.AlternateMobile: one, messages.Office: two}},
			steps:  []worker.Step{add(messages.Office, two), change(messages.AlternateMobile, one), change(messages.Mobile, three)},
		},
		{
			name: "two numbers change places", is: all(has(messages.Mobile, one), has(messages.AlternateMobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two, messages.AlternateMobile: one}},
			steps:  []worker.Step{change(messages.Mobile, two), change(messages.AlternateMobile, one)},
		},
		{name: "a hidden number can't be compared", is: all(has(messages.Mobile, hidden)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}}, reason: worker.ReasonNumbersHidden},
		{name: "a hidden number can't be told for removal", is: all(has(messages.Mobile, hidden)), wanted: worker.Wanted{PhoneMode: removeMode, Phones: numbers{messages.Mobile: one}}, reason: worker.ReasonNumbersHidden},
		{name: "a hidden number can be removed", is: all(has(messages.Mobile, hidden)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}}, steps: []worker.Step{remove(messages.Mobile)}},
		{name: "a hidden number can be kept", is: all(has(messages.Mobile, hidden)), wanted: worker.Wanted{PhoneMode: addOnly, Phones: numbers{messages.Mobile: one}}, warning: worker.WarningNumberKept},
		{
			name: "a weaker default is not set", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS}, warning: worker.WarningDefaultMethodKept,
		},
		{
			name: "a code is stronger than a text message", is: all(has(messages.Mobile, one), others(graphclient.MethodSoftwareOath), defaults(messages.DefaultOath)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS, DefaultMethodMode: mostSecure}, warning: worker.WarningDefaultMethodKept,
		},
		{
			name: "a text message is stronger than a call", is: all(has(messages.Mobile, one), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultVoiceMobile}, warning: worker.WarningDefaultMethodKept,
		},
		{
			name: "calls are equal", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultVoiceOffice)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultVoiceMobile}, steps: []worker.Step{setDefault(messages.DefaultVoiceMobile)},
		},
		{
			name: "a default that we do not know stays", is: all(has(messages.Mobile, one), defaults("unknownFutureValue")),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS}, warning: worker.WarningDefaultMethodKept,
		},
		{
			name: "a weaker default by force", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS, DefaultMethodMode: force}, steps: []worker.Step{setDefault(messages.DefaultSMS)},
		},
		{
			name: "only if none, and there is none", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS, DefaultMethodMode: onlyIfNone}, steps: []worker.Step{setDefault(messages.DefaultSMS)},
		},
		{
			name: "only if none, and there is one", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultVoiceMobile)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultPush, DefaultMethodMode: onlyIfNone}, warning: worker.WarningDefaultMethodKept,
		},
		{
			name: "the strongest takes over", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{DefaultMethodMode: mostSecure}, steps: []worker.Step{setDefault(messages.DefaultPush)},
		},
		{
			name: "the strongest may be the one that is added", is: all(has(messages.Office, two), defaults(messages.DefaultVoiceOffice)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}, DefaultMethodMode: mostSecure},
			steps:  []worker.Step{add(messages.Mobile, one), setDefault(messages.DefaultSMS)},
		},
		{
			name: "the strongest may be a code", is: all(has(messages.Mobile, one), others(graphclient.MethodHardwareOath)),
			wanted: worker.Wanted{DefaultMethodMode: mostSecure}, steps: []worker.Step{setDefault(messages.DefaultOath)},
		},
		{name: "the strongest is there", is: all(authenticators("a"), defaults(messages.DefaultPush)), wanted: worker.Wanted{DefaultMethodMode: mostSecure}},
		{name: "nothing can be the strongest", is: all(others(graphclient.MethodFIDO2)), wanted: worker.Wanted{DefaultMethodMode: mostSecure}},
		{
			name: "the strongest is no phone after a code", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultOath)),
			wanted: worker.Wanted{Authenticator: removing("a"), DefaultMethodMode: mostSecure}, reason: worker.ReasonDefaultMethodProtected,
		},
		{
			name: "a code from elsewhere takes over from push", is: all(has(messages.Mobile, one), authenticators("a"), others(graphclient.MethodSoftwareOath), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{Authenticator: removing("a")},
			steps:  []worker.Step{setDefault(messages.DefaultOath), {Kind: worker.DeleteAuthenticator, MethodID: "a"}},
		},
		{
			name: "a kept default can't be replaced", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, DefaultMethodMode: keep}, reason: worker.ReasonDefaultMethodProtected,
		},
		{
			name: "a kept default stays", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Office: messages.Remove}, DefaultMethodMode: keep}, steps: []worker.Step{remove(messages.Office)},
		},
		{
			name: "a named default replaces one that goes", is: all(has(messages.Mobile, one), has(messages.Office, two), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, DefaultMethod: messages.DefaultVoiceOffice},
			steps:  []worker.Step{setDefault(messages.DefaultVoiceOffice), remove(messages.Mobile)},
		},
		{
			name: "a named phone does not replace push that goes", is: all(has(messages.Mobile, one), authenticators("a"), defaults(messages.DefaultPush)),
			wanted: worker.Wanted{Authenticator: removing("a"), DefaultMethod: messages.DefaultSMS}, reason: worker.ReasonDefaultMethodProtected,
		},
		{
			name: "a default is ignored where the system prefers", is: all(has(messages.Mobile, one), systemPreferred),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultSMS}, steps: []worker.Step{setDefault(messages.DefaultSMS)}, warning: worker.WarningSystemPreferredMethod,
		},
		{
			name: "no default is asked for where the system prefers", is: all(has(messages.Mobile, one), systemPreferred),
			wanted: worker.Wanted{Phones: numbers{messages.Office: two}}, steps: []worker.Step{add(messages.Office, two)},
		},
		{
			name: "registrations by name", is: all(has(messages.Mobile, one), registered(pixel, iphone)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveNamed: []string{"PIXEL 8", "gone"}}}, steps: []worker.Step{drop("pixel")},
		},
		{
			name: "registrations by age", is: all(has(messages.Mobile, one), registered(pixel, iphone, undated)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveOlderThanDays: 30}}, steps: []worker.Step{drop("pixel")}, warning: worker.WarningRegistrationDateUnknown,
		},
		{
			name: "exactly so old is not older", is: all(has(messages.Mobile, one), registered(pixel)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveOlderThanDays: 31}},
		},
		{
			name: "an undated registration that goes anyway", is: all(has(messages.Mobile, one), registered(undated)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveOlderThanDays: 30, Remove: []string{"undated"}}}, steps: []worker.Step{drop("undated")},
		},
		{
			name: "an id in capitals", is: all(has(messages.Mobile, one), registered(pixel, iphone)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{Remove: []string{"PIXEL"}}}, steps: []worker.Step{drop("pixel")},
		},
		{
			name: "all registrations", is: all(has(messages.Mobile, one), registered(pixel, iphone, undated)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveAll: true, RemoveOlderThanDays: 5}}, steps: []worker.Step{drop("pixel"), drop("iphone"), drop("undated")},
		},
		{
			name: "the last method stays unless told otherwise", is: all(registered(pixel)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveAll: true}}, reason: worker.ReasonLastMethod,
		},
		{
			name: "the last method goes when told to", is: all(registered(pixel)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveAll: true}, ProtectLastMethod: &no}, steps: []worker.Step{drop("pixel")},
		},
		{
			name: "a security key is a method", is: all(registered(pixel), others(graphclient.MethodPassword, graphclient.MethodFIDO2)),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveAll: true}}, steps: []worker.Step{drop("pixel")},
		},
		{
			name: "a password, an address and a pass are none", is: all(registered(pixel), others(graphclient.MethodPassword, graphclient.MethodEmail, graphclient.MethodTemporaryAccessPass, "unheardOf")),
			wanted: worker.Wanted{Authenticator: messages.Authenticator{RemoveAll: true}}, reason: worker.ReasonLastMethod,
		},
		{
			name: "the last phone is protected on demand", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, ProtectLastMethod: &yes}, reason: worker.ReasonLastMethod,
		},
		{name: "who has no method loses none", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: messages.Remove}, ProtectLastMethod: &yes}},
		{
			name: "what is expected is there", is: all(has(messages.Mobile, "+12065550101"), mfa(messages.MFAEnabled), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: &messages.Expectation{
				Phones:    messages.Phones{messages.Mobile: one, messages.Office: messages.Remove},
				SMSSignIn: &no, PerUserMFAState: messages.MFAEnabled, DefaultMethod: messages.DefaultSMS,
			}},
			steps: []worker.Step{change(messages.Mobile, two)},
		},
		{name: "another number than expected", is: all(has(messages.Mobile, three)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: expectMobile(one)}, reason: worker.ReasonChangedSince},
		{name: "no number where one is expected", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: expectMobile(one)}, reason: worker.ReasonChangedSince},
		{name: "a number where none is expected", is: all(has(messages.Mobile, one)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: expectMobile(messages.Remove)}, reason: worker.ReasonChangedSince},
		{name: "what is wanted is there already", is: all(has(messages.Mobile, two)), wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: expectMobile(one)}},
		{
			name: "half of what is wanted is there already", is: all(has(messages.Mobile, two)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two, messages.Office: three}, Expect: expectMobile(one)}, steps: []worker.Step{add(messages.Office, three)},
		},
		{name: "a hidden number can't be expected", is: all(has(messages.Mobile, hidden)), wanted: worker.Wanted{SMSSignIn: &yes, Expect: expectMobile(one)}, reason: worker.ReasonNumbersHidden},
		{
			name: "another sms sign-in than expected", is: all(sms(worker.SMSReady)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: &messages.Expectation{SMSSignIn: &no}}, reason: worker.ReasonChangedSince,
		},
		{
			name: "sms sign-in is not known yet", is: all(sms(worker.SMSUnknown)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: &messages.Expectation{SMSSignIn: &no}}, recheck: true,
		},
		{
			name: "another state than expected", is: all(mfa(messages.MFAEnforced)),
			wanted: worker.Wanted{MFAState: messages.MFADisabled, Expect: &messages.Expectation{PerUserMFAState: messages.MFAEnabled}}, reason: worker.ReasonChangedSince,
		},
		{
			name: "another default than expected", is: all(has(messages.Mobile, one), defaults(messages.DefaultSMS)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: &messages.Expectation{DefaultMethod: messages.DefaultNone}}, reason: worker.ReasonChangedSince,
		},
		{
			name: "no default as expected", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}, Expect: &messages.Expectation{DefaultMethod: messages.DefaultNone}}, steps: []worker.Step{change(messages.Mobile, two)},
		},
		{
			name: "a change is told before what else is wrong", is: all(has(messages.Mobile, one)),
			wanted: worker.Wanted{DefaultMethod: messages.DefaultPush, Expect: expectMobile(two)}, reason: worker.ReasonChangedSince,
		},
		{
			name: "sms sign-in is turned on by itself", is: all(sms(worker.SMSNotEnabled)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}}, steps: []worker.Step{change(messages.Mobile, two)}, warning: worker.WarningSMSSignInTurnedOn,
		},
		{
			name: "sms sign-in stays on", is: all(sms(worker.SMSReady)),
			wanted: worker.Wanted{Phones: numbers{messages.Mobile: two}}, steps: []worker.Step{change(messages.Mobile, two)},
		},
		{name: "sms sign-in on", is: all(sms(worker.SMSNotEnabled)), wanted: worker.Wanted{SMSSignIn: &yes}, steps: []worker.Step{{Kind: worker.EnableSMS}}},
		{name: "sms sign-in is on", is: all(sms(worker.SMSReady)), wanted: worker.Wanted{SMSSignIn: &yes}},
		{name: "sms sign-in off", is: all(sms(worker.SMSReady)), wanted: worker.Wanted{SMSSignIn: &no}, steps: []worker.Step{{Kind: worker.DisableSMS}}},
		{name: "sms sign-in is off", is: all(sms(worker.SMSNotAllowedByPolicy)), wanted: worker.Wanted{SMSSignIn: &no}},
		{name: "sms sign-in not allowed", is: all(sms(worker.SMSNotAllowedByPolicy)), wanted: worker.Wanted{SMSSignIn: &yes}, reason: worker.ReasonSMSSignInNotAllowed},
		{name: "sms sign-in that was not unique is tried again", is: all(sms(worker.SMSNotUnique)), wanted: worker.Wanted{SMSSignIn: &yes}, steps: []worker.Step{{Kind: worker.EnableSMS}}},
		{name: "sms sign-in without a mobile", is: state(nil), wanted: worker.Wanted{SMSSignIn: &yes}, reason: worker.ReasonSMSSignInNeedsMobile},
		{
			name: "sms sign-in of a number that is there is looked at before anything is written", is: all(sms(worker.SMSUnknown), has(messages.Office, three)),
			wanted: worker.Wanted{Phones: numbers{messages.Office: messages.Remove}, SMSSignIn: &yes}, recheck: true,
		},
		{name: "no sms sign-in without a mobile", is: state(nil), wanted: worker.Wanted{SMSSignIn: &no}},
		{
			name: "sms sign-in of a new number is looked at again", is: state(nil), wanted: worker.Wanted{Phones: numbers{messages.Mobile: one}, SMSSignIn: &no},
			steps: []worker.Step{add(messages.Mobile, one)}, recheck: true,
		},
		{name: "enforced is as good as enabled", is: state(func(s *worker.State) { s.MFAState = messages.MFAEnforced }), wanted: worker.Wanted{MFAState: messages.MFAEnabled}},
		{
			name: "enabled is not enforced", is: state(func(s *worker.State) { s.MFAState = messages.MFAEnabled }), wanted: worker.Wanted{MFAState: messages.MFAEnforced},
			steps: []worker.Step{{Kind: worker.SetMFAState, MFAState: messages.MFAEnforced}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := worker.MakePlan(test.is, test.wanted, noon)
			var refusal *worker.Refusal
			if errors.As(err, &refusal); (refusal == nil) != (test.reason == "") || refusal != nil && refusal.Reason != test.reason {
				t.Fatalf("got refusal %v, want %q", err, test.reason)
			}
			if diff := cmp.Diff(test.steps, plan.Steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got, want := plan.Recheck, test.recheck; got != want {
				t.Errorf("recheck %v, want %v", got, want)
			}
			if got, want := strings.Join(plan.Warnings, " "), test.warning; got != want {
				t.Errorf("warnings %q, want %q", got, want)
			}
		})
	}
}
