package inspect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// Fetcher asks for the documents of issuers.
type Fetcher interface {
	Get(ctx context.Context, r fetch.Request) (*fetch.Response, error)
}

// NewFetcher makes requests as a runner with these settings does; nil roots are
// the system's. Whoever has it closes it.
func NewFetcher(opt config.Options, roots *x509.CertPool) *fetch.Client {
	return fetch.New(fetch.Options{AllowInsecure: opt.AllowInsecure, AllowNetworks: opt.AllowNetworks, RootCAs: roots})
}

// Online asks for the documents of every issuer in the report, each once, and
// adds what is wrong with them to the findings.
func (r *Report) Online(ctx context.Context, f Fetcher) {
	said := map[string]string{}
	for _, e := range r.Entries {
		if e.Config == nil {
			continue
		}
		document, _ := readJSON(e.Raw)
		paths, _ := entriesOf(document)
		for n, i := range e.Config.Issuers {
			key := strings.Join(append([]string{i.Issuer, i.DiscoveryURL, i.JWKSURI, strconv.FormatBool(i.SSLVerify)}, i.Algorithms...), " ")
			problem, done := said[key]
			if !done {
				_, problem = keysOf(ctx, f, i)
				said[key] = problem
			}
			if problem != "" {
				at := e.where(paths[n])
				r.fail(spot{e.Input, e.Path + strings.TrimPrefix(paths[n], "$"), at}, problem)
			}
		}
	}
}

// keysOf is the usable keys of an issuer, or what is wrong there. An issuer
// with secrets has none.
func keysOf(ctx context.Context, f Fetcher, i config.Issuer) (keys []jwk.Key, problem string) {
	document := i.JWKS
	switch {
	case len(i.Secrets) > 0:
		return nil, ""
	case document == nil:
		uri := i.JWKSURI
		if uri == "" {
			if uri, problem = jwksURI(ctx, f, i); problem != "" {
				return nil, problem
			}
		}
		if document, problem = download(ctx, f, i, "the keys, "+printableURL(uri)+",", uri); problem != "" {
			return nil, problem
		}
	}
	v, err := strictjson.Parse(document, strictjson.Options{})
	set, _ := v.(map[string]any)
	list, isList := set["keys"].([]any)
	if err != nil || !isList {
		return nil, "the keys are no JSON Web Key Set"
	}
	for _, e := range list {
		members, _ := e.(map[string]any)
		if key, err := jwk.Parse(members); err == nil {
			keys = append(keys, key)
		}
	}
	fits := func(k jwk.Key) bool { return slices.ContainsFunc(i.Algorithms, k.Fits) }
	if !slices.ContainsFunc(keys, fits) {
		return keys, fmt.Sprintf("none of the issuer's %d keys can verify %s", len(list), strings.Join(i.Algorithms, ", "))
	}
	return keys, ""
}

// jwksURI asks the discovery document, as OpenID Connect Discovery 1.0 section
// 4.3 has it.
func jwksURI(ctx context.Context, f Fetcher, i config.Issuer) (uri, problem string) {
	body, problem := download(ctx, f, i, "the discovery document, "+printableURL(i.DiscoveryURL)+",", i.DiscoveryURL)
	if problem != "" {
		return "", problem
	}
	v, err := strictjson.Parse(body, strictjson.Options{})
	members, ok := v.(map[string]any)
	if err != nil || !ok {
		return "", "the discovery document is no JSON object"
	}
	if own, _ := members["issuer"].(string); own != i.Issuer {
		said := "the discovery document is of another issuer, " + printableURL(own)
		if why := difference(i.Issuer, own); why != "" {
			said += ": " + why
		}
		return "", said + "; the configuration must name the issuer exactly so"
	}
	uri, _ = members["jwks_uri"].(string)
	if uri == "" {
		return "", "the discovery document has no jwks_uri"
	}
	return uri, ""
}

func download(ctx context.Context, f Fetcher, i config.Issuer, what, from string) (body []byte, problem string) {
	answer, err := f.Get(ctx, fetch.Request{URL: from, Accept: "application/json", Unverified: !i.SSLVerify})
	if err != nil {
		return nil, what + " cannot be had: " + fetchProblem(err)
	}
	return answer.Body, ""
}

var fetchProblems = map[string]string{
	fetch.FailedURL:        "the runner takes no such URL; it wants https, without a user",
	fetch.FailedDNS:        "DNS does not know the name",
	fetch.FailedAddress:    "the name leads to an address that is not public, which a runner needs --allow-network for",
	fetch.FailedConnection: "nobody answers there, or the connection broke",
	fetch.FailedTLS:        "TLS failed; the certificate is not trusted, expired or of another name (--ca-file names further authorities)",
	fetch.FailedTimeout:    "there was no whole answer in 5 s",
	fetch.FailedRedirect:   "the answer is a redirect, which is not followed",
	fetch.FailedTooLarge:   "the answer is larger than 1 MiB",
}

func fetchProblem(err error) string {
	failed, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		return fetchProblems[fetch.FailedConnection]
	}
	if failed.Kind == fetch.FailedStatus {
		return fmt.Sprintf("the answer has status %d %s", failed.Status, http.StatusText(failed.Status))
	}
	return fetchProblems[failed.Kind]
}

// printableURL is a URL on one line, without a user and a query, which could be
// secret.
func printableURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "something that is no URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
