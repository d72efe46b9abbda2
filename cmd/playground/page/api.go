package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// callError is an error that the caller made, with the status that says so.
type callError struct {
	status int
	said   string
}

func (e *callError) Error() string { return e.said }

func badCall(format string, args ...any) error {
	return &callError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// call serves POST /api/NAME.
func call[T any](mux *http.ServeMux, name string, do func(*http.Request, T) (any, error)) {
	mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
		// For the body alone: a stream of the live view has no end.
		reading := http.NewResponseController(w)
		_ = reading.SetReadDeadline(time.Now().Add(answerWithin))
		var asked T
		err := readCall(r, &asked)
		_ = reading.SetReadDeadline(time.Time{})
		if err != nil {
			failWith(w, err)
			return
		}
		answer, err := do(r, asked)
		if err != nil {
			failWith(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

func readCall(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	dec.UseNumber()
	err := dec.Decode(into)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &callError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The call is larger than %d KiB.", tooLarge.Limit>>10)}
	}
	if err != nil || dec.More() {
		return badCall("The call is not the JSON that is asked for.")
	}
	return nil
}

// act does what a button says.
func (s *Server) act(r *http.Request, asked struct {
	Act     Act    `json:"act"`
	Subject string `json:"subject"`
},
) (any, error) {
	if !slices.Contains(acts, asked.Act) {
		return nil, badCall("There is no such act.")
	}
	subject := strings.TrimSpace(asked.Subject)
	if asked.Act == RevokeUser && (subject == "" || len(subject) > maxSubject) {
		return nil, badCall("Give the subject to revoke, in at most %d bytes.", maxSubject)
	}
	said, err := s.opt.Bench.Act(r.Context(), asked.Act, subject)
	if err != nil {
		return nil, err
	}
	return map[string]string{"said": said}, nil
}

const maxSubject = 256

func failWith(w http.ResponseWriter, err error) {
	if bad, ok := errors.AsType[*callError](err); ok {
		fail(w, bad.status, bad.said)
		return
	}
	fail(w, http.StatusBadGateway, "The playground could not do it: "+err.Error()+".")
}

func fail(w http.ResponseWriter, status int, said string) {
	writeJSON(w, status, map[string]string{"error": said})
}

// writeJSON escapes <, > and & too: whatever somebody takes the answer for, it is
// no page.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an error is the browser gone
}
