package auth0jwt

import (
	"net/http"
	"strings"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
)

// apply hands edits to the runner. After an error the request must not be
// forwarded, because an edit could not be made.
func apply(e identity.Edits, r pkgHTTP.Request) error {
	if err := deleteArgs(e.DeleteArgs, r); err != nil {
		return err
	}
	if len(e.DeleteHeaders)+len(e.SetHeaders) == 0 {
		return nil
	}
	if _, exact := r.(inplace.View); exact {
		applyExactly(e, r.Header())
	} else {
		applyToMap(e, r.Header().View(), received(r))
	}
	return nil
}

func applyExactly(e identity.Edits, headers pkgHTTP.Header) {
	for _, name := range e.DeleteHeaders {
		headers.Del(name)
	}
	for _, h := range e.SetHeaders {
		headers.Set(h.Name, h.Value)
	}
}

// applyToMap edits the map of the official runner, which compares the first
// value of each name with the first one received, and sends nothing where both
// are equal. A client that sends the right value and then another would keep
// both. Where the headers received can be reached, they are made unlike
// anything a plugin sets, so that this edit is sent, and so is what a plugin
// after this one makes of it. Elsewhere a second entry, under another spelling
// of the name, is new to any runner and always sent: the upstream gets the
// right value, but what a later plugin sets may lose against it.
func applyToMap(e identity.Edits, headers, received http.Header) {
	for _, name := range e.DeleteHeaders {
		delete(headers, name)
		changed(received, name)
	}
	for _, h := range e.SetHeaders {
		name := http.CanonicalHeaderKey(h.Name)
		headers[name] = []string{h.Value}
		if received == nil {
			headers[unlikeCanonical(name)] = []string{h.Value}
		}
		changed(received, name)
	}
}

// changed makes the official runner take a header that was received for one
// that a plugin changed, or deleted.
func changed(received http.Header, name string) {
	if _, there := received[name]; there {
		received[name] = []string{"\x00"} // no header has that value
	}
}

// unlikeCanonical spells a name in a way that Go's canonical form never does.
// The configuration refuses names without a letter.
func unlikeCanonical(canonical string) string {
	if lower := strings.ToLower(canonical); lower != canonical {
		return lower
	}
	return strings.ToUpper(canonical)
}
