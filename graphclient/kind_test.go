package graphclient

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	body := func(code, message string) string {
		return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
	}
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Kind
	}{
		{"success", 201, "", KindNone},
		{"no reply", 0, "", KindTransient},
		{"redirect", 307, "", KindTransient},
		{"bad request", 400, body("badRequest", "no"), KindInvalid},
		{"bad request without envelope", 400, "<html>", KindInvalid},
		{"default method", 400, body("badRequest", "The requested authentication method id of [x] matches the user's current default authentication method, and cannot be deleted"), KindDefaultMethod},
		{"policy by code", 400, body("disabledByPolicy", ""), KindPolicy},
		{"policy by message", 403, body("accessDenied", "state: notAllowedByPolicy"), KindPolicy},
		{"token refused", 401, body("InvalidAuthenticationToken", ""), KindUnauthorized},
		{"access denied", 403, body("accessDenied", "Request Authorization failed"), KindForbidden},
		{"privileges", 403, body("Authorization_RequestDenied", ""), KindForbidden},
		{"no licence", 403, body("Authentication_RequestFromNonPremiumTenantOrB2CTenant", ""), KindLicence},
		{"no user", 404, body("Request_ResourceNotFound", ""), KindNotFound},
		{"404 of something else", 404, "not here", KindTransient},
		{"method not allowed", 405, body("Request_BadRequest", ""), KindInvalid},
		{"timeout", 408, "", KindTransient},
		{"conflict", 409, body("conflict", ""), KindConflict},
		{"not unique by message", 409, body("", "phoneNumberNotUnique"), KindNumberNotUnique},
		{"not unique in details", 400, `{"error":{"code":"x","details":[{"code":"PhoneNumberNotUnique"}]}}`, KindNumberNotUnique},
		{"concurrency", 409, body("directory_concurrencyViolation", ""), KindLocked},
		{"precondition", 412, "", KindConflict},
		{"unprocessable", 422, "", KindInvalid},
		{"locked", 423, "", KindLocked},
		{"dependency", 424, "", KindTransient},
		{"throttled", 429, "", KindThrottled},
		{"server error", 500, "", KindTransient},
		{"not implemented", 501, "", KindInvalid},
		{"bandwidth", 509, "", KindTransient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := classify(tt.status, decodeProblem([]byte(tt.body))); got != tt.want {
				t.Errorf("classify(%d) = %q, want %q", tt.status, got, tt.want)
			}
		})
	}
}

func TestDecodeProblem(t *testing.T) {
	const id = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	for _, tt := range []struct{ name, body, code, requestID string }{
		{"nothing", "", "", ""},
		{"not JSON", "<html>", "", ""},
		{"another shape", `[1]`, "", ""},
		{"error is text", `{"error":"invalid_grant"}`, "", ""},
		{"plain", `{"error":{"code":"badRequest"}}`, "badRequest", ""},
		{"empty code", `{"error":{"code":"","message":"x"}}`, "", ""},
		{"number as code", `{"error":{"code":400}}`, "", ""},
		{"inner code", `{"error":{"code":"outer","innerError":{"code":"inner","request-id":"` + id + `"}}}`, "inner", id},
		{"other letter case", `{"Error":{"Code":"outer","innererror":{"code":"inner"}}}`, "inner", ""},
		{"nested", `{"error":{"code":"a","innerError":{"innererror":{"code":"deep"}}}}`, "deep", ""},
		{"inner code is the status", `{"error":{"code":"TooManyRequests","innerError":{"code":"429"}}}`, "TooManyRequests", ""},
		{"inner code is a number to call", `{"error":{"code":"outer","innerError":{"code":"x2065550100"}}}`, "outer", ""},
		{"request id is something else", `{"error":{"code":"a","innerError":{"request-id":"someone@contoso.example"}}}`, "a", ""},
		{"bottomless", `{"error":` + strings.Repeat(`{"innerError":`, 50) + `1` + strings.Repeat(`}`, 50) + `}`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := decodeProblem([]byte(tt.body))
			if got := p.code(); got != tt.code {
				t.Errorf("code = %q, want %q", got, tt.code)
			}
			if p.requestID != tt.requestID {
				t.Errorf("request id = %q, want %q", p.requestID, tt.requestID)
			}
		})
	}
}

func FuzzDecodeProblem(f *testing.F) {
	f.Add(400, []byte(`{"error":{"code":"badRequest","message":"m","innerError":{"code":"inner","request-id":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},"details":[{"code":"d"}]}}`))
	f.Add(429, []byte(`{"error":{"code":"TooManyRequests","innererror":{"code":"429"}}}`))
	f.Add(404, []byte(`{"error":null}`))
	f.Add(500, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		p := decodeProblem(body)
		if diff := cmp.Diff(p, decodeProblem(body), cmp.AllowUnexported(problem{})); diff != "" {
			t.Errorf("the same body reads differently: %s", diff)
		}
		kind := classify(status, p)
		e := (reply{status: status, problem: p}).failure("op")
		if e.Kind != kind || strings.ContainsAny(e.Error(), "@+") || hasDigits(e.Code, 7) {
			t.Errorf("failure tells too much: %q", e.Error())
		}
		if p.code() != "" && !p.envelope {
			t.Error("a code without an envelope")
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(3, []byte(`{"responses":[{"id":"2","status":200,"headers":{"Retry-After":"1"},"body":{"value":[]}},{"id":"1","status":429,"body":{"error":{"code":"x"}}}]}`))
	f.Add(2, []byte(`{"responses":[{"id":1,"status":204},{"id":"1","status":204}]}`))
	f.Add(1, []byte(`{"responses":[{"id":"0","status":200},{"id":"-1"},null,7]}`))
	f.Add(0, []byte(`[]`))
	f.Fuzz(func(t *testing.T, n int, body []byte) {
		if n < 0 || n > MaxBatch {
			return
		}
		replies := decodeBatch(body, n)
		if len(replies) != n {
			t.Fatalf("%d replies to %d parts", len(replies), n)
		}
		for i, r := range replies {
			if (r.err == nil) == (r.status == 0) {
				t.Errorf("part %d: status %d with error %v", i, r.status, r.err)
			}
		}
	})
}

func FuzzUserPage(f *testing.F) {
	f.Add([]byte(`{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x","value":[{"id":"1","accountEnabled":true,"assignedLicenses":[{"skuId":"s"}]}]}`))
	f.Add([]byte(`{"value":null}`))
	f.Add([]byte(`{"value":[{"onPremisesSyncEnabled":null,"@microsoft.graph.tips":"t"}],"@odata.nextLink":"//elsewhere.example"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodePage[User](body)
		if err != nil {
			return
		}
		if link, ok := mustClient(t).pinned(p.NextLink); ok && !strings.HasPrefix(strings.ToLower(link), "https://graph.microsoft.com/") {
			t.Errorf("next link %q leads elsewhere", link)
		}
	})
}
