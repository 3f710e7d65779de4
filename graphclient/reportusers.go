package graphclient

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// ReportUser is a user with what a report about methods tells of it.
type ReportUser struct {
	User
	Department string `json:"department"`
	// LastPasswordChange is zero where Graph does not know it.
	LastPasswordChange time.Time `json:"lastPasswordChangeDateTime"`
	// PerUserMFAState is empty where it was not asked for, or not told.
	PerUserMFAState MFAState `json:"perUserMfaState"`
}

// ReportUsersQuery says what to list.
type ReportUsersQuery struct {
	// PerUserMFAState asks for the per-user MFA state too. That is in no
	// documentation: some tenants answer it, and others refuse the request
	// (KindInvalid) or leave the property out. [Directory.UserDetails] reads the
	// state of a user by the documented way.
	PerUserMFAState bool
}

// ReportUsers lists all users, 999 at a time, as they are asked for. An error
// comes with a zero ReportUser and ends the listing. GET /users.
func (d *Directory) ReportUsers(ctx context.Context, q ReportUsersQuery) iter.Seq2[ReportUser, error] {
	fields := append(UserFields(), "department", "lastPasswordChangeDateTime")
	if q.PerUserMFAState {
		fields = append(fields, "perUserMfaState")
	}
	k := usersCall(UsersQuery{Select: fields})
	k.op = "list users for report"
	return pages[ReportUser](ctx, d, k)
}

// Details says which authentication data of a user to read.
type Details struct {
	// PerUserMFAState reads authentication/requirements (Policy.Read.All).
	PerUserMFAState bool
	// Preferences reads authentication/signInPreferences, and Methods
	// authentication/methods (both UserAuthenticationMethod.Read.All).
	Preferences, Methods bool
	// Phones reads authentication/phoneMethods (UserAuthMethod-Phone.Read.All).
	Phones bool
}

// parts is how many requests the details of one user take.
func (w Details) parts() int {
	n := 0
	for _, wanted := range [...]bool{w.PerUserMFAState, w.Preferences, w.Methods, w.Phones} {
		if wanted {
			n++
		}
	}
	return n
}

// UsersPerBatch is how many users one $batch has room for; zero where nothing is
// wanted.
func (w Details) UsersPerBatch() int {
	if n := w.parts(); n > 0 {
		return MaxBatch / n
	}
	return 0
}

// UserDetails is what was read of one user. Of what was not asked for, or came
// with an error, the value is zero.
type UserDetails struct {
	PerUserMFAState    MFAState
	PerUserMFAStateErr error
	Preferences        SignInPreferences
	PreferencesErr     error
	// Methods holds every method, the password among them, so a type can be there
	// twice.
	Methods    []Method
	MethodsErr error
	Phones     []PhoneMethod
	PhonesErr  error
}

// UserDetails reads the details of several users, at most
// [Details.UsersPerBatch], in one $batch, and returns them in the order of the
// ids. Beta. The error is not nil only where nothing was answered at all.
func (d *Directory) UserDetails(ctx context.Context, userIDs []string, want Details) ([]UserDetails, error) {
	reads := want.reads()
	var parts []Part
	for _, id := range userIDs {
		for _, r := range reads {
			path, err := UserPath(id, r.path)
			if err != nil {
				return nil, err
			}
			parts = append(parts, Part{Method: http.MethodGet, Path: path})
		}
	}
	replies, err := d.Batch(ctx, Beta, parts)
	if err != nil {
		return nil, err
	}
	all := make([]UserDetails, len(userIDs))
	for i := range replies {
		reads[i%len(reads)].take(&all[i/len(reads)], replies[i])
	}
	return all, nil
}

// detailRead is one of the requests that UserDetails makes of each user.
type detailRead struct {
	path string
	take func(*UserDetails, Reply)
}

func (w Details) reads() []detailRead {
	var reads []detailRead
	if w.PerUserMFAState {
		reads = append(reads, detailRead{"/authentication/requirements", func(u *UserDetails, r Reply) {
			var out requirements
			u.PerUserMFAStateErr = r.decode(&out)
			u.PerUserMFAState = out.PerUserMFAState
		}})
	}
	if w.Preferences {
		reads = append(reads, detailRead{"/authentication/signInPreferences", func(u *UserDetails, r Reply) {
			u.PreferencesErr = r.decode(&u.Preferences)
		}})
	}
	if w.Methods {
		reads = append(reads, detailRead{"/authentication/methods", func(u *UserDetails, r Reply) {
			var out page[listedMethod]
			u.MethodsErr = r.decode(&out)
			for _, m := range out.Value {
				u.Methods = append(u.Methods, Method{ID: m.ID, Type: m.kind()})
			}
		}})
	}
	if w.Phones {
		reads = append(reads, detailRead{"/authentication/phoneMethods", func(u *UserDetails, r Reply) {
			var out page[PhoneMethod]
			u.PhonesErr = r.decode(&out)
			u.Phones = out.Value
		}})
	}
	return reads
}

// errUnreadablePart tells of a part whose body is not what the documentation
// says. It does not quote it.
var errUnreadablePart = errors.New("unreadable reply")

func (r Reply) decode(out any) error {
	if r.Err != nil {
		return r.Err
	}
	if json.Unmarshal(r.Body, out) != nil {
		return &Error{Op: "batch part", Kind: KindTransient, StatusCode: r.StatusCode, Code: CodeUnreadableReply, cause: errUnreadablePart}
	}
	return nil
}

// reportCall is a call to one of the report collections, which have a limit of
// their own: 5 requests in 10 s for one application in one tenant (Microsoft
// Graph throttling limits, Identity and access reports). pace is asked before
// every attempt, beside the client's Limiter; nil does not hold back.
func reportCall(op string, v Version, path string, q url.Values, pace func(context.Context) error) call {
	k := call{op: op, method: http.MethodGet, version: v, place: at(path), query: encodeQuery(q), wants: true, pace: pace}
	k.reads, k.writes = cost(k.method)
	return k
}
