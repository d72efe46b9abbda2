package policy

// Issuer is which issuer of the configuration the token names, and its name in
// the configuration; false where it names none, or there is no token.
func (j *Judgement) Issuer() (nth int, name string, known bool) {
	if j.issuer == nil {
		return 0, "", false
	}
	return j.nth, j.issuer.Issuer, true
}

// Signed reports whether the signature of the token was found to be its
// issuer's, whatever came of the checks after that.
func (j *Judgement) Signed() bool { return j.signed }
