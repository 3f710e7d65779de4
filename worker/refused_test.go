package worker_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
	"github.com/muster-mfa/muster/worker"
)

var authenticatorID = "8a8f8d1e-2b1c-4f5e-9d55-0d4d8a3c9b01"

// What can never work is dead-lettered with a stable reason and the trace id,
// and the user is left as they were.
func TestWhatCanNeverWorkIsDeadLettered(t *testing.T) {
	t.Parallel()
	full := tenant.User{
		UserPrincipalName: upn("ada"),
		Phones:            tenant.Phones{Mobile: number(1), AlternateMobile: number(2), Office: number(3)},
		DefaultMethod:     "push",
		Authenticator:     []tenant.Authenticator{{ID: authenticatorID}},
	}
	on := true
	tests := []struct {
		name    string
		command messages.Command
		reason  string
	}{
		{"invalid number", messages.Command{User: upn("ada"), Phones: mobile("+1 201555018")}, phone.ReasonInvalid},
		{"number without country", messages.Command{User: upn("ada"), Phones: mobile("201 555 0177")}, phone.ReasonMissingCountry},
		{"one good number and one bad", messages.Command{User: upn("ada"), Phones: messages.Phones{messages.Mobile: number(9), messages.Office: "+1 201555018"}}, phone.ReasonInvalid},
		{"unknown user by name", messages.Command{User: upn("nobody"), Phones: mobile(number(9))}, worker.ReasonUnknownUser},
		{"unknown user by id", messages.Command{User: tenant.UserID(upn("nobody")), Phones: mobile(number(9))}, worker.ReasonUnknownUser},
		{"SMS sign-in not allowed", messages.Command{User: upn("ada"), SMSSignIn: &on}, worker.ReasonSMSSignInNotAllowed},
		{"SMS sign-in without a mobile", messages.Command{User: upn("empty"), SMSSignIn: &on}, worker.ReasonSMSSignInNeedsMobile},
		{"default would become weaker", messages.Command{User: upn("ada"), Authenticator: messages.Authenticator{Remove: []string{authenticatorID}}}, worker.ReasonDefaultMethodProtected},
		{"default without its method", messages.Command{User: upn("empty"), DefaultMethod: messages.DefaultPush}, worker.ReasonDefaultMethodUnavailable},
		{"default that Graph refuses", messages.Command{User: upn("empty"), DefaultMethod: messages.DefaultOath}, worker.ReasonDefaultMethodUnavailable},
		{"alternate without a mobile", messages.Command{User: upn("empty"), Phones: messages.Phones{messages.AlternateMobile: number(9)}}, worker.ReasonAlternateNeedsMobile},
		{"mobile away under an alternate", messages.Command{User: upn("ada"), Phones: mobile(messages.Remove)}, worker.ReasonMobileNeededByAlternate},
		{"number taken for SMS sign-in", messages.Command{User: upn("rival"), Phones: mobile(number(5)), SMSSignIn: &on}, worker.ReasonSMSSignInNotUnique},
	}
	r := newRig(t, config{users: []tenant.User{
		full,
		{UserPrincipalName: upn("empty")},
		{UserPrincipalName: upn("owner"), Phones: tenant.Phones{Mobile: number(5)}, SMSSignInAllowed: true, SMSSignIn: true},
		{UserPrincipalName: upn("rival"), SMSSignInAllowed: true},
	}})
	before := r.user("ada")
	commands := make([]messages.Command, len(tests))
	for i, test := range tests {
		commands[i] = test.command
	}
	ids := r.publish(commands...)
	r.work()
	for i, test := range tests {
		r.wantDeadLetter(ids[i], test.reason)
		if got := r.outcome(ids[i]); got.Result != messages.Refused || got.Reason != test.reason || got.Detail == "" {
			t.Errorf("%s: outcome %+v, want refused, %s", test.name, got, test.reason)
		}
	}
	if after := r.user("ada"); after.Phones != before.Phones || after.DefaultMethod != before.DefaultMethod || len(after.Authenticator) != 1 {
		t.Errorf("the directory was changed: %+v", after)
	}
	r.wantDeliveries(1, ids...)
	r.wantQueue(broker.Counts{DeadLettered: len(tests)})
	if n := r.log.count("microsoft graph fails"); n != 0 {
		t.Errorf("a refusal was told as trouble %d times", n)
	}
}

// wantDeadLetter checks the dead letter of a message, and that its trace is one
// that was recorded.
func (r *rig) wantDeadLetter(id, reason string) {
	r.t.Helper()
	letter, found := r.deadLetters()[id]
	if !found {
		r.t.Fatalf("%s is no dead letter", id)
	}
	if letter.Reason != reason || letter.Description == "" {
		r.t.Errorf("dead letter %+v, want reason %s and a description", letter, reason)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(letter.TraceID) || !r.recorded(letter.TraceID) {
		r.t.Errorf("trace id %q was not recorded", letter.TraceID)
	}
}

func (r *rig) recorded(traceID string) bool {
	for _, s := range r.spans.Ended() {
		if s.SpanContext().TraceID().String() == traceID && strings.HasPrefix(s.Name(), "process ") {
			return true
		}
	}
	return false
}

// Messages that are no commands are dead-lettered by what is wrong with them,
// and repeat nothing of what was in them.
func TestWhatIsNoCommandIsDeadLettered(t *testing.T) {
	t.Parallel()
	const secret = "+1 2015550199"
	tests := map[string]struct {
		encoded messages.Encoded
		reason  string
	}{
		"plain JSON": {messages.Encoded{
			ContentType: messages.BinaryContentType,
			Body:        []byte(`{"tenant":"contoso.example","user":"ada.muster-test@contoso.example","phones":{"mobile":"` + secret + `"}}`),
		}, messages.ReasonNotCloudEvent},
		"no JSON at all": {messages.Encoded{Body: []byte(secret)}, messages.ReasonNotCloudEvent},
		"unknown member": {messages.Encoded{
			ContentType: messages.StructuredContentType,
			Body: []byte(`{"specversion":"1.0","id":"1","source":"/hr","type":"` + messages.CommandType + `","datacontenttype":"application/json",` +
				`"data":{"tenant":"contoso.example","user":"ada.muster-test@contoso.example","` + secret + `":"ada.muster-test@contoso.example"}}`),
		}, messages.ReasonMalformed},
		"another type": {messages.Encoded{
			ContentType: messages.StructuredContentType,
			Body:        []byte(`{"specversion":"1.0","id":"1","source":"/hr","type":"com.example.hired","data":{"user":"ada.muster-test@contoso.example"}}`),
		}, messages.ReasonUnsupportedType},
	}
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada")}}})
	r.foreign = append(r.foreign, secret)
	for name, test := range tests {
		r.send(name, test.encoded)
	}
	r.work()
	for name, test := range tests {
		r.wantDeadLetter(name, test.reason)
	}
	for _, o := range r.reported() {
		if o.Result != messages.Refused || o.Reason == "" || o.UserID != "" {
			t.Errorf("outcome %+v, want refused", o)
		}
	}
	if got := len(r.front.requests()); got != 0 {
		t.Errorf("%d requests to the tenant, want none", got)
	}
	r.wantQueue(broker.Counts{DeadLettered: len(tests)})
}
