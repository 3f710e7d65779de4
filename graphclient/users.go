package graphclient

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// User is a user of the directory, with what [UserFields] asks for.
type User struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
	// AccountEnabled is nil where Graph does not tell, as with a permission for
	// basic properties only.
	AccountEnabled *bool `json:"accountEnabled"`
	// UserType is Member or Guest.
	UserType string `json:"userType"`
	// OnPremisesSyncEnabled: the user comes from an on-premises directory.
	OnPremisesSyncEnabled bool `json:"onPremisesSyncEnabled"`
	// Department is empty for a user without one.
	Department string `json:"department"`
	// UsageLocation is a country by its ISO 3166 code, empty where none is set.
	UsageLocation    string    `json:"usageLocation"`
	AssignedLicenses []License `json:"assignedLicenses"`
}

// License is a licence assigned to a user.
type License struct {
	SKUID string `json:"skuId"`
}

// UserFields returns the properties that are asked for where a query names none.
func UserFields() []string {
	return []string{
		"id", "userPrincipalName", "displayName", "accountEnabled", "userType",
		"onPremisesSyncEnabled", "department", "usageLocation", "assignedLicenses",
	}
}

// User finds a user by object id or principal name. GET /users/{id}.
func (d *Directory) User(ctx context.Context, idOrUPN string) (User, error) {
	k := userCall("read user", http.MethodGet, V1, "/users/{id}", idOrUPN)
	k.query = encodeQuery(url.Values{"$select": {strings.Join(UserFields(), ",")}})
	var u User
	err := d.read(ctx, k, &u)
	return u, err
}

// UsersQuery says which users to list. The zero value lists all.
type UsersQuery struct {
	// Select names the properties to ask for. Default [UserFields].
	Select []string
	// Filter is an OData filter.
	Filter string
	// Advanced asks for advanced query capabilities, which filters with ne, not,
	// endsWith or $count need (Microsoft Graph, Advanced query capabilities on
	// directory objects).
	Advanced bool
	// PageSize is how many users to ask for per request. Default and maximum 999.
	PageSize int
}

// maxPageSize is the most users that Graph gives at once (List users).
const maxPageSize = 999

// Users lists users, page after page, as they are asked for. An error comes with
// a zero User and ends the listing. GET /users.
func (d *Directory) Users(ctx context.Context, q UsersQuery) iter.Seq2[User, error] {
	return pages[User](ctx, d, usersCall(q))
}

func usersCall(q UsersQuery) call {
	fields := q.Select
	if len(fields) == 0 {
		fields = UserFields()
	}
	size := q.PageSize
	if size <= 0 || size > maxPageSize {
		size = maxPageSize
	}
	v := url.Values{"$select": {strings.Join(fields, ",")}, "$top": {strconv.Itoa(size)}}
	if q.Filter != "" {
		v.Set("$filter", q.Filter)
	}
	if q.Advanced {
		v.Set("$count", "true")
	}
	k := call{op: "list users", method: http.MethodGet, version: V1, place: at("/users")}
	k.query, k.advanced, k.wants = encodeQuery(v), q.Advanced, true
	k.reads, k.writes = cost(k.method)
	return k
}
