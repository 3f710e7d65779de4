package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// FaultsPath is where muster local mounts FaultsHandler.
const FaultsPath = "/$faults"

// FaultsHandler takes faults over HTTP: POST a Fault as JSON to Inject it, DELETE to
// Calm. A request needs the right to manage, as one to the ManagementHandler does.
func (s *Server) FaultsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.mayManage(r, atomPath{}); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		switch r.Method {
		case http.MethodDelete:
			s.Calm()
		case http.MethodPost:
			f, err := readFault(http.MaxBytesReader(w, r.Body, 1<<16))
			if err == nil {
				err = s.Inject(f)
			}
			switch {
			case errors.Is(err, ErrUnknownEntity):
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			case err != nil:
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		default:
			http.Error(w, "use POST or DELETE", http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// readFault reads a Fault as JSON.
func readFault(from io.Reader) (Fault, error) {
	var f struct {
		Fault
		Delay string `json:"delay"`
	}
	d := json.NewDecoder(from)
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Fault{}, fmt.Errorf("read fault: %w", err)
	}
	if f.Delay == "" {
		return f.Fault, nil
	}
	var err error
	if f.Fault.Delay, err = time.ParseDuration(f.Delay); err != nil {
		return Fault{}, fmt.Errorf("read delay: %w", err)
	}
	return f.Fault, nil
}
