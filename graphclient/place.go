package graphclient

import (
	"errors"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// Version is a version of the Graph API.
type Version string

// The versions. Phones, users and Authenticator registrations live in v1.0,
// requirements and sign-in preferences in beta only.
const (
	V1   Version = "v1.0"
	Beta Version = "beta"
)

const redacted = "REDACTED"

// place is a path of Graph below the version.
type place struct {
	// template has names for the parts that vary: it is what spans, metrics and
	// logs speak of.
	template string
	// path is what is sent, percent-encoded.
	path string
	// told is path as it may be shown.
	told string
}

// at returns a place without parts that vary.
func at(path string) place { return place{template: path, path: path, told: path} }

var errUnusableID = errors.New("empty or unusable id")

// userPlace fills in the template "/users/{id}…": the user first, then the ids
// for the further parts in braces.
func userPlace(template, user string, ids ...string) (place, error) {
	rest := strings.TrimPrefix(template, "/users/{id}")
	key, err := userKey(user)
	if err != nil {
		return place{template: template}, err
	}
	p := place{template: template, path: "/users" + key, told: "/users/" + redacted}
	if isGUID(user) {
		p.told = p.path
	}
	for _, id := range ids {
		before, after, _ := cutBraces(rest)
		if !isUsable(id) {
			return place{template: template}, errUnusableID
		}
		p.path += before + url.PathEscape(id)
		if isGUID(id) {
			p.told += before + id
		} else {
			p.told += before + redacted
		}
		rest = after
	}
	p.path += rest
	p.told += rest
	return p, nil
}

func cutBraces(s string) (before, after string, ok bool) {
	before, after, ok = strings.Cut(s, "{")
	if ok {
		_, after, ok = strings.Cut(after, "}")
	}
	return before, after, ok
}

// userKey writes the user as the part of the path after /users. A guest's
// principal name holds #EXT#, which would end the path if it were not encoded. A
// name that begins with a dollar sign is refused as a segment and goes into
// parentheses (Microsoft Graph, Get a user).
func userKey(user string) (string, error) {
	switch {
	case !isUsable(user):
		return "", errUnusableID
	case strings.HasPrefix(user, "$"):
		return "('" + url.PathEscape(strings.ReplaceAll(user, "'", "''")) + "')", nil
	}
	return "/" + url.PathEscape(user), nil
}

// isUsable refuses ids that would change which resource the path means.
func isUsable(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= 1024 &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

func isGUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// encodeQuery writes a query with %20 for a space: OData readers do not all take
// a plus sign for one.
func encodeQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }
