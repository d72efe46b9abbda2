package issuer

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Fault is how an endpoint or a token misbehaves until it is told otherwise.
type Fault struct {
	// Path is one of
	//   jwks, discovery, authorize, par, token, userinfo, revocation, logout
	//                 an endpoint
	//   callback      what the browser brings back to the application
	//   token_answer  the members of a good answer of the token endpoint
	//   id_token, access_token, logout_token
	//                 a token that a login, a refresh or a logout makes
	Path string `json:"path"`
	// Fault is none (well again) or, of an endpoint, one of:
	//   status        the status, without a body
	//   error         the status and an error of RFC 6749 section 5.2, Code
	//   html          200 and a page
	//   truncated     half the answer, and the connection ends; what was asked for was done
	//   lost          the connection is reset after what was asked for was done
	//   endless       a document that never ends
	//   slow          the answer, one byte a second
	//   hang          no answer until the fault is healed, then the good one
	//   reset         the connection is reset (RST)
	//   redirect      302 to the good document elsewhere
	//   empty         a set without keys, or an object without members
	//   wrong_issuer  discovery that names another issuer
	// Of callback: error (Code), wrong_iss, no_iss, wrong_state, no_state,
	// wrong_code, repeated_code and repeated_state. Of token_answer: members, laid
	// over the answer, a null takes one out. Of a token: see tokenFaults.
	Fault  string `json:"fault"`
	Status int    `json:"status"` // for status and error, 200 to 599; 0 is 500, of error 400
	Code   string `json:"error"`  // for error; "" is server_error
	// Claims are laid over a token's own for claims, and over the members of the
	// token endpoint's answer for members; a null takes one out.
	Claims map[string]any `json:"claims"`
	Times  int            `json:"times"` // how often; 0 is until it is told otherwise
}

// activeFault is a fault that was set.
type activeFault struct {
	Fault
	left   int           // of Times
	healed chan struct{} // closed when another takes its place
}

// documents are the endpoints whose answer needs no request.
var documents = []string{"jwks", "discovery"}

var endpoints = append(slices.Clone(documents), "authorize", "par", "token", "userinfo", "revocation", "logout")

// misbehaviours are the faults that a path can have.
func misbehaviours(path string) []string {
	switch {
	case slices.Contains(endpoints, path):
		return slices.Collect(maps.Keys(behaviours))
	case path == "callback":
		return slices.Collect(maps.Keys(callbackFaults))
	case path == "token_answer":
		return []string{"members"}
	case slices.Contains([]string{"id_token", "access_token", "logout_token"}, path):
		return slices.Collect(maps.Keys(tokenFaults))
	}
	return nil
}

// SetFault makes an endpoint or a token misbehave. The error names what is not
// known.
func (i *Issuer) SetFault(f Fault) error {
	known := misbehaviours(f.Path)
	if known == nil {
		return fmt.Errorf("path: %q is unknown: give one of %q, callback, token_answer, id_token, access_token or logout_token", f.Path, endpoints)
	}
	if f.Fault != "none" && !slices.Contains(known, f.Fault) {
		slices.Sort(known)
		return fmt.Errorf("fault: %q is unknown: give none or one of %q", f.Fault, known)
	}
	if f.Fault == "wrong_issuer" && f.Path != "discovery" {
		return fmt.Errorf("fault: wrong_issuer is one of discovery: a key set names no issuer")
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
		if f.Fault == "error" {
			f.Status = http.StatusBadRequest
		}
	}
	if f.Status < 200 || f.Status > 599 {
		return fmt.Errorf("status: %d is not within 200 to 599", f.Status)
	}
	if f.Code == "" {
		f.Code = "server_error"
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if before := i.faults[f.Path]; before != nil {
		close(before.healed)
	}
	delete(i.faults, f.Path)
	if f.Fault != "none" {
		i.faults[f.Path] = &activeFault{Fault: f, left: f.Times, healed: make(chan struct{})}
	}
	return nil
}

// fault is what a path is to do this time, and when that ends; the zero Fault
// is nothing.
func (i *Issuer) fault(path string) (f Fault, healed <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	active := i.faults[path]
	if active == nil || active.Times > 0 && active.left == 0 {
		return Fault{}, nil
	}
	active.left--
	return active.Fault, active.healed
}
