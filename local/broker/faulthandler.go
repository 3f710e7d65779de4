package broker

import (
	"encoding/json"
	"errors"
	"net/http"
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
			var f Fault
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
			d.DisallowUnknownFields()
			err := d.Decode(&f)
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
