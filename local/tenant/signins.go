package tenant

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file answers auditLogs/signIns. The log holds two events of every user
// with MFASignInHoursAgo: a sign-in that passed multifactor authentication, and
// an hour after it one that took a password only.

// signInRetention is how far back the log of a tenant with P1 goes.
const signInRetention = 30 * 24 * time.Hour

// signInPage is the size of a page (Microsoft Graph, "List signIns").
const signInPage = 1000

type signIn struct {
	user        *record
	created     time.Time
	requirement string
}

func (t *Tenant) listSignIns(c *call) reply {
	no := t.licensed()
	if no == nil {
		no = c.onlyOptions("$filter", "$skiptoken")
	}
	var accepts func(signIn) bool
	if no == nil {
		accepts, no = parseSignInFilter(c.query.Get("$filter"))
	}
	skip := 0
	if token := c.query.Get("$skiptoken"); no == nil && token != "" {
		opened, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			skip, err = strconv.Atoi(string(opened))
		}
		if err != nil || skip < 0 {
			no = refuse(http.StatusBadRequest, "BadRequest", "Invalid skip token.")
		}
	}
	if no != nil {
		return t.refuse(c, no)
	}
	events := slices.DeleteFunc(t.signIns(c.sight.now), func(e signIn) bool { return !accepts(e) })
	events = events[min(skip, len(events)):]
	b := appendContext(make([]byte, 0, 64<<10), c.base, "auditLogs/signIns")
	if len(events) > signInPage {
		events = events[:signInPage]
		b = append(b, `,"@odata.nextLink":`...)
		b = appendString(b, c.skipLink(skip+signInPage))
	}
	b = append(b, `,"value":[`...)
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.append(b)
	}
	return ok(append(b, "]}"...))
}

// signIns returns the events of the log, the most recent first.
func (t *Tenant) signIns(now time.Time) []signIn {
	var events []signIn
	for _, r := range t.directory.enabled() {
		if r.MFASignInHoursAgo == 0 {
			continue
		}
		passed := t.started.Add(-time.Duration(r.MFASignInHoursAgo) * time.Hour)
		events = append(events,
			signIn{r, passed, "multiFactorAuthentication"}, signIn{r, passed.Add(time.Hour), "singleFactorAuthentication"})
	}
	oldest := now.Add(-signInRetention)
	events = slices.DeleteFunc(events, func(e signIn) bool { return e.created.Before(oldest) || e.created.After(now) })
	slices.SortFunc(events, func(a, b signIn) int {
		return cmp.Or(b.created.Compare(a.created), strings.Compare(a.user.ID, b.user.ID))
	})
	return events
}

// parseSignInFilter reads the documented conditions that Muster uses, joined by
// and: createdDateTime ge, status/errorCode eq, authenticationRequirement eq.
func parseSignInFilter(filter string) (func(signIn) bool, *refusal) {
	since, requirement, none := time.Time{}, "", false
	for condition := range strings.SplitSeq(filter, " and ") {
		words := strings.Fields(condition)
		switch {
		case filter == "":
		case len(words) != 3:
			return nil, badRequest("Invalid filter clause")
		case words[0] == "createdDateTime" && words[1] == "ge":
			var err error
			if since, err = time.Parse(time.RFC3339, words[2]); err != nil {
				return nil, badRequest("Invalid filter clause")
			}
		case words[0] == "status/errorCode" && words[1] == "eq":
			none = words[2] != "0" // every event of this log has succeeded
		case words[0] == "authenticationRequirement" && words[1] == "eq":
			requirement = strings.Trim(words[2], "'")
		default:
			return nil, badRequest("Invalid filter clause")
		}
	}
	return func(e signIn) bool {
		return !none && !e.created.Before(since) && (requirement == "" || requirement == e.requirement)
	}, nil
}

// skipLink is the address of the page that begins after so many events.
func (c *call) skipLink(skip int) string {
	query := "$skiptoken=" + base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(skip)))
	if filter := c.query.Get("$filter"); filter != "" {
		query = "$filter=" + strings.NewReplacer(" ", "%20", "+", "%2B").Replace(filter) + "&" + query
	}
	return c.base + "/auditLogs/signIns?" + query
}

// append appends the event as beta shows it, as far as Muster reads it.
func (e signIn) append(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, UserID(e.user.ID+"/sign-in/"+e.requirement))
	b = append(b, `,"createdDateTime":`...)
	b = appendTime(b, e.created)
	b = append(b, `,"userDisplayName":`...)
	b = appendNullable(b, e.user.DisplayName)
	b = append(b, `,"userPrincipalName":`...)
	b = appendString(b, e.user.UserPrincipalName)
	b = append(b, `,"userId":`...)
	b = appendString(b, e.user.ID)
	b = append(b, `,"appDisplayName":"Office 365","isInteractive":true,"signInEventTypes":["interactiveUser"],"authenticationRequirement":`...)
	b = appendString(b, e.requirement)
	return append(b, `,"status":{"errorCode":0,"failureReason":"Other.","additionalDetails":null}}`...)
}
