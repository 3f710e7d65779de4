package tenant

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// directory holds the users. Its methods may be called concurrently; a record
// that one of them returns is never changed afterwards.
type directory struct {
	lag    time.Duration
	audits audits

	mu    sync.Mutex
	byID  map[string]*entry
	byUPN map[string]string // lower-case user principal name -> id
	ids   []string          // sorted: the order of listings
	sms   map[string]string // number -> id of the user who signs in with it
}

func newDirectory(lag time.Duration) *directory {
	return &directory{lag: lag, byID: map[string]*entry{}, byUPN: map[string]string{}, sms: map[string]string{}}
}

// add puts users into the directory: all of them, or none and every reason.
// Where created is not the zero time, reads within the lag after it may miss
// the users.
func (d *directory) add(users []User, created time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh, err := d.check(users)
	if err != nil {
		return err
	}
	for _, r := range fresh {
		e := &entry{current: r}
		if !created.IsZero() && d.lag > 0 {
			e.past = []version{{record: nil, until: created}}
		}
		d.byID[r.ID] = e
		d.byUPN[strings.ToLower(r.UserPrincipalName)] = r.ID
		d.ids = append(d.ids, r.ID)
		if r.SMSSignIn {
			d.sms[r.Phones.Mobile] = r.ID
		}
	}
	slices.Sort(d.ids)
	return nil
}

// check normalises the users and sees that they clash neither with the
// directory nor with one another. A user is named by its place in the list.
func (d *directory) check(users []User) ([]*record, error) {
	var faults []error
	fresh := make([]*record, 0, len(users))
	ids, upns, numbers := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, u := range users {
		u, err := u.normalised()
		if err != nil {
			faults = append(faults, fmt.Errorf("user %d: %w", i+1, err))
		}
		upn := strings.ToLower(u.UserPrincipalName)
		if d.byID[u.ID] != nil || ids[u.ID] {
			faults = append(faults, fmt.Errorf("user %d: the id is taken", i+1))
		}
		if d.byUPN[upn] != "" || upns[upn] {
			faults = append(faults, fmt.Errorf("user %d: the userPrincipalName is taken", i+1))
		}
		if u.SMSSignIn && (d.sms[u.Phones.Mobile] != "" || numbers[u.Phones.Mobile]) {
			faults = append(faults, fmt.Errorf("user %d: the mobile is registered for SMS sign-in already", i+1))
		}
		ids[u.ID], upns[upn] = true, true
		if u.SMSSignIn {
			numbers[u.Phones.Mobile] = true
		}
		fresh = append(fresh, &record{User: u})
	}
	return fresh, errors.Join(faults...)
}

// find returns the entry of a user by object id or user principal name. The
// caller holds the lock.
func (d *directory) find(idOrUPN string) *entry {
	if e := d.byID[idOrUPN]; e != nil {
		return e
	}
	key := strings.ToLower(idOrUPN)
	if e := d.byID[key]; e != nil {
		return e
	}
	return d.byID[d.byUPN[key]]
}

// sight is how one request sees the directory: when, and how its reads err.
type sight struct {
	now   time.Time
	stale float64
	dice  *dice
}

// read returns a user as the request sees it, nil where it sees none.
func (d *directory) read(idOrUPN string, s sight) (r *record, stale bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.find(idOrUPN)
	if e == nil {
		return nil, false
	}
	return e.visible(s.now, d.lag, s.stale, s.dice)
}

// update applies a change to what the directory really holds of a user, never
// to a stale record; but a user who was just created may not be there yet. A
// change that is refused leaves the record as it is, save the collision of SMS
// sign-in numbers, which is told after the number was stored.
func (d *directory) update(idOrUPN string, s sight, change func(*record, numberOwners) *refusal) (after *record, changed bool, no *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.find(idOrUPN)
	if e == nil {
		return nil, false, userNotFound(idOrUPN)
	}
	if seen, _ := e.visible(s.now, d.lag, s.stale, s.dice); seen == nil {
		return nil, false, userNotFound(idOrUPN)
	}
	next := *e.current
	no = change(&next, func(number string) string { return d.sms[number] })
	if no != nil && no.status != http.StatusConflict {
		return e.current, false, no
	}
	if next.equal(e.current) {
		return e.current, false, no
	}
	d.moveSMS(e.current, &next)
	e.replace(&next, s.now, d.lag)
	return &next, true, no
}

// moveSMS keeps the register of SMS sign-in numbers in step with a write.
func (d *directory) moveSMS(before, after *record) {
	if before.SMSSignIn {
		delete(d.sms, before.Phones.Mobile)
	}
	if after.SMSSignIn {
		d.sms[after.Phones.Mobile] = after.ID
	}
}

// page calls show for the users with an id above the given one, in the order of
// ids, until show returns false. Users that the request does not see yet are
// left out.
func (d *directory) page(after string, s sight, show func(*record) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from, found := slices.BinarySearch(d.ids, after)
	if found {
		from++
	}
	for _, id := range d.ids[from:] {
		r, _ := d.byID[id].visible(s.now, d.lag, s.stale, s.dice)
		if r != nil && !show(r) {
			return
		}
	}
}

// snapshot returns what the directory really holds, sorted by user principal
// name.
func (d *directory) snapshot() []User {
	d.mu.Lock()
	defer d.mu.Unlock()
	users := make([]User, 0, len(d.byID))
	for _, e := range d.byID {
		users = append(users, e.current.clone())
	}
	slices.SortFunc(users, func(a, b User) int {
		return strings.Compare(a.UserPrincipalName, b.UserPrincipalName)
	})
	return users
}

// user returns what the directory really holds of a user.
func (d *directory) user(idOrUPN string) (User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.find(idOrUPN)
	if e == nil {
		return User{}, false
	}
	return e.current.clone(), true
}
