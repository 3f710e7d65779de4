package tenant

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// This file answers the calls for a user's groups and directory roles.

// maxCheckedGroups is how many groups one call may name (directoryObject:
// checkMemberGroups, request body).
const maxCheckedGroups = 20

// checkMemberGroups returns those of the groups in the body that the user is in.
func (t *Tenant) checkMemberGroups(c *call) reply {
	ids, no := c.groupIDs()
	if no != nil {
		return t.refuse(c, no)
	}
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 256), c.base, "Collection(Edm.String)")
	b = append(b, `,"value":[`...)
	comma := false
	for _, id := range ids {
		if !slices.Contains(r.Groups, strings.ToLower(id)) {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = appendString(b, id)
	}
	return ok(append(b, "]}"...))
}

// groupIDs reads the body. A malformed id refuses the whole request.
func (c *call) groupIDs() ([]string, *refusal) {
	properties, no := c.object("groupIds")
	if no != nil {
		return nil, no
	}
	var ids []string
	if err := json.Unmarshal(properties["groupIds"], &ids); err != nil || ids == nil {
		return nil, badRequest("groupIds is required and must be a collection of strings.")
	}
	if len(ids) > maxCheckedGroups {
		return nil, badRequest("The number of group ids exceeds the maximum of " + strconv.Itoa(maxCheckedGroups) + ".")
	}
	for _, id := range ids {
		if len(id) != 36 || uuid.Validate(id) != nil {
			return nil, badRequest("Invalid object identifier '" + id + "'.")
		}
	}
	return ids, nil
}

// roleProperty writes one property of a directoryRole.
type roleProperty struct {
	name  string
	write func(b []byte, role string) []byte
}

var roleProperties = []roleProperty{
	{"id", func(b []byte, role string) []byte { return appendString(b, UserID("role/"+role)) }},
	{"deletedDateTime", func(b []byte, _ string) []byte { return append(b, "null"...) }},
	{"description", func(b []byte, _ string) []byte { return append(b, "null"...) }},
	{"displayName", appendString},
	{"roleTemplateId", func(b []byte, role string) []byte { return appendString(b, UserID("role template/"+role)) }},
}

// listRoles answers transitiveMemberOf with the cast to directory roles, for
// which the header ConsistencyLevel and $count are demanded (List a user's
// memberships, request headers).
func (t *Tenant) listRoles(c *call) reply {
	if no := c.onlyOptions("$select", "$count", "$top"); no != nil {
		return t.refuse(c, no)
	}
	if !c.eventual() || c.query.Get("$count") != "true" {
		return t.refuse(c, unsupportedQuery("The specified query needs the header ConsistencyLevel: eventual and $count=true."))
	}
	if _, no := pageSize(c.query.Get("$top")); no != nil {
		return t.refuse(c, no)
	}
	properties, no := c.selectedOfRole()
	if no != nil {
		return t.refuse(c, no)
	}
	r, no := t.see(c)
	if no != nil {
		return t.refuse(c, no)
	}
	b := appendContext(make([]byte, 0, 512), c.base, "directoryRoles"+c.selectClause())
	b = append(b, `,"@odata.count":`...)
	b = strconv.AppendInt(b, int64(len(r.Roles)), 10)
	b = append(b, `,"value":[`...)
	for i, role := range r.Roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		for j, p := range properties {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			b = append(b, p.name...)
			b = append(b, `":`...)
			b = p.write(b, role)
		}
		b = append(b, '}')
	}
	return ok(append(b, "]}"...))
}

// selectedOfRole returns the properties that the call asks for.
func (c *call) selectedOfRole() ([]roleProperty, *refusal) {
	option := c.query.Get("$select")
	if option == "" {
		return roleProperties, nil
	}
	var chosen []roleProperty
	for name := range strings.SplitSeq(option, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(roleProperties, func(p roleProperty) bool { return strings.EqualFold(p.name, name) })
		if i < 0 {
			return nil, refuse(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+name+"' on type 'microsoft.graph.directoryRole'.")
		}
		chosen = append(chosen, roleProperties[i])
	}
	return chosen, nil
}
