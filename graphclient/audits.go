package graphclient

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DirectoryAudit is an entry of the directory's audit log (resource type
// directoryAudit).
type DirectoryAudit struct {
	ID   string    `json:"id"`
	Time time.Time `json:"activityDateTime"`
	// Activity is what was done, such as "Admin registered security info"
	// (Microsoft Entra, Audit log activity reference).
	Activity string `json:"activityDisplayName"`
	// Category and Service say which part of the directory wrote the entry, such
	// as UserManagement and Authentication Methods.
	Category string `json:"category"`
	Service  string `json:"loggedByService"`
	// Result is success, failure or timeout.
	Result       string `json:"result"`
	ResultReason string `json:"resultReason"`
	// CorrelationID is the id that Microsoft's support asks for.
	CorrelationID string         `json:"correlationId"`
	InitiatedBy   AuditInitiator `json:"initiatedBy"`
	Targets       []AuditTarget  `json:"targetResources"`
}

// AuditInitiator is who did it: a person or an application.
type AuditInitiator struct {
	User *AuditUser `json:"user"`
	App  *AuditApp  `json:"app"`
}

// AuditUser is a person who did something.
type AuditUser struct {
	ID                string `json:"id"`
	DisplayName       string `json:"displayName"`
	UserPrincipalName string `json:"userPrincipalName"`
}

// AuditApp is an application that did something.
type AuditApp struct {
	AppID              string `json:"appId"`
	DisplayName        string `json:"displayName"`
	ServicePrincipalID string `json:"servicePrincipalId"`
}

// AuditTarget is what something was done to.
type AuditTarget struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Properties []AuditProperty `json:"modifiedProperties"`
}

// AuditProperty is a property that was changed. Its values are left out: they
// can hold numbers.
type AuditProperty struct {
	Name string `json:"displayName"`
}

// UserAudits lists what was done to the user since then, the newest first, as it
// is asked for. The log is kept for 30 days with Microsoft Entra ID P1 or P2 and
// for 7 without (Microsoft Entra data retention), and an entry can take some
// minutes to appear. It needs AuditLog.Read.All, and by newer versions of the
// page Directory.Read.All too. An error comes with a zero DirectoryAudit and ends
// the listing. GET /auditLogs/directoryAudits.
func (d *Directory) UserAudits(ctx context.Context, userID string, since time.Time) iter.Seq2[DirectoryAudit, error] {
	k := call{op: "list directory audits", method: http.MethodGet, version: V1, place: at("/auditLogs/directoryAudits"), wants: true}
	k.reads, k.writes = cost(k.method)
	if !isUsable(userID) {
		k.fault = &Error{Op: k.op, Kind: KindInvalid, Code: CodeUnusableID}
	}
	k.query = encodeQuery(url.Values{
		"$filter": {"activityDateTime ge " + since.UTC().Format(time.RFC3339) +
			" and targetResources/any(t:t/id eq '" + strings.ReplaceAll(userID, "'", "''") + "')"},
		"$orderby": {"activityDateTime desc"},
	})
	return pages[DirectoryAudit](ctx, d, k)
}
