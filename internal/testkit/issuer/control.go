package issuer

import (
	"net/http"
	"time"
)

// control serves what the methods do, for tests in another process. A body is
// the JSON of the type that the method takes.
//
//	POST /control/rotate, /control/revoke
//	POST /control/fault            Fault
//	GET  /control/counters         Counters
//	POST /control/clients          Client
//	POST /control/users            User
//	POST /control/settings         Settings
//	POST /control/clock            {"ahead": seconds}
//	POST /control/invitations      Organization; answers {"invitation": …}
//	POST /control/end-sessions     {"sid": …} or {"sub": …}; answers a list of Delivery
//	POST /control/end-grants       {"sub": …}
//	POST /control/logout-token     LogoutToken; answers {"logout_token": …}
//	GET  /control/sessions         [{"sid": …, "sub": …}]
//	GET  /control/authorizations   the parameters of every request so far
func (i *Issuer) control(mux *http.ServeMux) {
	mux.HandleFunc("POST /control/rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := i.Rotate(); err != nil {
			refuse(w, http.StatusInternalServerError, "server_error", err.Error())
		}
	})
	mux.HandleFunc("POST /control/revoke", func(http.ResponseWriter, *http.Request) { i.Revoke() })
	mux.HandleFunc("GET /control/counters", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, i.Counters())
	})
	mux.HandleFunc("GET /control/authorizations", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, append([]map[string]string{}, i.Asked()...))
	})
	mux.HandleFunc("GET /control/sessions", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, i.live())
	})
	done := map[string]string{}
	order(mux, "fault", func(_ *http.Request, f Fault) (any, error) { return done, i.SetFault(f) })
	order(mux, "clients", func(_ *http.Request, c Client) (any, error) { return done, i.Register(c) })
	order(mux, "users", func(_ *http.Request, u User) (any, error) { i.AddUser(u); return done, nil })
	order(mux, "settings", func(_ *http.Request, s Settings) (any, error) { i.Set(s); return done, nil })
	order(mux, "clock", func(_ *http.Request, c struct {
		Ahead int64 `json:"ahead"`
	},
	) (any, error) {
		i.SetClock(time.Duration(c.Ahead) * time.Second)
		return done, nil
	})
	order(mux, "invitations", func(_ *http.Request, o Organization) (any, error) {
		return map[string]string{"invitation": i.Invite(o)}, nil
	})
	order(mux, "end-sessions", func(r *http.Request, which naming) (any, error) {
		return i.EndSessions(r.Context(), which.SID, which.Sub), nil
	})
	order(mux, "end-grants", func(_ *http.Request, which naming) (any, error) { i.EndGrants(which.Sub); return done, nil })
	order(mux, "logout-token", func(_ *http.Request, l LogoutToken) (any, error) {
		token, err := i.MintLogoutToken(l)
		return map[string]string{"logout_token": token}, err
	})
}

// naming names sessions or users.
type naming struct {
	SID string `json:"sid"`
	Sub string `json:"sub"`
}

// live are the sessions that were not ended.
func (i *Issuer) live() []naming {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	list := []naming{}
	for _, s := range i.books.sessions {
		list = append(list, naming{SID: s.sid, Sub: s.user.Sub})
	}
	return list
}

// order serves POST /control/NAME. An error is the caller's.
func order[T any](mux *http.ServeMux, name string, do func(*http.Request, T) (any, error)) {
	mux.HandleFunc("POST /control/"+name, func(w http.ResponseWriter, r *http.Request) {
		var what T
		err := readJSON(w, r, &what)
		var answer any
		if err == nil {
			answer, err = do(r, what)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}
