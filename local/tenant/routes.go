package tenant

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// operation is one thing that the service can be asked.
type operation struct {
	// name identifies it to denials and to the dice: {segment}.{verb}.
	name    string
	method  string
	pattern []string
	cost    cost
	run     func(*Tenant, *call) reply
	// betaOnly operations do not exist in v1.0.
	betaOnly bool
}

// writes tells whether the operation changes the directory.
func (o *operation) writes() bool { return o.cost.writes > 0 }

// The paths below a user, as patterns.
const (
	authentication = "users/{user}/authentication/"
	phones         = authentication + "phoneMethods"
	authenticators = authentication + "microsoftAuthenticatorMethods"
	passwords      = authentication + "passwordMethods"
	methods        = authentication + "methods"

	registrationDetails = "reports/authenticationMethods/userRegistrationDetails"
)

// operations is the table of all that the service can be asked. In patterns,
// {user} and {id} stand for any segment.
var operations = []operation{
	get("users.list", "users", (*Tenant).listUsers),
	get("users.count", "users/$count", (*Tenant).countUsers),
	get("users.get", "users/{user}", (*Tenant).getUser),
	reading("users.checkMemberGroups", "POST", "users/{user}/checkMemberGroups", 4, (*Tenant).checkMemberGroups),
	reading("users.listRoles", "GET", "users/{user}/transitiveMemberOf/microsoft.graph.directoryRole", 2, (*Tenant).listRoles),
	report(get("registrationDetails.list", registrationDetails, (*Tenant).listRegistrations)),
	report(get("registrationDetails.get", registrationDetails+"/{id}", (*Tenant).getRegistration)),
	beta(report(get("signIns.list", "auditLogs/signIns", (*Tenant).listSignIns))),
	get("methods.list", methods, (*Tenant).listMethods),
	get("methods.get", methods+"/{id}", (*Tenant).getMethod),
	get("passwordMethods.list", passwords, (*Tenant).listPasswords),
	get("passwordMethods.get", passwords+"/{id}", (*Tenant).getPassword),
	get("phoneMethods.list", phones, (*Tenant).listPhones),
	get("phoneMethods.get", phones+"/{id}", (*Tenant).getPhone),
	write("phoneMethods.add", "POST", phones, (*Tenant).postPhone),
	write("phoneMethods.change", "PATCH", phones+"/{id}", (*Tenant).patchPhone),
	write("phoneMethods.delete", "DELETE", phones+"/{id}", (*Tenant).deletePhone),
	write("phoneMethods.enableSmsSignIn", "POST", phones+"/{id}/enableSmsSignIn", (*Tenant).postEnableSMS),
	write("phoneMethods.disableSmsSignIn", "POST", phones+"/{id}/disableSmsSignIn", (*Tenant).postDisableSMS),
	beta(write("phoneMethods.enableSmsSignIn", "POST", methods+"/{id}/enableSmsSignIn", (*Tenant).postEnableSMS)),
	beta(write("phoneMethods.disableSmsSignIn", "POST", methods+"/{id}/disableSmsSignIn", (*Tenant).postDisableSMS)),
	get("microsoftAuthenticatorMethods.list", authenticators, (*Tenant).listAuthenticators),
	get("microsoftAuthenticatorMethods.get", authenticators+"/{id}", (*Tenant).getAuthenticator),
	write("microsoftAuthenticatorMethods.delete", "DELETE", authenticators+"/{id}", (*Tenant).deleteAuthenticator),
	get("applications.get", "applications/{user}", (*Tenant).getApplication),
	beta(get("requirements.get", authentication+"requirements", (*Tenant).getRequirements)),
	beta(write("requirements.change", "PATCH", authentication+"requirements", (*Tenant).patchRequirements)),
	beta(get("signInPreferences.get", authentication+"signInPreferences", (*Tenant).getPreferences)),
	beta(write("signInPreferences.change", "PATCH", authentication+"signInPreferences", (*Tenant).patchPreferences)),
	report(get("directoryAudits.list", "auditLogs/directoryAudits", (*Tenant).listAudits)),
}

func get(name, pattern string, run func(*Tenant, *call) reply) operation {
	return operation{
		name: name, method: http.MethodGet, pattern: strings.Split(pattern, "/"), run: run,
		cost: cost{units: 1, authentication: strings.Contains(pattern, "/authentication/")},
	}
}

func write(name, method, pattern string, run func(*Tenant, *call) reply) operation {
	o := get(name, pattern, run)
	o.method, o.cost.writes = method, 1
	return o
}

// reading is an operation that changes nothing, whatever its method, at a cost of
// its own (throttling limits, "Identity and access": POST me/checkMemberGroups 4,
// GET me/transitiveMemberOf 2).
func reading(name, method, pattern string, units int, run func(*Tenant, *call) reply) operation {
	o := get(name, pattern, run)
	o.method, o.cost.units = method, units
	return o
}

func report(o operation) operation {
	o.cost.report = true
	return o
}

func beta(o operation) operation {
	o.betaOnly = true
	return o
}

// Operations lists the names of the operations, as a [Denial] takes them.
func Operations() []string {
	names := make([]string, 0, len(operations))
	for _, o := range operations {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// splitPath splits an escaped path below the version into its segments, and a
// segment with a key, users('a@contoso.example') or applications(appId='…'),
// into the two that it stands for. It returns false for a path that is not well
// escaped.
func splitPath(escaped string) ([]string, bool) {
	segments := make([]string, 0, 8)
	for part := range strings.SplitSeq(strings.Trim(escaped, "/"), "/") {
		segment, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		name, rest, keyed := strings.Cut(strings.Replace(segment, "(appId='", "('", 1), "('")
		if key, closed := strings.CutSuffix(rest, "')"); keyed && closed {
			segments = append(segments, name, strings.ReplaceAll(key, "''", "'"))
			continue
		}
		segments = append(segments, segment)
	}
	return segments, true
}

// route finds the operation of a call and fills in its operation, user and id.
// What it refuses has the documented form: an unknown segment is a bad request,
// and so is one that exists in beta only.
func (c *call) route() *refusal {
	var allowed []string
	for i := range operations {
		o := &operations[i]
		if o.betaOnly && c.version != "beta" || !o.matches(c) {
			continue
		}
		if o.method == c.method {
			c.operation = o
			return nil
		}
		allowed = append(allowed, o.method)
	}
	if allowed != nil {
		no := badRequest("Specified HTTP method is not allowed for the request target.")
		no.status = http.StatusMethodNotAllowed
		no.allow = strings.Join(allowed, ", ")
		return no
	}
	if len(c.path) > 0 && c.path[0] == "me" {
		return refuse(http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	return badRequest("Resource not found for the segment '" + c.unknownSegment() + "'.")
}

// matches tells whether the path is the operation's and fills in what its
// place holders stand for. The actions may carry the name space in front.
func (o *operation) matches(c *call) bool {
	if len(o.pattern) != len(c.path) {
		return false
	}
	user, id := "", ""
	for i, want := range o.pattern {
		got := c.path[i]
		switch want {
		case "{user}":
			user = got
		case "{id}":
			id = got
		default:
			if !strings.EqualFold(want, got) && !strings.EqualFold("microsoft.graph."+want, got) {
				return false
			}
		}
	}
	if user == "" && slices.Contains(o.pattern, "{user}") {
		return false
	}
	c.user, c.id = user, id
	return true
}

// unknownSegment names the first segment that no operation knows there.
func (c *call) unknownSegment() string {
	known := 0
	for i := range operations {
		o := &operations[i]
		if o.betaOnly && c.version != "beta" {
			continue
		}
		n := 0
		for n < min(len(o.pattern), len(c.path)) && (o.pattern[n][0] == '{' || strings.EqualFold(o.pattern[n], c.path[n])) {
			n++
		}
		known = max(known, n)
	}
	if known < len(c.path) {
		return c.path[known]
	}
	return strings.Join(c.path, "/")
}
