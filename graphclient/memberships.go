package graphclient

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// MaxCheckedGroups is how many groups [Directory.MemberGroups] may be asked about
// at once (directoryObject: checkMemberGroups, request body).
const MaxCheckedGroups = 20

// MemberGroups returns those of the groups, given by object id, that the user is
// in, directly or through other groups. A group that does not exist is one that
// the user is not in. It changes nothing, although it is a POST.
// POST /users/{id}/checkMemberGroups.
func (d *Directory) MemberGroups(ctx context.Context, userID string, groupIDs []string) ([]string, error) {
	k := userCall("check groups of user", http.MethodPost, V1, "/users/{id}/checkMemberGroups", userID)
	k.body = struct {
		GroupIDs []string `json:"groupIds"`
	}{groupIDs}
	k.wants = true
	k.reads, k.writes = 4, 0 // throttling limits, identity and access: POST me/checkMemberGroups
	if len(groupIDs) > MaxCheckedGroups {
		k.fault = &Error{Op: k.op, Kind: KindInvalid, Code: CodeTooManyGroups}
	}
	r, err := d.do(ctx, k)
	if err != nil {
		return nil, err
	}
	var out struct {
		Value []string `json:"value"`
	}
	if err := json.Unmarshal(r.body, &out); err != nil {
		return nil, r.unreadable(k.op)
	}
	for i, id := range out.Value {
		out.Value[i] = strings.ToLower(id)
	}
	return out.Value, nil
}

// DirectoryRole is a role of the directory that is in use in the tenant.
type DirectoryRole struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// DirectoryRoles lists the directory roles that the user has now, directly or
// through a group. Roles for which the user is only eligible, custom roles, and
// roles that are limited to an administrative unit are not among them.
// GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole.
func (d *Directory) DirectoryRoles(ctx context.Context, userID string) ([]DirectoryRole, error) {
	k := userCall("list roles of user", http.MethodGet, V1, "/users/{id}/transitiveMemberOf/microsoft.graph.directoryRole", userID)
	// The cast is an advanced query, and demands $count (List a user's
	// memberships, request headers).
	k.query = encodeQuery(url.Values{"$select": {"id,displayName"}, "$count": {"true"}})
	k.advanced = true
	return list[DirectoryRole](ctx, d, k)
}
