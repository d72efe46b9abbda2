package inspect

import (
	"bytes"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// advice is a warning about a configuration that is valid.
type advice struct{ path, text string }

// advise finds what a configuration may say and hardly means.
func advise(c *config.Config, data []byte, opt Options) (all []advice) {
	document, _ := readJSON(data)
	all = append(all, issuerNames(document)...)
	all = append(all, unreachable(c, document, opt.Config)...)
	all = append(all, booleans(c)...)
	all = append(all, logins(c, opt)...)
	return append(all, headers(c, data)...)
}

// entriesOf are the objects that name an issuer, with their paths.
func entriesOf(document *node) (paths []string, entries []*node) {
	issuers := document.get("issuers")
	if issuers == nil {
		return []string{"$"}, []*node{document}
	}
	for i, e := range issuers.elements {
		paths, entries = append(paths, item("$.issuers", i)), append(entries, e)
	}
	return paths, entries
}

const auth0Domain = ".auth0.com"

func isAuth0(host string) bool { return strings.HasSuffix(strings.ToLower(host), auth0Domain) }

// issuerNames warns of names that Auth0 puts into no iss.
func issuerNames(document *node) (all []advice) {
	paths, entries := entriesOf(document)
	for i, e := range entries {
		named := e.get("issuer")
		if named == nil {
			continue
		}
		path := child(paths[i], "issuer")
		u, err := url.Parse(named.text)
		if err != nil {
			continue
		}
		if host := u.Host; host != strings.ToLower(host) {
			all = append(all, advice{path, "iss is compared byte for byte, and issuers write their host in small letters: no token will match; write " +
				strconv.Quote(strings.Replace(named.text, host, strings.ToLower(host), 1))})
		}
		if isAuth0(u.Hostname()) && u.Path == "" {
			all = append(all, advice{path, "Auth0 puts a slash at the end of iss, and it is compared byte for byte: no token will match; write " +
				strconv.Quote(named.text+"/") + `, or "domain": ` + strconv.Quote(u.Host)})
		}
	}
	return all
}

// unreachable warns of issuers whose URL names an address that the operator's
// settings refuse. Names are not resolved: here they may mean something else
// than where the runner is.
func unreachable(c *config.Config, document *node, opt config.Options) (all []advice) {
	if opt.AllowInsecure {
		return nil
	}
	guard := fetch.NewGuard(opt.AllowNetworks)
	paths, _ := entriesOf(document)
	for n, i := range c.Issuers {
		for _, fetched := range []string{i.DiscoveryURL, i.JWKSURI} {
			u, err := url.Parse(fetched)
			if err != nil {
				continue
			}
			if address, err := netip.ParseAddr(u.Hostname()); err == nil && !guard.Allows(address) {
				all = append(all, advice{paths[n], address.String() + " is not a public address: keys are fetched from there only by a runner with --allow-network"})
			}
		}
	}
	return all
}

// booleans warns of claims that have to be the text of a boolean.
func booleans(c *config.Config) (all []advice) {
	for _, e := range c.Claims {
		path := child("$.claims", e.Claim.String())
		values := e.OneOf
		if e.Equals != nil {
			values = append([]any{*e.Equals}, values...)
		}
		for _, v := range values {
			if v == any("true") || v == any("false") {
				all = append(all, advice{path, "the text " + strconv.Quote(v.(string)) + " is not the boolean " + v.(string) + ": a token with the boolean is refused; write " + v.(string) + " without quotation marks"})
				break
			}
		}
		all = append(all, dotted(path, e.Claim)...)
	}
	return all
}

// headers warns of identity that is not what it looks like.
func headers(c *config.Config, data []byte) (all []advice) {
	for _, h := range c.ClaimHeaders {
		path := "$.claim_headers"
		all = append(all, dotted(child(path, h.Name), h.Claim)...)
		if h.Claim.String() == "email" && !bytes.Contains(data, []byte("email_verified")) {
			all = append(all, advice{child(path, h.Name), `anybody can sign up with somebody else's email address until it is verified: add "claims": {"email_verified": true}, or send email_verified in a header too`})
		}
	}
	return all
}

// dotted warns of a claim that is written as a path is elsewhere. Namespaced
// claims are URLs.
func dotted(path string, ref claim.Ref) []advice {
	name := ref.String()
	if !strings.Contains(name, ".") || strings.ContainsAny(name, "/:") {
		return nil
	}
	return []advice{{path, "a claim's name is taken as it is, so this is the claim " + strconv.Quote(name) + " and no path; for what is inside of another claim write " +
		strconv.Quote("/"+strings.ReplaceAll(name, ".", "/"))}}
}
