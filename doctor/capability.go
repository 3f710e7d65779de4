package doctor

import "slices"

// Need is what the capabilities that are asked for demand of the token.
type Need struct {
	// Capability is its name.
	Capability string
	// Missing lists those of its permissions that the granted ones do not give.
	Missing func(granted []string) []string
	// Optional capabilities are missed with a warning only, unless they lack the
	// users themselves.
	Optional bool
}

// The capabilities that are not a worker's: those of a scope, of single-user
// commands and of the report.
const (
	CapabilityScopeGroups   = "scope-groups"
	CapabilityScopeAdmins   = "scope-admins"
	CapabilityUserShow      = "user-show"
	CapabilityUserHistory   = "user-history"
	CapabilityReport        = "report"
	CapabilityReportDetails = "report-details"
	CapabilityReportPhones  = "report-phones"
	CapabilityReportSignIns = "report-sign-ins"
)

// The application permissions that give an access, the one with the least
// privilege first (Microsoft Graph permissions reference, by API;
// signInPreferences by its own page).
var (
	readUsers         = []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readGroups        = []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readRoles         = []string{"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"}
	readMethods       = []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}
	readPhones        = append([]string{"UserAuthMethod-Phone.Read.All", "UserAuthMethod-Phone.ReadWrite.All"}, readMethods...)
	readAuthenticator = append([]string{"UserAuthMethod-MicrosoftAuthApp.Read.All", "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All"}, readMethods...)
	readMFAState      = []string{"Policy.Read.All"}
	readLogs          = []string{"AuditLog.Read.All"}
)

// further are the capabilities that are not a worker's, and what each has to
// read. Without what is optional a command leaves out a part and says so.
var further = []struct {
	name     string
	optional bool
	accesses [][]string
}{
	{CapabilityScopeGroups, false, [][]string{readUsers, readGroups}},
	{CapabilityScopeAdmins, false, [][]string{readUsers, readRoles}},
	{CapabilityUserShow, true, [][]string{readUsers, readMethods, readMFAState}},
	{CapabilityUserHistory, false, [][]string{readUsers, readLogs}},
	{CapabilityReport, true, [][]string{readUsers, readMFAState, readLogs}},
	{CapabilityReportDetails, true, [][]string{readUsers, readMethods}},
	{CapabilityReportPhones, true, [][]string{readUsers, readPhones}},
	{CapabilityReportSignIns, true, [][]string{readUsers, readLogs}},
}

// FurtherNeeds are the needs of the capabilities that are not a worker's, in the
// order of the documentation.
func FurtherNeeds() []Need {
	var needs []Need
	for _, f := range further {
		needs = append(needs, Need{Capability: f.name, Optional: f.optional, Missing: func(granted []string) []string {
			var missing []string
			for _, accepted := range f.accesses {
				if !holds(granted, accepted) {
					missing = append(missing, accepted[0])
				}
			}
			return missing
		}})
	}
	return needs
}

// holds tells whether one of the accepted permissions is granted.
func holds(granted, accepted []string) bool {
	return slices.ContainsFunc(accepted, func(p string) bool { return slices.Contains(granted, p) })
}
