package convert

import (
	"net/url"
	"slices"
	"strings"
)

const wellKnown = "/.well-known/openid-configuration"

// issuer writes whose tokens are taken, and by which keys.
func (d *draft) issuer(m mode) {
	discovery := d.conf.text("discovery")
	names := d.issuerNames(m, discovery)
	key := d.publicKey()
	if len(names) == 1 {
		for _, one := range d.issuerEntry(names[0], discovery, key) {
			d.out.put(one.name, one.value)
		}
		return
	}
	var entries []members
	for _, name := range names {
		entries = append(entries, d.issuerEntry(name, discovery, key))
	}
	if len(entries) > 0 {
		d.out.set("issuers", entries)
	}
}

// issuerNames are the issuers, as their tokens name them. openid-connect has the
// keys of one discovery document for all of them, and auth0-jwt takes those for
// the issuer of that document alone: with keys of their own the others could
// sign what was refused before.
func (d *draft) issuerNames(m mode, discovery string) []string {
	const key = "claim_validator.issuer.valid_issuers"
	validator := d.conf.object("claim_validator").object("issuer")
	valid, own := validator.texts("valid_issuers"), derived(discovery)
	listed := m.bearer() && validator.has("valid_issuers")
	if listed && len(valid) == 0 {
		d.problem(key, "the list is empty, and no token passes")
		return nil
	}
	same := func(name string) bool { return sameIssuer(name, own) }
	oneKey := d.conf.has("public_key")
	if listed && !m.sessions && (oneKey || !slices.ContainsFunc(valid, same)) {
		if len(valid) > 1 && !oneKey {
			d.stricter(key, `only tokens of the issuer that the discovery document has in "issuer" pass`)
		}
		return valid
	}
	for _, name := range valid {
		if same(name) {
			own = name
		} else if listed {
			d.stricter(key, "tokens of "+name+" are refused: their keys would be its own, and no longer those of discovery. If you trust it, add it to issuers")
		}
	}
	switch {
	case listed && slices.Contains(valid, own): // to the letter
	case domainOf(own) != "":
		own = tenantName(domainOf(own))
	case slices.Contains(valid, own):
	case d.opt.Issuer != "":
		return []string{d.opt.Issuer}
	case own == "":
		d.problem("discovery", "the issuer's name cannot be told from it: write what its document says in --issuer")
		return nil
	default:
		d.todo("discovery", `the issuer is read from the URL: it has to be what that document says in "issuer", to the last slash, or --issuer says it; go-runner check --online compares them`)
	}
	return []string{own}
}

// derived is the issuer that a discovery document's URL belongs to (OpenID
// Connect Discovery 1.0 section 4), but for a slash at its end; "" is unknown.
func derived(discovery string) string {
	name, ok := strings.CutSuffix(discovery, wellKnown)
	if !ok || strings.HasPrefix(discovery, "$") {
		return ""
	}
	return name
}

func sameIssuer(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// domainOf is the domain of an Auth0 tenant's own name; "" is another issuer.
func domainOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.RawQuery != "" ||
		!strings.HasSuffix(u.Hostname(), ".auth0.com") {
		return ""
	}
	return u.Host
}

// tenantName is the issuer that a domain stands for.
func tenantName(domain string) string { return "https://" + strings.ToLower(domain) + "/" }

func (d *draft) issuerEntry(name, discovery string, key members) members {
	entry := members{}
	if domain := domainOf(name); domain != "" && name == tenantName(domain) {
		entry.set("domain", domain)
	} else {
		entry.set("issuer", name)
	}
	switch {
	case key != nil:
		entry.set("jwks", map[string][]members{"keys": {key}})
	case discovery != "" && strings.TrimSuffix(name, "/")+wellKnown != discovery:
		entry.set("discovery", discovery)
	}
	return entry
}

// publicKey is the key that verifies in place of the issuer's own; nil is none.
func (d *draft) publicKey() members {
	if !d.conf.has("public_key") {
		return nil
	}
	key, algorithm, err := keyOf(d.conf.text("public_key"))
	if err != nil {
		d.problem("public_key", err.Error())
		return nil
	}
	d.named(&key, "public_key")
	d.keyAlgorithm = algorithm
	return key
}

// named gives a key the kid that its tokens say.
func (d *draft) named(key *members, from string) {
	if d.opt.KeyID != "" {
		key.set("kid", d.opt.KeyID)
		return
	}
	d.stricter(from, "a token whose header has a kid is refused, since the key has none; name it by --kid")
}
