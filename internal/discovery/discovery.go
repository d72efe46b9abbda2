// Package discovery reads an issuer's OpenID Connect discovery document. It
// knows whose document it may be and which URLs it may name; it must not know
// what the URLs are for.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// The errors of this package. [Read] has those of its [Fetcher] too. They hold
// nothing that the issuer wrote.
var (
	ErrMalformed = errors.New("the discovery document is not the JSON object that it should be")
	ErrIssuer    = errors.New("the discovery document is another issuer's")
	ErrURL       = errors.New("the discovery document names a URL that it may not name")
)

// Fetcher makes the requests; [fetch.Client] is one.
type Fetcher interface {
	Get(ctx context.Context, r fetch.Request) (*fetch.Response, error)
}

// Source is where a document is, and whose.
type Source struct {
	Issuer     string // the document's issuer must equal it
	URL        string
	Unverified bool // as in [fetch.Request]
}

// WellKnown is where an issuer's document is (OpenID Connect Discovery 1.0
// section 4.1).
func WellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// Document is a document that was read. It is not changed.
type Document struct {
	members map[string]any
	plain   bool // it came over http
}

// Read fetches the document and checks that its issuer is the one of the source,
// byte for byte (OpenID Connect Discovery 1.0 section 4.3).
func Read(ctx context.Context, f Fetcher, s Source) (*Document, error) {
	answer, err := f.Get(ctx, fetch.Request{URL: s.URL, Accept: "application/json", Unverified: s.Unverified})
	if err != nil {
		return nil, err
	}
	v, err := strictjson.Parse(answer.Body, strictjson.Options{})
	members, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, ErrMalformed
	}
	if members["issuer"] != s.Issuer {
		return nil, ErrIssuer
	}
	from, err := url.Parse(s.URL)
	return &Document{members: members, plain: err == nil && from.Scheme == "http"}, nil
}

// Has reports whether the document has a member of that name that is not null.
func (d *Document) Has(name string) bool { return d.members[name] != nil }

// URL is a URL that the document names. A document that came over https names
// none with http: whoever is on the way could replace what is there. Whether
// other http URLs are admitted is the [Fetcher]'s to decide, which admitted the
// document's own.
func (d *Document) URL(name string) (string, error) {
	text, _ := d.members[name].(string)
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return "", refused(name)
	}
	if u.Scheme == "https" || u.Scheme == "http" && d.plain {
		return text, nil
	}
	return "", refused(name)
}

func refused(name string) error { return fmt.Errorf("%w: %s", ErrURL, name) }

// True reports whether the document says true under a name.
func (d *Document) True(name string) bool { return d.members[name] == true }

// Strings are those of a list, and nil where there is no list of that name.
func (d *Document) Strings(name string) []string {
	list, ok := d.members[name].([]any)
	if !ok {
		return nil
	}
	texts := make([]string, 0, len(list))
	for _, v := range list {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
