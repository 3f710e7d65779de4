package bulk

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-mfa/muster/messages"
)

// The limits of a selection of registrations; the message contract takes no more.
const (
	maxRemovalIDs   = 50
	maxRemovalNames = 20
	maxRemovalName  = 128
	maxRemovalDays  = 36_500
)

var (
	olderThan = regexp.MustCompile(`(?i)^older\s+than\s+(\d{1,6})\s+days?$`)
	named     = regexp.MustCompile(`(?i)^named\s+(.+)$`)
	methodID  = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
)

// ParseRemoval reads which Microsoft Authenticator registrations are to go: one
// or more of these, separated by semicolons, in any letter case:
//
//	all                                    every one
//	older than 365 days                    those made longer ago
//	named Pixel 8                          those of devices with this display name
//	6803c096-8238-42eb-9a6b-9f4ecc7ca0b8   the one with this method id
//
// Its error says what to write and repeats nothing of the text.
func ParseRemoval(text string) (messages.Authenticator, error) {
	var a messages.Authenticator
	for entry := range strings.SplitSeq(text, ";") {
		if !takeRemoval(&a, strings.TrimSpace(entry)) {
			return messages.Authenticator{}, errors.New(hintRemoval)
		}
	}
	if !utf8.ValidString(text) || len(a.Remove) > maxRemovalIDs || len(a.RemoveNamed) > maxRemovalNames {
		return messages.Authenticator{}, errors.New(hintRemoval)
	}
	return a, nil
}

// takeRemoval adds one selection and reports whether it is one.
func takeRemoval(a *messages.Authenticator, entry string) bool {
	if strings.EqualFold(entry, "all") {
		a.RemoveAll = true
		return true
	}
	if parts := olderThan.FindStringSubmatch(entry); parts != nil {
		days, err := strconv.Atoi(parts[1])
		ok := err == nil && days >= 1 && days <= maxRemovalDays && a.RemoveOlderThanDays == 0
		a.RemoveOlderThanDays = days
		return ok
	}
	if parts := named.FindStringSubmatch(entry); parts != nil {
		if !slices.Contains(a.RemoveNamed, parts[1]) {
			a.RemoveNamed = append(a.RemoveNamed, parts[1])
		}
		return utf8.RuneCountInString(parts[1]) <= maxRemovalName && !strings.ContainsFunc(parts[1], isControl)
	}
	if !slices.Contains(a.Remove, entry) {
		a.Remove = append(a.Remove, entry)
	}
	return methodID.MatchString(entry)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f }
