package gateway

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
)

const keyPrefix = "/apisix/routes/"

// adminHandler is the part of the Admin API the double has, and what is only
// the double's: GET /double/runner tells the runner's process id,
// POST /double/reload reloads, and GET /double/counts tells the Counts.
func (g *Gateway) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /double/runner", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"pid": g.RunnerPID()})
	})
	mux.HandleFunc("POST /double/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.Reload(); err != nil {
			reply(w, http.StatusInternalServerError, map[string]any{"error_msg": err.Error()})
			return
		}
		reply(w, http.StatusOK, map[string]any{"pid": g.RunnerPID()})
	})
	mux.HandleFunc("GET /double/counts", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, g.Counts())
	})
	mux.HandleFunc("PUT /apisix/admin/routes/{id}", g.keyed(g.putRoute))
	mux.HandleFunc("GET /apisix/admin/routes/{id}", g.keyed(g.getRoute))
	mux.HandleFunc("DELETE /apisix/admin/routes/{id}", g.keyed(g.deleteRoute))
	mux.HandleFunc("GET /apisix/admin/routes", g.keyed(g.listRoutes))
	return mux
}

// keyed asks for the admin key.
func (g *Gateway) keyed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given, want := r.Header.Get("X-API-KEY"), g.options.AdminKey
		switch {
		case want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1:
			next(w, r)
		case given == "":
			reply(w, http.StatusUnauthorized, map[string]any{"error_msg": "failed to check token", "description": "missing apikey"})
		default:
			reply(w, http.StatusUnauthorized, map[string]any{"error_msg": "failed to check token", "description": "wrong apikey"})
		}
	}
}

func (g *Gateway) putRoute(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error_msg": "invalid request body"})
		return
	}
	made, fresh, err := g.routes.put(id, body)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error_msg": err.Error()})
		return
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	reply(w, status, map[string]any{"key": keyPrefix + id, "value": made.value})
}

func (r *route) listed(id string) map[string]any {
	return map[string]any{
		"key": keyPrefix + id, "value": r.value,
		"createdIndex": r.created, "modifiedIndex": r.last,
	}
}

func (g *Gateway) getRoute(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	found := g.routes.get(id)
	if found == nil {
		reply(w, http.StatusNotFound, map[string]any{"message": "Key not found"})
		return
	}
	reply(w, http.StatusOK, found.listed(id))
}

func (g *Gateway) listRoutes(w http.ResponseWriter, _ *http.Request) {
	list := []any{}
	for _, id := range g.routes.ids() {
		if found := g.routes.get(id); found != nil {
			list = append(list, found.listed(id))
		}
	}
	reply(w, http.StatusOK, map[string]any{"list": list, "total": len(list)})
}

func (g *Gateway) deleteRoute(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !g.routes.remove(id) {
		reply(w, http.StatusNotFound, map[string]any{"message": "Key not found"})
		return
	}
	reply(w, http.StatusOK, map[string]any{"key": keyPrefix + id, "deleted": "1"})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
