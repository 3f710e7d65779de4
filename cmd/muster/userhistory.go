package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-mfa/muster/graphclient"
)

type historyFlags struct {
	graphFlags
	tenant string
	days   int
	all    bool
	asJSON bool
}

func newUserHistory(p *process) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history USER",
		Short: "Show who changed the methods of one user, from the directory's audit log",
		Long: `Show who changed the authentication methods of one user, and when, from the audit log
of Entra ID, the newest first.

It is the log of the directory and not Muster's: it has the changes that people make
in the portal and users at their own security info too. An entry can take some
minutes to appear, and entries are kept for 7 days, or 30 with Entra ID P1. The
application needs AuditLog.Read.All.

` + exitCodes,
		Args: oneUser(0, "one user, by object id or user principal name"),
		RunE: p.run(func(cmd *cobra.Command, args []string) error { return history(cmd, p, args[0], &f) }),
	}
	f.graphFlags.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.tenant, "tenant", "", "the user's tenant: its id or one of its domain names")
	fs.IntVar(&f.days, "days", 30, "how far to look back")
	fs.BoolVar(&f.all, "all", false, "show every entry about the user, not only those about methods")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func history(cmd *cobra.Command, p *process, user string, f *historyFlags) error {
	if err := required(cmd, "tenant"); err != nil {
		return err
	}
	if f.days < 1 {
		return usageError("--days is %d; it must be at least 1", f.days)
	}
	client, err := f.client(p)
	if err != nil {
		return err
	}
	dir := client.Directory(f.tenant)
	who, err := dir.User(cmd.Context(), user)
	if graphclient.KindOf(err) == graphclient.KindNotFound {
		return noSuchUser(err)
	}
	if err != nil {
		return explain(err, "User.Read.All")
	}
	entries := []historyEntry{}
	since := time.Now().AddDate(0, 0, -f.days)
	for a, err := range dir.UserAudits(cmd.Context(), who.ID, since) {
		if err != nil {
			return explain(err, "AuditLog.Read.All")
		}
		if f.all || changesMethods(a) {
			entries = append(entries, newHistoryEntry(a))
		}
	}
	if f.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(entries)
	}
	return printHistory(cmd.OutOrStdout(), entries, f.days)
}

// explain adds to an error of Microsoft Graph what has to be granted.
func explain(err error, permission string) error {
	if graphclient.KindOf(err) != graphclient.KindForbidden {
		return err
	}
	return fmt.Errorf("grant the application %s with admin consent (Entra admin centre > App registrations > the application > API permissions > Microsoft Graph): %w", permission, err)
}

// changesMethods tells entries about authentication methods from others about
// the same user (Microsoft Entra, Audit log activity reference): those of the
// service Authentication Methods, and of Core Directory those that write the
// properties in which per-user MFA lives.
func changesMethods(a graphclient.DirectoryAudit) bool {
	if a.Service == "Authentication Methods" || strings.Contains(a.Activity, "Strong Authentication") {
		return true
	}
	if a.Activity != "Update user" {
		return false
	}
	properties := 0
	for _, t := range a.Targets {
		for _, p := range t.Properties {
			properties++
			if strings.HasPrefix(p.Name, "StrongAuthentication") {
				return true
			}
		}
	}
	// An entry that does not say what it changed may be one.
	return properties == 0
}

// historyEntry is one entry, as --json prints it.
type historyEntry struct {
	Time     time.Time `json:"time"`
	Activity string    `json:"activity"`
	// Actor is an application's name or a person's user principal name, ActorID
	// its id.
	Actor         string   `json:"actor"`
	ActorID       string   `json:"actorId,omitempty"`
	ActorKind     string   `json:"actorKind"`
	Result        string   `json:"result"`
	Reason        string   `json:"reason,omitempty"`
	CorrelationID string   `json:"correlationId"`
	ID            string   `json:"id"`
	Changed       []string `json:"changed,omitempty"`
}

func newHistoryEntry(a graphclient.DirectoryAudit) historyEntry {
	e := historyEntry{
		Time: a.Time, Activity: a.Activity, ActorKind: "unknown", Actor: "unknown",
		Result: a.Result, Reason: a.ResultReason, CorrelationID: a.CorrelationID, ID: a.ID,
	}
	if app := a.InitiatedBy.App; app != nil {
		e.ActorKind, e.Actor, e.ActorID = "application", cmp.Or(app.DisplayName, app.AppID, "unnamed"), cmp.Or(app.AppID, app.ServicePrincipalID)
	}
	if user := a.InitiatedBy.User; user != nil {
		e.ActorKind, e.Actor, e.ActorID = "user", cmp.Or(user.UserPrincipalName, user.DisplayName, user.ID), user.ID
	}
	for _, t := range a.Targets {
		for _, p := range t.Properties {
			e.Changed = append(e.Changed, p.Name)
		}
	}
	return e
}

func printHistory(w io.Writer, entries []historyEntry, days int) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintf(w, "No change of methods in the audit log of the last %d days. A change of the last minutes may not be there yet.\n", days)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME (UTC)\tACTIVITY\tBY\tRESULT\tCORRELATION ID")
	for _, e := range entries {
		result := e.Result
		if result != "success" && e.Reason != "" {
			result += " (" + e.Reason + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\n", e.Time.UTC().Format(time.DateTime), e.Activity, e.ActorKind, e.Actor, result, e.CorrelationID)
	}
	return t.Flush()
}
