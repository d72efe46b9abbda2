package revocation

// Token is what of a token is compared. "" is a claim that it does not bear.
type Token struct {
	Issuer            string
	Subject, SID, JTI string
	AuthorizedParty   string  // azp
	ClientID          string  // client_id
	IssuedAt          float64 // in seconds since 1970
	MissingIssuedAt   bool    // there is none: any entry by time revokes it
}

// RevokedToken reports whether a token was revoked. It does no I/O, and takes no
// lock.
func (s *Set) RevokedToken(t *Token) bool {
	if s.version.Load() == 0 {
		return false
	}
	issued := t.issued()
	return s.revoked(t.Issuer, Subject, t.Subject, issued) ||
		s.revoked(t.Issuer, SID, t.SID, 0) ||
		s.revoked(t.Issuer, JTI, t.JTI, 0) ||
		s.revoked(t.Issuer, Client, t.AuthorizedParty, issued) ||
		t.ClientID != t.AuthorizedParty && s.revoked(t.Issuer, Client, t.ClientID, issued)
}

// issued is in Unix milliseconds; what has no time was issued before any entry.
func (t *Token) issued() float64 {
	if t.MissingIssuedAt {
		return 0
	}
	return t.IssuedAt * 1e3
}

// Digest is what of a token is compared, hashed: for whoever compares one token
// again and again. It keeps none of the token's text.
type Digest struct {
	ids    [5]ID
	kinds  [5]Kind
	n      int
	issued float64 // in Unix milliseconds
}

// Digest hashes what is compared.
func (t *Token) Digest() Digest {
	d := Digest{issued: t.issued()}
	add := func(kind Kind, value string) {
		if value != "" {
			d.ids[d.n], d.kinds[d.n] = IDOf(t.Issuer, kind, value), kind
			d.n++
		}
	}
	add(Subject, t.Subject)
	add(SID, t.SID)
	add(JTI, t.JTI)
	add(Client, t.AuthorizedParty)
	if t.ClientID != t.AuthorizedParty {
		add(Client, t.ClientID)
	}
	return d
}

// RevokedDigest is [Set.RevokedToken] for a token that was hashed before.
func (s *Set) RevokedDigest(d *Digest) bool {
	if s.version.Load() == 0 {
		return false
	}
	for i, id := range d.ids[:d.n] {
		if kind := d.kinds[i]; s.live[kind].Load() != 0 && s.holds(id, kind, d.issued) {
			return true
		}
	}
	return false
}
