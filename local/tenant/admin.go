package tenant

import (
	"encoding/json"
	"net/http"
	"strings"
)

// adminPrefix is where the administration of the tenant lives, which no Graph
// client ever asks for: GET stats, GET and POST users, POST and DELETE deny,
// PUT applications, POST devices/CODE, POST throttle-tokens. It is never throttled,
// faulty or stale.
const adminPrefix = "/_tenant/"

func (t *Tenant) serveAdmin(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path[len(adminPrefix):] {
	case "GET stats":
		writeJSON(w, http.StatusOK, t.Stats())
	case "GET users":
		w.Header().Set("Content-Type", "application/jsonl")
		if err := WriteUsers(w, t.Snapshot()); err != nil {
			t.logger.DebugContext(r.Context(), "deliver users", "error", err)
		}
	case "POST users":
		t.adminAddUsers(w, r)
	case "POST deny":
		t.adminDeny(w, r)
	case "DELETE deny":
		t.Lift()
		w.WriteHeader(http.StatusNoContent)
	case "PUT applications":
		t.adminSetApplication(w, r)
	case "POST throttle-tokens":
		t.adminThrottleTokens(w, r)
	default:
		if code, ok := strings.CutPrefix(r.URL.Path, adminPrefix+"devices/"); ok && r.Method == http.MethodPost {
			t.adminApproveDevice(w, code)
			return
		}
		adminError(w, http.StatusNotFound, "want GET stats, GET or POST users, POST or DELETE deny, PUT applications, POST devices/CODE, POST throttle-tokens")
	}
}

func (t *Tenant) adminApproveDevice(w http.ResponseWriter, code string) {
	if err := t.ApproveDevice(code); err != nil {
		adminError(w, http.StatusNotFound, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *Tenant) adminThrottleTokens(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Requests int `json:"requests"`
	}
	if text, no := readBody(w, r); no != nil || json.Unmarshal(text, &body) != nil || body.Requests < 0 {
		adminError(w, http.StatusBadRequest, `want {"requests":3}`)
		return
	}
	t.ThrottleTokens(body.Requests)
	w.WriteHeader(http.StatusNoContent)
}

// adminAddUsers creates the users of a body of JSON Lines, all or none.
func (t *Tenant) adminAddUsers(w http.ResponseWriter, r *http.Request) {
	users, err := ReadUsers(r.Body)
	if err == nil {
		err = t.AddUsers(users)
	}
	if err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, struct {
		Added int `json:"added"`
	}{len(users)})
}

// adminDeny adds a denial; an empty body denies everything with 403.
func (t *Tenant) adminDeny(w http.ResponseWriter, r *http.Request) {
	body, no := readBody(w, r)
	if no != nil {
		adminError(w, no.status, no.message)
		return
	}
	var d Denial
	if len(body) > 0 && json.Unmarshal(body, &d) != nil {
		adminError(w, http.StatusBadRequest, "want {\"status\":403,\"code\":\"…\",\"operation\":\"…\"}")
		return
	}
	if err := t.Deny(d); err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func adminError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{message})
}

// writeJSON answers the administration. A client that has gone is no matter.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
