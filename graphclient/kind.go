package graphclient

import (
	"net/http"
	"strings"
)

// Kind says what a caller can do about an [Error]. Its text is stable.
type Kind string

const (
	// KindNone: not an *Error.
	KindNone Kind = ""
	// KindInvalid: Graph refuses the request as it is and always will (400, 405,
	// 406, 411, 413, 415, 422, 501 and other 4xx).
	KindInvalid Kind = "invalid request"
	// KindUnauthorized: no token could be had, or Graph refuses it even when
	// fresh (401). It concerns the whole tenant.
	KindUnauthorized Kind = "unauthorized"
	// KindForbidden: a permission is missing (403 accessDenied,
	// Authorization_RequestDenied). It concerns the whole tenant.
	KindForbidden Kind = "forbidden"
	// KindPolicy: policy refuses it for this user or method only (400 or 403
	// with disabledByPolicy or notAllowedByPolicy), or the cloud has no such
	// action.
	KindPolicy Kind = "refused by policy"
	// KindNotFound: no such user or method (404, in Graph's own words: a 404
	// without Graph's error envelope is KindTransient, since it more likely
	// comes from a wrong endpoint or a proxy).
	KindNotFound Kind = "not found"
	// KindConflict: what Graph holds is not what the request assumed (409, 412).
	// Read again and decide anew.
	KindConflict Kind = "conflict"
	// KindNumberNotUnique: the number serves another user's SMS sign-in
	// (phoneNumberNotUnique). The phone method itself was normally written
	// nevertheless: read again after some seconds.
	KindNumberNotUnique Kind = "number not unique"
	// KindDefaultMethod: the method is the user's default and can't be deleted
	// until another one is.
	KindDefaultMethod Kind = "default method"
	// KindThrottled: 429, or 503 with Retry-After. Callers see it only for a
	// part of a $batch that must not be sent twice.
	KindThrottled Kind = "throttled"
	// KindTransient: it may work another time (5xx, no reply, a reply that is
	// not Graph's).
	KindTransient Kind = "transient"
	// KindLicence: the tenant lacks the licence, or is a B2C tenant
	// (403 Authentication_RequestFromNonPremiumTenantOrB2CTenant).
	KindLicence Kind = "licence missing"
	// KindLocked: something else is changing the resource, and did so for
	// several tries (423, 409 Directory_ConcurrencyViolation).
	KindLocked Kind = "locked"
)

// Phrases for which codes and messages are searched, in lower case. Messages may
// change at any time (Microsoft Graph error responses), so there are no more
// than these.
const (
	phraseNotUnique      = "phonenumbernotunique"
	phraseDefaultMethod  = "current default authentication method"
	phraseDisabled       = "disabledbypolicy"
	phraseNotAllowed     = "notallowedbypolicy"
	codeLicence          = "authentication_requestfromnonpremiumtenantorb2ctenant"
	codeConcurrentChange = "directory_concurrencyviolation"
)

// classify turns a status and the error envelope that came with it into a Kind.
// Status zero means that no reply arrived.
func classify(status int, p problem) Kind {
	switch {
	case status == 0, status < 200, status >= 300 && status < 400:
		return KindTransient
	case status < 300:
		return KindNone
	case status == http.StatusTooManyRequests:
		return KindThrottled
	case status == http.StatusUnauthorized:
		return KindUnauthorized
	case status == http.StatusNotFound && !p.envelope:
		return KindTransient
	case status == http.StatusRequestTimeout, status == http.StatusFailedDependency,
		status >= 500 && status != http.StatusNotImplemented:
		return KindTransient
	case status == http.StatusLocked, p.hasCode(codeConcurrentChange):
		return KindLocked
	case p.says(phraseNotUnique):
		return KindNumberNotUnique
	}
	return classifyRefusal(status, p)
}

// classifyRefusal is classify for the statuses that mean a plain no.
func classifyRefusal(status int, p problem) Kind {
	policy := p.says(phraseDisabled) || p.says(phraseNotAllowed)
	switch status {
	case http.StatusForbidden:
		switch {
		case p.hasCode(codeLicence):
			return KindLicence
		case policy:
			return KindPolicy
		}
		return KindForbidden
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return KindConflict
	case http.StatusBadRequest:
		switch {
		case p.says(phraseDefaultMethod):
			return KindDefaultMethod
		case policy:
			return KindPolicy
		}
	}
	return KindInvalid
}

func (p problem) hasCode(code string) bool {
	for _, c := range p.codes {
		if strings.EqualFold(c, code) {
			return true
		}
	}
	return false
}

// says looks for a phrase in codes and messages.
func (p problem) says(phrase string) bool {
	for _, texts := range [...][]string{p.codes, p.messages} {
		for _, t := range texts {
			if strings.Contains(strings.ToLower(t), phrase) {
				return true
			}
		}
	}
	return false
}
