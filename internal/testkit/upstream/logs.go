package upstream

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

const (
	maxLogs  = 100
	maxLines = 1000     // of a log
	maxLine  = 16 << 10 // bytes
)

// logs are what a gateway logged here, a JSON value a line, by the log's name. A
// POST adds a line, and a GET tells them all.
type logs struct {
	mu    sync.Mutex
	lines map[string][]json.RawMessage
}

func (l *logs) answer(w http.ResponseWriter, r *http.Request, name string) {
	switch r.Method {
	case http.MethodPost:
		line, err := io.ReadAll(io.LimitReader(r.Body, maxLine))
		if err != nil || !json.Valid(line) || !l.add(name, line) {
			http.Error(w, "no line of JSON of at most 16 KiB, or too many", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet:
		writeJSON(w, l.of(name))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (l *logs) add(name string, line json.RawMessage) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = map[string][]json.RawMessage{}
	}
	before, there := l.lines[name]
	if !there && len(l.lines) >= maxLogs || len(before) >= maxLines {
		return false
	}
	l.lines[name] = append(before, line)
	return true
}

func (l *logs) of(name string) []json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]json.RawMessage{}, l.lines[name]...)
}
