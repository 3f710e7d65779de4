package worker_test

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
)

// This file tells what a command should lead to, without Graph and without a
// plan: where it leads by what the documentation says, and by how few writes by
// searching among all sequences of writes that Graph's rules allow.

// world is what Graph holds for a user and writes can change.
type world struct {
	phones [len(messages.PhoneTypes)]string
	sms    bool
	mfa    string
	method string // the default
	apps   uint8  // a bit for each Authenticator registration
}

// nature is what writes can't change.
type nature struct {
	smsAllowed bool
	codes      bool // one-time codes come from elsewhere too
	factors    int  // other methods that a second factor can be
	mastered   bool // the office phone is, elsewhere
	// found is the mobile that the user has at first. Of another one it can't be
	// told before it is written whether SMS sign-in is allowed.
	found string
	// foreseen leaves only those rules whose breach can be seen beforehand.
	foreseen bool
}

// takenNumbers are those by which others sign in. Nobody else can, but everybody
// may have them for multi-factor authentication.
var takenNumbers = [...]string{number(50001), number(50002), number(50003)}

// signsIn tells whether the number can be used to sign in by text message.
func (n nature) signsIn(number string) bool {
	if n.foreseen {
		return n.smsAllowed || number != n.found
	}
	return n.smsAllowed && !slices.Contains(takenNumbers[:], number)
}

func worldOf(u tenant.User) world {
	w := world{
		phones: [...]string{u.Phones.Mobile, u.Phones.AlternateMobile, u.Phones.Office},
		sms:    u.SMSSignIn, mfa: u.PerUserMFAState, method: u.DefaultMethod,
	}
	w.apps = 1<<len(u.Authenticator) - 1
	return w
}

func natureOf(u tenant.User) nature {
	n := nature{smsAllowed: u.SMSSignInAllowed, mastered: u.OfficeMastered, found: u.Phones.Mobile}
	for _, kind := range u.OtherMethods {
		n.codes = n.codes || kind == "softwareOath"
		if kind == "softwareOath" || kind == "fido2" || kind == "windowsHelloForBusiness" {
			n.factors++
		}
	}
	return n
}

// user is the user in that world.
func (w world) user(u tenant.User) tenant.User {
	u.Phones = tenant.Phones{Mobile: w.phones[0], AlternateMobile: w.phones[1], Office: w.phones[2]}
	u.SMSSignIn, u.PerUserMFAState, u.DefaultMethod = w.sms, w.mfa, w.method
	apps := u.Authenticator
	u.Authenticator = nil
	for i, a := range apps {
		if w.apps&(1<<i) != 0 {
			u.Authenticator = append(u.Authenticator, a)
		}
	}
	return u
}

func (w world) methods(n nature) int {
	count := 0
	if !n.foreseen {
		count = n.factors
	}
	for _, number := range w.phones {
		if number != "" {
			count++
		}
	}
	for apps := w.apps; apps != 0; apps &= apps - 1 {
		count++
	}
	return count
}

func (w world) can(n nature, method string) bool {
	switch method {
	case "push":
		return w.apps != 0
	case "oath":
		return w.apps != 0 || n.codes
	}
	i := phoneIndex(method)
	return i >= 0 && w.phones[i] != ""
}

// phoneIndex is the phone that a default rests on, -1 for none.
func phoneIndex(method string) int {
	switch method {
	case "sms", "voiceMobile":
		return 0
	case "voiceAlternateMobile":
		return 1
	case "voiceOffice":
		return 2
	}
	return -1
}

// write is one write. Those that do not count are zero.
type write struct {
	phone  int // from one
	number string
	method string
	app    uint8
	sms    *bool
	mfa    string
}

// after is where a write leads, and whether Graph allows it. That Graph enforces
// by itself what is enabled is left out: when it does is not told.
func (w world) after(n nature, x write) (world, bool) {
	switch {
	case x.phone > 0:
		return w.afterPhone(n, x.phone-1, x.number)
	case x.method != "":
		ok := w.can(n, x.method)
		w.method = x.method
		return w, ok
	case x.app != 0:
		isDefault := w.apps == x.app && (w.method == "push" || w.method == "oath" && !n.codes)
		if w.apps&x.app == 0 || isDefault && w.methods(n) > 1 {
			return w, false
		}
		w.apps &^= x.app
		if isDefault {
			w.method = ""
		}
		return w, true
	case x.sms != nil:
		ok := w.phones[0] != "" && (!*x.sms || n.signsIn(w.phones[0]))
		w.sms = *x.sms
		return w, ok
	}
	w.mfa = x.mfa
	return w, true
}

func (w world) afterPhone(n nature, i int, number string) (world, bool) {
	switch {
	case i == 2 && n.mastered && !n.foreseen:
		return w, false
	case number != "":
		w.phones[i] = number
		if i == 0 {
			w.sms = n.signsIn(number) // a number is registered for sign-in by itself
		}
		return w, i != 1 || w.phones[0] != ""
	case w.phones[i] == "", i == 0 && w.phones[1] != "":
		return w, false
	case phoneIndex(w.method) == i:
		if w.methods(n) > 1 {
			return w, false
		}
		w.method = ""
	}
	w.phones[i] = ""
	w.sms = w.sms && i != 0
	return w, true
}

// model is what a command should lead to.
type model struct {
	before, after world
	nature        nature
	apps          []string // ids of the Authenticator registrations, a bit of a world each
	command       messages.Command
	writes        int  // at least needed
	refused       bool // it can never work
	// late: it is refused by Graph and not by the plan, which does not see that.
	late bool
}

// expect works out the model of a command for a user at a time.
func expect(u tenant.User, c messages.Command, now time.Time) model {
	m := model{before: worldOf(u), nature: natureOf(u), command: c}
	for _, a := range u.Authenticator {
		m.apps = append(m.apps, a.ID)
	}
	m.after = m.before
	m.askPhones()
	m.askApps(u.Authenticator, now)
	willing := m.askDefault() && m.keepsFactor()
	reached, writes, found := m.search()
	m.refused = !willing || !found || writes > 0 && !m.asExpected()
	if m.refused {
		foreseen := m
		foreseen.nature.foreseen = true
		_, _, m.late = foreseen.search()
		m.late = m.late && willing && !found && m.asExpected()
		return m
	}
	m.after, m.writes = reached, writes
	return m
}

// end is the user once the command is done with.
func (m *model) end(u tenant.User) tenant.User {
	if m.refused {
		return u
	}
	return m.after.user(u)
}

func (m *model) askPhones() {
	for i, t := range messages.PhoneTypes {
		number, named := m.command.Phones[t]
		have := m.before.phones[i]
		switch {
		case !named:
		case number == messages.Remove:
			m.after.phones[i] = ""
		case m.command.PhoneMode == messages.PhoneModeAddOnly && have != "":
		case m.command.PhoneMode != messages.PhoneModeRemove:
			m.after.phones[i] = number
		case have == number:
			m.after.phones[i] = ""
		}
	}
}

func (m *model) askApps(apps []tenant.Authenticator, now time.Time) {
	a := m.command.Authenticator
	for i, app := range apps {
		old := a.RemoveOlderThanDays > 0 && !app.CreatedDateTime.IsZero() && app.CreatedDateTime.AddDate(0, 0, a.RemoveOlderThanDays).Before(now)
		named := slices.ContainsFunc(a.RemoveNamed, func(name string) bool { return strings.EqualFold(name, app.DisplayName) })
		if a.RemoveAll || old || named || slices.Contains(a.Remove, app.ID) {
			m.after.apps &^= 1 << i
		}
	}
}

// ranks orders default methods from the weakest.
var ranks = map[string]int{"": 0, "voiceMobile": 1, "voiceAlternateMobile": 1, "voiceOffice": 1, "sms": 2, "oath": 3, "push": 4}

// askDefault chooses the default of the end, and tells false where there may be
// none.
func (m *model) askDefault() bool {
	wanted, mode := string(m.command.DefaultMethod), m.command.DefaultMethodMode
	have := m.before.method
	gone := have != "" && !m.after.can(m.nature, have)
	best := ""
	for _, method := range []string{"push", "oath", "sms", "voiceAlternateMobile", "voiceOffice"} {
		if best == "" && m.after.can(m.nature, method) {
			best = method
		}
	}
	app := have == "push" || have == "oath"
	next := have
	switch {
	case mode == messages.DefaultModeForce:
		next = wanted
	case wanted != "" && gone:
		if next = wanted; app && phoneIndex(wanted) >= 0 {
			return false
		}
	case wanted != "":
		if have == "" || mode != messages.DefaultModeOnlyIfNone && ranks[wanted] >= ranks[have] {
			next = wanted
		}
	case gone:
		if next = best; mode == messages.DefaultModeKeep || app && phoneIndex(best) >= 0 {
			return false
		}
	case mode == messages.DefaultModeMostSecure && ranks[best] > ranks[have]:
		next = best
	}
	m.after.method = next
	return next == "" || m.after.can(m.nature, next)
}

// keepsFactor tells whether the user keeps a method, where that matters.
func (m *model) keepsFactor() bool {
	protect := m.command.Authenticator.Removes()
	if m.command.ProtectLastMethod != nil {
		protect = *m.command.ProtectLastMethod
	}
	loses := m.after.apps != m.before.apps
	for i := range m.after.phones {
		loses = loses || m.before.phones[i] != "" && m.after.phones[i] == ""
	}
	return !protect || !loses || m.after.methods(m.nature) > 0
}

// asExpected tells whether the user has what the command expects, or has already
// what it wants.
func (m *model) asExpected() bool {
	e := m.command.Expect
	if e == nil {
		return true
	}
	for i, t := range messages.PhoneTypes {
		number, named := e.Phones[t]
		wanted, asked := m.command.Phones[t]
		have := m.before.phones[i]
		if have == "" && m.command.PhoneMode == messages.PhoneModeRemove {
			wanted = messages.Remove
		} else if m.command.PhoneMode == messages.PhoneModeRemove {
			asked = false
		}
		if named && have != number && !(asked && have == wanted) {
			return false
		}
	}
	wanted := m.command.SMSSignIn
	if e.SMSSignIn != nil && *e.SMSSignIn != m.before.sms && (wanted == nil || *wanted != m.before.sms) {
		return false
	}
	if e.PerUserMFAState != "" && string(e.PerUserMFAState) != m.before.mfa && string(m.command.PerUserMFAState) != m.before.mfa {
		return false
	}
	method := strings.TrimPrefix(string(e.DefaultMethod), "none")
	return e.DefaultMethod == "" || method == m.before.method || m.before.method != "" && string(m.command.DefaultMethod) == m.before.method
}

// arrived tells whether a world is what the command asks for.
func (m *model) arrived(w world) bool {
	sms, mfa := m.command.SMSSignIn, string(m.command.PerUserMFAState)
	return w.phones == m.after.phones && w.apps == m.after.apps && w.method == m.after.method &&
		(sms == nil || *sms == w.sms) && (mfa == "" || mfa == w.mfa || mfa == "enabled" && w.mfa == "enforced")
}

// search finds the shortest way there.
func (m *model) search() (reached world, writes int, found bool) {
	moves := m.moves()
	seen := map[world]bool{m.before: true}
	for front := []world{m.before}; len(front) > 0; writes++ {
		var next []world
		for _, w := range front {
			if m.arrived(w) {
				return w, writes, true
			}
			for _, x := range moves {
				if to, ok := w.after(m.nature, x); ok && !seen[to] {
					seen[to] = true
					next = append(next, to)
				}
			}
		}
		front = next
	}
	return world{}, 0, false
}

// moves are the writes that could be of use: any default on the way, but no
// number that is neither there nor asked for.
func (m *model) moves() []write {
	var moves []write
	for i := range m.before.phones {
		if m.before.phones[i] == m.after.phones[i] {
			continue
		}
		for _, number := range []string{m.before.phones[i], m.after.phones[i]} {
			moves = append(moves, write{phone: i + 1, number: number})
		}
	}
	for method, rank := range ranks {
		if rank > 0 && m.after.method+m.before.method != "" {
			moves = append(moves, write{method: method})
		}
	}
	for bit := uint8(1); bit != 0 && bit <= m.before.apps; bit <<= 1 {
		if m.after.apps&bit == 0 {
			moves = append(moves, write{app: bit})
		}
	}
	if m.command.SMSSignIn != nil {
		moves = append(moves, write{sms: new(true)}, write{sms: new(false)})
	}
	if m.command.PerUserMFAState != "" {
		moves = append(moves, write{mfa: string(m.command.PerUserMFAState)})
	}
	return moves
}

// unsafe says what is wrong with a user who was met on the way, "" for nothing.
func (m *model) unsafe(u tenant.User) string {
	now := worldOf(u)
	now.apps = 0
	for _, a := range u.Authenticator {
		i := slices.Index(m.apps, a.ID)
		if i < 0 {
			return "a registration that was gone"
		}
		now.apps |= 1 << i
	}
	return m.wrong(now)
}

// wrong says what is wrong with a world on the way, "" for nothing.
func (m *model) wrong(now world) string {
	circle := m.circle()
	for i, had := range m.before.phones {
		will := m.after.phones[i]
		if now.phones[i] != had && now.phones[i] != will {
			return "a number that nobody asked for"
		}
		kept := had != "" && slices.Contains(m.after.phones[:], had)
		if kept && !slices.Contains(now.phones[:], had) && !circle {
			return "a number is missing that the user keeps"
		}
	}
	alternate := now.phones[1] != "" && now.phones[0] == ""
	if alternate {
		return "an alternate mobile without a mobile"
	}
	sms := m.command.SMSSignIn
	if now.sms != m.before.sms && now.phones[0] == m.before.phones[0] && (sms == nil || now.sms != *sms) {
		return "SMS sign-in that nobody asked for"
	}
	if m.after.apps&^now.apps != 0 {
		return "a registration is missing that the user keeps"
	}
	meanwhile := m.after.method == "" && m.before.method == "voiceAlternateMobile" && now.method == "sms"
	if now.method != m.before.method && now.method != m.after.method && !meanwhile {
		return "a default method that nobody asked for"
	}
	strong := m.before.method == "push" || m.before.method == "oath"
	if strong && phoneIndex(now.method) >= 0 && m.command.DefaultMethodMode != messages.DefaultModeForce {
		return "a weaker default method"
	}
	if mfa := string(m.command.PerUserMFAState); now.mfa != m.before.mfa && now.mfa != mfa && now.mfa != "enforced" {
		return "a per-user state that nobody asked for"
	}
	return ""
}

// circle tells whether numbers go round, so that one must be missing for a moment.
func (m *model) circle() bool {
	for start := range m.before.phones {
		at := start
		for range m.before.phones {
			had := m.before.phones[at]
			to := slices.IndexFunc(m.after.phones[:], func(number string) bool { return number == had })
			if had == "" || to < 0 || to == at || m.after.phones[at] == had {
				break
			}
			if at = to; at == start {
				return true
			}
		}
	}
	return false
}
